"""Workers whose calls come over gRPC: streams, seats, sleep, with emulated engines and a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from worker_config import STEP_S, config, fixed
from worker_process import WorkerProcess, gateway_side, snapshot_where, worker_process

from catenary.runtime.rpc import channel
from catenary.runtime.word_tokenizer import WordTokenizer
from catenary.v1 import worker_service_pb2 as pb
from catenary.v1.worker_service_pb2_grpc import WorkerServiceStub
from catenary.v1.workflow_pb2 import SamplingParams


@pytest.fixture(scope="module")
def shared(store_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerProcess]:
    """A worker for tests that leave it as they found it."""
    folder = tmp_path_factory.mktemp("worker")
    with worker_process(config(folder, store_url, "shared"), folder) as process:
        yield process


@pytest.fixture
async def worker(shared: WorkerProcess) -> WorkerProcess:
    async with channel(shared.address) as connection:
        await snapshot_where(WorkerServiceStub(connection), _is_at_rest)
    return shared


def _is_at_rest(snapshot: pb.WorkerSnapshot) -> bool:
    return all(replica.state == pb.REPLICA_STATE_AWAKE and not replica.calls for replica in snapshot.replicas)


@pytest.fixture
async def stub(worker: WorkerProcess) -> AsyncIterator[WorkerServiceStub]:
    async with channel(worker.address) as connection:
        yield WorkerServiceStub(connection)


async def test_a_call_streams_its_tokens_and_ends_with_its_figures(worker: WorkerProcess) -> None:
    async with gateway_side(worker.address) as gateway:
        call = await gateway.start("r/a", sampling=fixed(20))
        end = await call.ended()
        assert end.finish_reason == pb.FINISH_REASON_LENGTH
        assert call.text == "".join(f"tok{i} " for i in range(20))
        assert (len(call.token_ids), end.output_tokens, end.prompt_tokens) == (20, 20, 64)
        assert end.duration_us >= 20 * STEP_S * 1e6
        assert 0 < end.ttft_us < end.duration_us
        assert end.mean_batch == 1
        assert len(call.offsets) > 5


async def test_a_gateway_gets_one_message_per_step_for_all_its_calls(worker: WorkerProcess) -> None:
    async with gateway_side(worker.address) as gateway:
        calls = await gateway.start_many(["r/a", "r/b"], sampling=fixed(40))
        await asyncio.gather(*(call.ended() for call in calls))
        assert gateway.num_messages <= 42


async def test_a_zero_time_engine_answers_in_one_message(worker: WorkerProcess) -> None:
    async with gateway_side(worker.address) as gateway:
        call = await gateway.start("r/a", model="noop", sampling=fixed(100))
        end = await call.ended()
        assert (end.output_tokens, end.duration_us, gateway.num_messages) == (100, 0, 1)


async def test_a_word_of_the_prompt_sets_the_output_length(worker: WorkerProcess) -> None:
    async with gateway_side(worker.address) as gateway:
        prompt = WordTokenizer().encode("#out=37 write something")
        end = await (await gateway.start("r/a", prompt, model="noop", sampling=SamplingParams(max_tokens=64))).ended()
        assert (end.output_tokens, end.finish_reason) == (37, pb.FINISH_REASON_STOP)


async def test_a_replayed_call_continues_its_text(worker: WorkerProcess) -> None:
    async with gateway_side(worker.address) as gateway:
        call = await gateway.start("r/a", attempt=2, offset=5, model="noop", sampling=fixed(3))
        await call.ended()
        assert call.text == "tok5 tok6 tok7 "
        assert call.offsets == [5]


async def test_an_aborted_call_ends_as_aborted_and_frees_its_seat(
    worker: WorkerProcess, stub: WorkerServiceStub
) -> None:
    async with gateway_side(worker.address) as gateway:
        call = await gateway.start("r/a", sampling=fixed(400))
        await call.first.wait()
        await gateway.abort("r/a")
        end = await call.ended()
        assert end.finish_reason == pb.FINISH_REASON_ABORTED
        assert 0 < end.output_tokens < 400
        await snapshot_where(stub, lambda snapshot: not snapshot.replicas[0].calls)


async def test_a_broken_stream_aborts_its_calls(worker: WorkerProcess, stub: WorkerServiceStub) -> None:
    async with gateway_side(worker.address) as gateway:
        call = await gateway.start("r/a", sampling=fixed(400))
        await call.first.wait()
        await snapshot_where(stub, lambda snapshot: len(snapshot.replicas[0].calls) == 1)
    await snapshot_where(stub, lambda snapshot: not snapshot.replicas[0].calls, timeout_s=1)


async def test_a_half_closed_stream_ends_after_its_last_call(worker: WorkerProcess) -> None:
    async with gateway_side(worker.address) as gateway:
        call = await gateway.start("r/a", sampling=fixed(10))
        await gateway.half_close()
        await gateway.until_closed()
        assert (await call.ended()).finish_reason == pb.FINISH_REASON_LENGTH


async def test_calls_beyond_seats_and_lookahead_are_refused(worker: WorkerProcess) -> None:
    async with gateway_side(worker.address) as gateway:
        calls = await gateway.start_many([f"r/{i}" for i in range(4)], sampling=fixed(10))
        ends = [await call.ended() for call in calls]
        assert [end.finish_reason for end in ends] == [pb.FINISH_REASON_LENGTH] * 3 + [pb.FINISH_REASON_OVERLOADED]
        assert "2 seats and 1 lookahead places" in ends[3].error
        assert ends[2].queue_us > 0


async def test_the_call_with_the_earliest_latest_start_leaves_the_engine_s_queue_first(worker: WorkerProcess) -> None:
    async with gateway_side(worker.address) as gateway:
        running = await gateway.start_many(["r/a", "r/b"], sampling=fixed(30))
        await running[0].first.wait()
        late = await gateway.start("r/late", sampling=fixed(5), latest_start_us=9_000_000)
        end = await late.ended()
        assert end.queue_us > 0


async def test_a_call_that_can_no_longer_be_in_time_is_dropped_from_the_engine_s_queue(worker: WorkerProcess) -> None:
    async with gateway_side(worker.address) as gateway:
        running = await gateway.start_many(["r/a", "r/b"], sampling=fixed(150))
        await running[0].first.wait()
        end = await (await gateway.start("r/c", lost_after_us=50_000)).ended()
        assert end.finish_reason == pb.FINISH_REASON_ABORTED
        assert "no longer be in time" in end.error
        assert not running[0].end.done()


async def test_a_prompt_beyond_the_context_is_invalid(worker: WorkerProcess) -> None:
    async with gateway_side(worker.address) as gateway:
        end = await (await gateway.start("r/a", [1] * 2048)).ended()
        assert end.finish_reason == pb.FINISH_REASON_INVALID
        assert "2048" in end.error


async def test_snapshots_list_the_calls_held(worker: WorkerProcess, stub: WorkerServiceStub) -> None:
    async with gateway_side(worker.address) as gateway:
        await gateway.start_many(["r/a", "r/b", "r/c"], sampling=fixed(100))
        snapshot = await snapshot_where(
            stub, lambda s: len(s.replicas[0].calls) == 3 and s.replicas[0].calls[0].output_tokens
        )
        calls = snapshot.replicas[0].calls
        assert [call.call_id for call in calls] == ["r/a", "r/b", "r/c"]
        assert [call.running for call in calls] == [True, True, False]
        assert (snapshot.replicas[0].num_running, snapshot.replicas[0].num_waiting) == (2, 1)
        assert {call.router_epoch for call in calls} == {0}


async def test_a_replica_sleeps_when_its_calls_have_finished_and_wakes_again(
    worker: WorkerProcess, stub: WorkerServiceStub
) -> None:
    async with gateway_side(worker.address) as gateway:
        call = await gateway.start("r/a", sampling=fixed(40))
        await call.first.wait()
        slept = await stub.SleepModel(pb.SleepModelRequest(model="m"))
        assert slept.replica.state == pb.REPLICA_STATE_ASLEEP
        assert (await call.ended()).finish_reason == pb.FINISH_REASON_LENGTH
        refused = await (await gateway.start("r/b")).ended()
        assert refused.finish_reason == pb.FINISH_REASON_REPLICA_DRAINING
        woken = await stub.WakeModel(pb.WakeModelRequest(model="m", expected_generation=slept.replica.generation))
        assert woken.replica.state == pb.REPLICA_STATE_AWAKE
        assert woken.replica.generation > slept.replica.generation
        assert (await (await gateway.start("r/c", sampling=fixed(4))).ended()).output_tokens == 4


async def test_frozen_calls_go_on_after_waking(worker: WorkerProcess, stub: WorkerServiceStub) -> None:
    async with gateway_side(worker.address) as gateway:
        call = await gateway.start("r/a", sampling=fixed(60))
        await call.first.wait()
        await stub.SleepModel(pb.SleepModelRequest(model="m", mode=pb.SLEEP_MODE_FREEZE))
        seen = len(call.token_ids)
        await asyncio.sleep(0.3)
        assert len(call.token_ids) == seen < 60
        await stub.WakeModel(pb.WakeModelRequest(model="m"))
        end = await call.ended()
        assert (end.finish_reason, end.output_tokens) == (pb.FINISH_REASON_LENGTH, 60)
