from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from profiler_cluster import SmallProvisioner, start_cluster

from catenary.cli.profile_files import export_profile, import_profile
from catenary.core.profile_grid import EngineBounds
from catenary.core.profiler import FinishedCall, ProfilerCore
from catenary.model.profile import EngineProfile
from catenary.model.profile_point import GridPoint, PointKind, ProfileRecord
from catenary.runtime.config import Config, ConfigError
from catenary.runtime.embedded import EmbeddedStore
from catenary.runtime.rpc import channel, error_info
from catenary.runtime.store.connection import connect
from catenary.runtime.store.profiles import ProfileStore
from catenary.runtime.wire.profile import load_profile_file, profile_from_proto, save_record_file
from catenary.v1 import profiler_service_pb2 as pb
from catenary.v1.profiler_service_pb2_grpc import ProfilerServiceStub
from catenary_profiler.archive import ProfileArchive
from catenary_profiler.driver import EngineDriver
from catenary_profiler.joining import measure_joining
from catenary_profiler.shell import ProfilerShell

TRUTH = EngineProfile(
    "small",
    prefill_base_s=0.004,
    prefill_token_s=0.00002,
    step_base_s=0.003,
    step_seq_s=0.0004,
    step_context_s=5e-7,
    max_num_seqs=8,
)


@pytest.fixture
async def provisioner() -> AsyncIterator[SmallProvisioner]:
    server, provisioner = await start_cluster(TRUTH)
    yield provisioner
    await server.stop(0)


@pytest.fixture(scope="module")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = EmbeddedStore(tmp_path_factory.mktemp("store"), 64)
    yield store.start()
    store.stop()


@pytest.fixture
def config(provisioner: SmallProvisioner, store_url: str, tmp_path: Path) -> Config:
    values = {
        "store": {"url": store_url},
        "profiler": {"address": "127.0.0.1:0", "profiles_dir": tmp_path / "profiles", "acquire_timeout_s": 5},
        "provisioner": {"address": provisioner.address},
        "models": {"small": {"engine": "emulated", "source": str(tmp_path)}, "other": {"max_num_seqs": 3}},
    }
    return Config.model_validate(values)


@pytest.fixture
async def profiler(config: Config) -> AsyncIterator[ProfilerServiceStub]:
    shell = ProfilerShell(config, None)
    await shell.start()
    async with channel(shell.address) as to_profiler:
        yield ProfilerServiceStub(to_profiler)
    await shell.stop()


async def measure(profiler: ProfilerServiceStub) -> list[pb.RunProfileResponse]:
    return [update async for update in profiler.RunProfile(pb.RunProfileRequest(model="small", quick=True))]


async def test_the_fit_is_the_engine_and_the_replica_goes_back(
    profiler: ProfilerServiceStub, provisioner: SmallProvisioner, config: Config
) -> None:
    updates = await measure(profiler)
    found = profile_from_proto(updates[-1].profile)
    for name in ("prefill_base_s", "prefill_token_s", "step_base_s", "step_seq_s", "step_context_s"):
        assert getattr(found, name) == pytest.approx(getattr(TRUTH, name), rel=0.05), name
    assert (found.origin, found.engine, found.accelerator) == ("measured", "emulated", "Test CPU 1")
    assert (found.start_s, found.weights_bytes, found.peak_bytes, found.max_model_len) == (1.5, 1000, 3000, 1500)
    assert 0 < found.overhead_s < 0.02
    assert (provisioner.holder, provisioner.num_granted) == ("", 1)
    done = [update.done for update in updates]
    assert done == sorted(done)
    assert updates[-1].done == updates[-1].total > 0
    assert load_profile_file(config.profiler.profiles_dir / "small--test-cpu-1.json") == found


async def test_sleep_and_wake_are_timed_and_the_first_sleep_and_a_wake_without_weights_apart(
    profiler: ProfilerServiceStub, provisioner: SmallProvisioner
) -> None:
    found = profile_from_proto((await measure(profiler))[-1].profile)
    assert found.first_sleep_s > found.sleep_s >= 0.01
    assert 0.02 <= found.wake_s < 0.08 <= found.reload_s
    assert (found.prefetch_s, provisioner.worker.cold_reads) == (0.5, 1)
    assert found.sharing_loss == 0, "no other engine is on its accelerator"


