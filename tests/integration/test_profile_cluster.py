"""The profiler in a whole cluster of real processes: its replica leaves the pool and comes back."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from catenary.cli import plan_profiles
from catenary.cli.plan_profiles import ProfileSources, profiles_of
from catenary.runtime.cluster import Cluster
from catenary.runtime.rpc import channel
from catenary.runtime.wire.profile import ProfileError, load_profile_file
from catenary.v1 import profiler_service_pb2 as pb
from catenary.v1.profiler_service_pb2_grpc import ProfilerServiceStub

EMULATED_A = Path(__file__).parents[2] / "profiles" / "emulated" / "a.json"
TRUTH = load_profile_file(EMULATED_A)
BESIDE = {"sharing_loss": 0.5, "reload_s": 0.05, "prefetch_s": 0.3, "weights_bytes": 1000}
"""What two engines of one worker have to do with each other, and with their weights."""
COMMAND = "import typer; from catenary.cli.profile import profile_command; typer.run(profile_command)"

CONFIG = """
models:
  a: {{engine: emulated, profile: {folder}/a.json}}
  beside: {{engine: emulated, profile: {folder}/beside.json}}
workers:
  - {{id: w0, models: [a, beside]}}
store: {{data_dir: {folder}/store}}
gateway: {{address: "127.0.0.1:0"}}
router: {{address: "127.0.0.1:0"}}
profiler: {{address: "127.0.0.1:{port}", profiles_dir: {folder}/profiles}}
provisioner: {{address: "127.0.0.1:0", stop_timeout_s: 3, lease_ttl_s: 1}}
"""


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory, address: str) -> AsyncIterator[Cluster]:
    folder = tmp_path_factory.mktemp("profiles")
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(folder=folder, port=address.rpartition(":")[2]))
    for model in ("a", "beside"):
        (folder / f"{model}.json").write_text(
            json.dumps(json.loads(EMULATED_A.read_text()) | BESIDE | {"model": model})
        )
    async with Cluster(path) as running:
        await running.wait_ready(20.0)
        yield running


async def catenary_profile(
    address: str, *arguments: str, named_by: str = "--profiler"
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", COMMAND, *arguments, named_by, address]
    return await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=False)


async def is_reserved(cluster: Cluster) -> bool:
    plan = await cluster.plan()
    assert plan is not None
    return any(replica.reserved for replica in plan.workers[0].snapshot.replicas)


async def until_reserved(cluster: Cluster, wanted: bool) -> None:
    for _ in range(200):
        if await is_reserved(cluster) is wanted:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"reserved is not {wanted} after 10 s")


async def test_the_command_measures_the_emulated_engine_as_it_is(
    cluster: Cluster, address: str, tmp_path: Path
) -> None:
    done = await catenary_profile(address, "a", "--quick")
    assert done.returncode == 0, done.stderr
    assert "fitted" in done.stdout
    file = tmp_path / "a.json"
    exported = await catenary_profile(address, "a", "--export", str(file))
    assert exported.stdout.startswith("exported a on cpu"), exported.stderr
    profile = json.loads(file.read_text())
    for name in ("prefill_base_s", "prefill_token_s", "step_base_s", "step_seq_s"):
        assert profile[name] == pytest.approx(getattr(TRUTH, name), rel=0.05), name
    assert profile["sharing_loss"] == pytest.approx(0.5, abs=0.1)
    assert 0.05 <= profile["reload_s"] < 0.3 <= profile["prefetch_s"] < 0.6
    assert (profile["origin"], profile["version"]) == ("measured", 1)
    assert profile["accelerator"].startswith("cpu")
    await until_reserved(cluster, False)
    listed = await catenary_profile(address, "--list")
    assert listed.returncode == 0
    assert "measured" in listed.stdout
    assert " s " in listed.stdout
    again = await catenary_profile(address, "--import", str(file))
    assert (again.returncode, "as new as this one is known" in again.stderr) == (2, True)
    change_file(file, measure_time="2100-01-01T00:00:00Z", step_base_s=0.5)
    imported = await catenary_profile(address, "--import", str(file), "--json")
    assert (json.loads(imported.stdout)["version"], json.loads(imported.stdout)["step_base_s"]) == (2, 0.5)


def change_file(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


async def test_a_measurement_cancelled_midway_gives_the_replica_back(cluster: Cluster, address: str) -> None:
    async with channel(address) as profiler:
        call = ProfilerServiceStub(profiler).RunProfile(pb.RunProfileRequest(model="a"))
        async for update in call:
            if update.done > 3:
                break
        await until_reserved(cluster, True)
        call.cancel()
        await until_reserved(cluster, False)


async def test_the_configuration_tells_where_the_profiler_is(cluster: Cluster, address: str, tmp_path: Path) -> None:
    file = tmp_path / "catenary.yaml"
    file.write_text(json.dumps({"profiler": {"address": address}}))
    listed = await catenary_profile(str(file), "--list", named_by="--config")
    assert (listed.returncode, listed.stderr) == (0, "")
    file.write_text(json.dumps({"profiler": {"adress": address}}))
    wrong = await catenary_profile(str(file), "--list", named_by="--config")
    assert (wrong.returncode, "adress" in wrong.stderr) == (2, True)


async def test_wrong_arguments_are_usage_errors(cluster: Cluster, address: str) -> None:
    unknown = await catenary_profile(address, "b", "--json")
    assert unknown.returncode == 2
    error = json.loads(unknown.stdout)["error"]
    assert (error["code"], error["reason"]) == ("NOT_FOUND", "UNKNOWN_MODEL")
    assert "known: a" in error["message"]
    missing = await catenary_profile(address)
    assert missing.returncode == 2
    assert "MODEL is missing" in missing.stderr


async def test_a_plan_takes_what_no_file_has_from_the_running_cluster(
    cluster: Cluster, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_profiles, "FOLDERS", (tmp_path,))
    config = tmp_path / "catenary.yaml"
    config.write_text(f"profiler: {{address: '{address}'}}")
    sources = ProfileSources([f"a={EMULATED_A}"], config)
    found = await asyncio.to_thread(profiles_of, {"a", "beside"}, sources)
    assert (found["a"].sharing_loss, found["beside"].sharing_loss) == (TRUTH.sharing_loss, BESIDE["sharing_loss"])
    config.write_text("profiler: {address: '127.0.0.1:1'}")
    with pytest.raises(ProfileError, match=f"no profile of beside in {tmp_path}, or with a profiler at 127.0.0.1:1 "):
        await asyncio.to_thread(profiles_of, {"a", "beside"}, sources)
