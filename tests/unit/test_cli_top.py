"""``catenary top``: what it makes of the services' answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from catenary.cli.main import app
from catenary.cli.objectives import Objective, objectives
from catenary.cli.status import ClusterStatus, ServiceStatus
from catenary.cli.top import Look
from catenary.cli.top_view import plan_view, top_view
from catenary.client import Run
from catenary.model.outcome import Outcome
from catenary.v1 import dispatch_pb2, router_service_pb2
from catenary.v1 import provisioner_service_pb2 as pb
from catenary.v1 import worker_service_pb2 as worker_pb


def run(met: bool, outcome: Outcome = Outcome.SUCCEEDED, e2e_s: float = 1.0, **fields: Any) -> Run:
    shown = {"workflow": "chain", "tenant": "t", "deadline_s": 2.0, "attainment": 0.9, **fields}
    return Run("r", outcome=outcome, met=met, e2e_s=e2e_s, **shown)


def text_of(renderable: Any) -> str:
    console = Console(width=80, record=True, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(renderable)
    return captured.get()


def plan() -> pb.Plan:
    replicas = [
        worker_pb.ReplicaSnapshot(model="large", state=worker_pb.REPLICA_STATE_ASLEEP),
        worker_pb.ReplicaSnapshot(model="small", state=worker_pb.REPLICA_STATE_AWAKE, num_running=3, max_num_seqs=8),
        worker_pb.ReplicaSnapshot(model="tiny", state=worker_pb.REPLICA_STATE_LOADING, load_progress=0.5),
    ]
    snapshot = worker_pb.WorkerSnapshot(worker_id="w0", accelerator="H100", num_accelerators=2, replicas=replicas)
    worker = pb.PlannedWorker(worker_id="w0", phase="ready", snapshot=snapshot)
    return pb.Plan(revision=7, policy="risk", workers=[worker], reasons=["wake large on w0: 12 misses avoided"])


def test_the_error_budget_is_what_the_target_allows_less_what_was_missed() -> None:
    (found,) = objectives([run(True)] * 18 + [run(False)] * 2)
    assert (found.num_runs, found.num_missed, found.attainment) == (20, 2, 0.9)
    assert found.budget_left == pytest.approx(0.0)
    (found,) = objectives([run(True)] * 19 + [run(False)])
    assert found.budget_left == pytest.approx(0.5)
    (found,) = objectives([run(False)] * 2)
    assert found.budget_left == pytest.approx(-9)


def test_runs_without_a_deadline_or_cancelled_or_unfinished_do_not_count() -> None:
    others = [run(False, deadline_s=0.0), run(False, Outcome.CANCELLED), Run("r", workflow="chain", deadline_s=2.0)]
    assert objectives(others) == []


def test_top_shows_accelerators_with_what_is_awake_and_asleep_queues_objectives_and_decisions() -> None:
    pools = router_service_pb2.GetPoolsResponse(
        pools=[dispatch_pb2.PoolState(model="small", num_replicas=1, num_seats=8, num_running=3, num_queued=5)],
        waiting=[router_service_pb2.WaitingCalls(model="small", num_late=4, num_under_5s=1)],
    )
    status = ClusterStatus((ServiceStatus("gateway", "a:1", "serving"),), None, pools, plan())
    shown = text_of(top_view(Look(status, [Objective("chain", "t", 20, 2, 0.9, 1.0, 2.0)])))
    for expected in ("gateway serving", "H100 x2", "small awake 3/8", "large asleep", "tiny loading 50%", "3/8"):
        assert expected in shown
    assert "90.0%" in shown
    assert "wake large on w0: 12 misses avoided" in shown
    assert "4 late, 1 <5s" in shown
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 80


def test_top_without_a_provisioner_shows_the_services() -> None:
    status = ClusterStatus((ServiceStatus("provisioner", "a:1", "unreachable"),), None, None, None)
    assert "provisioner unreachable" in text_of(top_view(Look(status, [])))
    assert "no provisioner answers" in text_of(plan_view(None))


def test_plan_explain_asks_the_provisioner_that_the_configuration_names(tmp_path: Path) -> None:
    config = tmp_path / "catenary.yaml"
    config.write_text("provisioner: {address: '127.0.0.1:1'}")
    result = CliRunner().invoke(app, ["plan", "--explain", "--config", str(config)])
    assert (result.exit_code, "no provisioner at 127.0.0.1:1" in result.output) == (3, True)
    assert "FILE is missing" in CliRunner().invoke(app, ["plan"]).output