async def test_reading_dummy_weights_again_is_not_measured(
    profiler: ProfilerServiceStub, provisioner: SmallProvisioner
) -> None:
    provisioner.worker.replica.weights_bytes = 0
    found = profile_from_proto((await measure(profiler))[-1].profile)
    assert found.wake_s > 0
    assert (found.reload_s, found.prefetch_s) == (0, 0)


async def test_an_engine_that_cannot_sleep_is_measured_all_the_same(
    profiler: ProfilerServiceStub, provisioner: SmallProvisioner
) -> None:
    provisioner.worker.can_sleep = False
    found = profile_from_proto((await measure(profiler))[-1].profile)
    assert (found.first_sleep_s, found.sleep_s, found.wake_s) == (0, 0, 0)
    assert found.step_base_s > 0


async def test_no_prompt_is_sent_twice(profiler: ProfilerServiceStub, provisioner: SmallProvisioner) -> None:
    await measure(profiler)
    assert len({prompt[:16] for prompt in provisioner.worker.prompts}) == len(provisioner.worker.prompts)


async def test_a_second_measurement_is_the_next_version_and_survives_a_restart(
    profiler: ProfilerServiceStub, config: Config
) -> None:
    first, second = (await measure(profiler))[-1].profile, (await measure(profiler))[-1].profile
    assert second.version == first.version + 1
    for left in (config.profiler.profiles_dir, config.profiler.profiles_dir / "none"):
        again = ProfilerShell(config.model_copy(update={"profiler": replaced(config, left)}), None)
        await again.start()
        async with channel(again.address) as to_profiler:
            answer = await ProfilerServiceStub(to_profiler).GetProfile(pb.GetProfileRequest(model="small"))
        await again.stop()
        assert answer.profile == second


def replaced(config: Config, folder: Path) -> object:
    return config.profiler.model_copy(update={"profiles_dir": folder})


async def test_a_profile_is_exported_and_imported_as_the_next_version(config: Config, tmp_path: Path) -> None:
    measured = replace(TRUTH, accelerator="H100", engine="vllm 0.32", origin="measured")
    path, exported = tmp_path / "in.json", tmp_path / "out.json"
    save_record_file(path, ProfileRecord(measured, measured_unix_s=4e9))
    shell = ProfilerShell(config, None)
    await shell.start()
    imported = await import_profile(shell.address, path)
    assert (imported.version, imported.step_base_s) == (1, TRUTH.step_base_s)
    with pytest.raises(grpc.RpcError) as refused:
        await import_profile(shell.address, path)
    assert "as new as this one is known" in error_info(refused.value).message
    assert (await export_profile(shell.address, "small", exported)).accelerator == "H100"
    assert load_profile_file(exported).prefill_base_s == TRUTH.prefill_base_s
    await shell.stop()
    assert (config.profiler.profiles_dir / "small--h100.json").is_file()


async def test_a_client_that_goes_away_gives_the_replica_back(
    profiler: ProfilerServiceStub, provisioner: SmallProvisioner
) -> None:
    call = profiler.RunProfile(pb.RunProfileRequest(model="small"))
    async for update in call:
        if update.done > 3:
            break
    assert provisioner.worker.replica.reserved
    call.cancel()
    async with asyncio.timeout(5):
        await provisioner.released.wait()
    assert not provisioner.worker.replica.reserved
    assert provisioner.worker.aborted
    assert (await measure(profiler))[-1].HasField("profile")


async def test_an_engine_that_fails_ends_the_measurement_and_gives_the_replica_back(
    profiler: ProfilerServiceStub, provisioner: SmallProvisioner
) -> None:
    provisioner.worker.fail_after = 20
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await measure(profiler)
    info = error_info(failure.value)
    assert (info.code, info.reason) == (grpc.StatusCode.ABORTED, "ENGINE")
    assert "out of memory" in info.message
    assert provisioner.holder == ""


