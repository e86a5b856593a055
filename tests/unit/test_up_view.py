from __future__ import annotations

from typing import Any

from rich.console import Console

from catenary.cli.up_view import UpView
from catenary.runtime.kept_service import ServiceChanged, ServiceState
from catenary.v1 import provisioner_service_pb2 as pb
from catenary.v1 import worker_service_pb2 as worker_pb


def worker(phase: str, error: str = "", next_start_s: float = 0.0, **replica: Any) -> pb.PlannedWorker:
    replicas = [worker_pb.ReplicaSnapshot(model="small", engine="emulated", **replica)]
    return pb.PlannedWorker(
        worker_id="w0",
        phase=phase,
        last_error=error,
        next_start_s=next_start_s,
        address="h:1",
        snapshot=worker_pb.WorkerSnapshot(replicas=replicas),
    )


def drawn(view: UpView) -> str:
    console = Console(width=120, color_system=None)
    with console.capture() as captured:
        console.print(view)
    return captured.get()


def test_an_error_shows_how_it_ended_and_its_last_words() -> None:
    view = UpView()
    view.plan(pb.Plan(workers=[worker("backing off", "ended with exit code 1:\nTraceback\nOSError: no space", 2.5)]))
    assert "starts again in 2.5 s; ended with exit code 1: OSError: no space" in drawn(view)


def test_a_loading_engine_has_a_bar_and_a_dead_one_its_error() -> None:
    view = UpView()
    view.plan(pb.Plan(workers=[worker("starting", state=worker_pb.REPLICA_STATE_LOADING, load_progress=0.5)]))
    assert "━━━━━━" in drawn(view)
    view.plan(pb.Plan(workers=[worker("starting", state=worker_pb.REPLICA_STATE_DEAD, error="out of memory")]))
    assert "out of memory" in drawn(view)


def test_a_model_that_was_never_loaded_is_not_dead() -> None:
    view = UpView()
    view.plan(pb.Plan(workers=[worker("starting", state=worker_pb.REPLICA_STATE_DEAD)]))
    assert view.news() == ["worker w0: starting", "w0/small: NOT LOADED"]
    view.plan(pb.Plan(workers=[worker("starting", state=worker_pb.REPLICA_STATE_DEAD, generation=2)]))
    assert view.news() == ["w0/small: DEAD"]


def test_news_has_each_change_once() -> None:
    view = UpView()
    view.service(ServiceChanged("gateway", ServiceState.STARTING))
    assert view.news() == ["gateway: starting"]
    assert view.news() == []
    view.service(ServiceChanged("gateway", ServiceState.READY, "h:7450"))
    view.plan(pb.Plan(workers=[worker("ready", state=worker_pb.REPLICA_STATE_AWAKE)]))
    assert view.news() == [
        "gateway: ready",
        "worker w0: ready",
        "w0/small: AWAKE",
        "cluster: ready: gateway at h:7450; Ctrl-C stops everything",
    ]
