"""A whole cluster of real processes with emulated engines."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from catenary.runtime.cluster import Cluster, ClusterError
from catenary.runtime.config import ConfigError
from catenary.runtime.kept_service import ServiceChanged, ServiceState
from catenary.runtime.scope import Scope
from catenary.runtime.store.connection import connect
from catenary.runtime.store.plans import PlanStore
from catenary.v1.provisioner_service_pb2 import PlannedWorker

CONFIG = """
models:
  small: {{engine: emulated}}
  large: {{engine: emulated}}
workers:
  - {{id: w0, models: [small]}}
  - {{id: w1, models: [small, large]}}
store: {{data_dir: {folder}/store}}
gateway: {{address: "127.0.0.1:{gateway_port}"}}
router: {{address: "127.0.0.1:0"}}
profiler: {{address: "127.0.0.1:0"}}
provisioner: {{address: "127.0.0.1:0", stop_timeout_s: 3, lease_ttl_s: 1}}
"""


def write_config(folder: Path, gateway_port: int = 0) -> Path:
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(folder=folder, gateway_port=gateway_port))
    return path


def sockets_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_socket()]


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with Cluster(write_config(tmp_path)) as running:
        yield running


async def planned(cluster: Cluster, worker_id: str) -> PlannedWorker:
    plan = await cluster.plan()
    assert plan is not None
    return next(worker for worker in plan.workers if worker.worker_id == worker_id)


async def test_a_cluster_comes_up_and_leaves_nothing_behind(tmp_path: Path) -> None:
    before = psutil.Process().children(recursive=True)
    async with Cluster(write_config(tmp_path)) as cluster:
        plan = await cluster.wait_ready(5.0)
        assert [(w.worker_id, w.phase, list(w.models)) for w in plan.workers] == [
            ("w0", "ready", ["small"]),
            ("w1", "ready", ["small", "large"]),
        ]
        async with connect(cluster.store_url) as redis:
            published = await PlanStore(redis).get()
        assert published is not None
        assert (published.epoch, published.policy) == (plan.epoch, "static")
        assert len(cluster.scope.processes()) >= 6
    assert cluster.scope.processes() == []
    assert sockets_in(tmp_path) == []
    assert set(psutil.Process().children(recursive=True)) <= set(before)


async def test_a_killed_worker_comes_back(cluster: Cluster) -> None:
    before = await planned(cluster, "w0")
    os.kill(before.pid, signal.SIGKILL)
    for _ in range(400):
        if (await planned(cluster, "w0")).pid != before.pid:
            break
        await asyncio.sleep(0.05)
    await cluster.wait_ready(30.0)
    after = await planned(cluster, "w0")
    assert (after.restarts, after.phase) == (1, "ready")
    assert "SIGKILL" in after.last_error
    assert (await planned(cluster, "w1")).restarts == 0


@pytest.mark.parametrize("name", ["router", "provisioner"])
async def test_a_killed_service_comes_back(tmp_path: Path, name: str) -> None:
    changes: list[ServiceChanged] = []
    async with Cluster(write_config(tmp_path), changes.append) as cluster:
        pid, workers = cluster.pids[name], [worker.pid for worker in (await cluster.wait_ready(5.0)).workers]
        os.kill(pid, signal.SIGKILL)
        for _ in range(400):
            if cluster.pids[name] not in (0, pid):
                break
            await asyncio.sleep(0.05)
        plan = await cluster.wait_ready(30.0)
        if name == "provisioner":
            assert not any(psutil.pid_exists(worker) for worker in workers)
        else:
            assert [worker.pid for worker in plan.workers] == workers
    states = [change.state for change in changes if change.name == name]
    assert states[:4] == ["starting", "ready", "backing off", "starting"]
    assert states[-1] is ServiceState.STOPPED


async def test_an_address_in_use_stops_the_start_with_its_name(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = rf"gateway.address: 127.0.0.1:{port} is in use; .* CATENARY_GATEWAY__ADDRESS"
        with pytest.raises(ClusterError, match=message):
            await Cluster(write_config(tmp_path, port)).start()


async def test_two_clusters_run_side_by_side_but_not_in_one_store(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    async with (
        Cluster(write_config(tmp_path / "one")) as one,
        Cluster(write_config(tmp_path / "two")) as two,
    ):
        assert one.addresses.gateway != two.addresses.gateway
        with pytest.raises(ClusterError, match="another store runs in this folder"):
            await Cluster(write_config(tmp_path / "one")).start()


async def test_a_worker_that_cannot_start_is_reported_with_its_reason(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    path.write_text(
        path.read_text().replace("small: {engine: emulated}", "small: {engine: emulated, profile: none.json}")
    )
    with pytest.raises(ClusterError, match=r"none\.json"):
        async with Cluster(path):
            pass


def test_a_missing_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml: cannot be read"):
        Cluster(tmp_path / "absent.yaml")


def test_nothing_survives_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    code = f"""
    import asyncio
    from pathlib import Path
    from catenary.runtime.cluster import Cluster
    async def main():
        async with Cluster(Path({str(write_config(tmp_path))!r})) as cluster:
            print(cluster.scope.path, flush=True)
            await asyncio.sleep(300)
    asyncio.run(main())
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    ) as supervisor:
        assert supervisor.stdout is not None
        scope = Scope(supervisor.stdout.readline().strip())
        everything = psutil.Process(supervisor.pid).children(recursive=True)
        assert len(scope.processes()) >= 6
        supervisor.kill()
        supervisor.wait()
    _, alive = psutil.wait_procs(everything, timeout=15)
    assert [p for p in alive if p.status() != psutil.STATUS_ZOMBIE] == []
    assert scope.processes() == []


def test_up_ends_on_one_interrupt_with_everything_stopped(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    code = "import typer; from catenary.cli.up import up; typer.run(up)"
    with subprocess.Popen(
        [sys.executable, "-c", code, "--config", str(path)], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        lines = []
        while "w1/large: AWAKE" not in lines:
            lines.append(process.stderr.readline().strip())
            assert process.poll() is None
        children = psutil.Process(process.pid).children(recursive=True)
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        lines += process.stderr.read().splitlines()
        assert process.wait() == 0
    assert time.monotonic() - started < 15
    assert lines[-1] == "gateway: stopped"
    assert not any(child.is_running() for child in children)


def test_up_without_a_configuration_says_how_to_give_one() -> None:
    code = "import typer; from catenary.cli.up import up; typer.run(up)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no configuration: give --config FILE or set CATENARY_CONFIG" in done.stderr