async def test_a_second_measurement_at_the_same_time_is_refused(profiler: ProfilerServiceStub) -> None:
    first = asyncio.create_task(measure(profiler))
    await asyncio.sleep(0.2)
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await measure(profiler)
    assert failure.value.code() == grpc.StatusCode.ALREADY_EXISTS
    assert (await first)[-1].HasField("profile")


async def test_a_replica_that_others_hold_is_a_refusal_with_the_holder(
    profiler: ProfilerServiceStub, provisioner: SmallProvisioner
) -> None:
    provisioner.holder = "somebody"
    with pytest.raises(grpc.aio.AioRpcError, match="held by somebody"):
        await measure(profiler)


async def test_a_model_without_profile_gets_the_assumed_one(profiler: ProfilerServiceStub) -> None:
    answer = await profiler.GetProfile(pb.GetProfileRequest(model="other"))
    assert (answer.profile.origin, answer.profile.max_num_seqs) == ("assumed", 3)
    listed = await profiler.ListProfiles(pb.ListProfilesRequest())
    assert [profile.model for profile in listed.profiles] == ["other", "small"]
    with pytest.raises(grpc.aio.AioRpcError, match="'nix' is not configured; known: other, small"):
        await profiler.GetProfile(pb.GetProfileRequest(model="nix"))


async def test_finished_calls_correct_the_profile_within_its_bound(profiler: ProfilerServiceStub) -> None:
    calls = [pb.FinishedCall(model="other", prompt_tokens=200, output_tokens=100, mean_batch=2, service_s=60)] * 300
    await profiler.ReportCalls(pb.ReportCallsRequest(calls=calls))
    answer = await profiler.GetProfile(pb.GetProfileRequest(model="other"))
    assert answer.profile.correction == pytest.approx(2.0)


def test_a_profile_file_that_is_missing_stops_the_start(tmp_path: Path) -> None:
    config = Config.model_validate({"models": {"small": {"engine": "emulated", "profile": "nowhere.json"}}})
    with pytest.raises(ConfigError, match=r"models\.small\.profile: nowhere\.json: cannot be read"):
        ProfilerShell(config, tmp_path / "catenary.yaml")


@pytest.mark.parametrize("name", ["a", "b", "c", "noop"])
def test_the_emulated_profiles_load(name: str) -> None:
    path = Path(__file__).parents[2] / "profiles" / "emulated" / f"{name}.json"
    profile = load_profile_file(path)
    assert (profile.model, profile.origin) == (name, "emulated")
    assert replace(profile, model="x").max_num_seqs >= 16


async def test_corrections_reach_the_store_under_the_same_version(store_url: str, tmp_path: Path) -> None:
    profile = replace(TRUTH, model="corrected", accelerator="x", settings_digest="d", origin="measured")
    core = ProfilerCore({"corrected": "d"}, {})
    async with connect(store_url) as redis:
        store = ProfileStore(redis)
        archive = ProfileArchive(core, store, tmp_path)
        await archive.keep(ProfileRecord(profile, measured_unix_s=1.0))
        core.report([FinishedCall("corrected", 256, 0, 128, 1.0, 60.0)] * 300)
        await archive.store_corrections()
        stored = await store.get("corrected")
    assert stored is not None
    assert stored.version == 1
    assert stored.correction == pytest.approx(2.0)


async def test_prompts_that_join_a_batch_are_timed_by_what_they_add_to_it(provisioner: SmallProvisioner) -> None:
    guests = GridPoint(PointKind.JOINING, 1400, 1, 4)
    hosts = EngineBounds(1500, 8).hosts
    async with channel(provisioner.address) as to_worker, EngineDriver(to_worker, "small", "holder", 20.0) as driver:
        sample = await measure_joining(driver, guests, hosts)
    assert sample.seconds == pytest.approx(TRUTH.prefill_s(1400), rel=0.4)
    assert len(provisioner.worker.aborted) == hosts.batch == 7
