"""One worker with a real vLLM engine on the CPU. One engine for all tests; the last one ends it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from trace_collector import TraceCollector
from vllm_worker import CACHE, SOURCE, START_TIMEOUT_S, config, gone, tree_of
from worker_process import WorkerProcess, gateway_side, snapshot_where, worker_process

from catenary.runtime.config import ModelConfig
from catenary.runtime.rpc import channel
from catenary.runtime.tokenizer import Tokenizer, load_tokenizer
from catenary.v1 import worker_service_pb2 as pb
from catenary.v1.worker_service_pb2_grpc import WorkerServiceStub
from catenary.v1.workflow_pb2 import SamplingParams

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module")]

LONG = SamplingParams(max_tokens=400, min_tokens=400, ignore_eos=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def collector() -> AsyncIterator[TraceCollector]:
    collector = TraceCollector()
    await collector.start()
    yield collector
    await collector.stop()


@pytest.fixture(scope="module")
def shared(
    store_url: str, collector: TraceCollector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WorkerProcess]:
    folder = tmp_path_factory.mktemp("worker")
    with worker_process(config(store_url, collector.endpoint), folder) as process:
        yield process


@pytest_asyncio.fixture(loop_scope="module")
async def worker(shared: WorkerProcess) -> WorkerProcess:
    async with channel(shared.address) as connection:
        await snapshot_where(WorkerServiceStub(connection), _is_at_rest, START_TIMEOUT_S)
    return shared


def _is_at_rest(snapshot: pb.WorkerSnapshot) -> bool:
    replica = snapshot.replicas[0]
    assert replica.state != pb.REPLICA_STATE_DEAD, replica.error
    return replica.state == pb.REPLICA_STATE_AWAKE and not replica.calls


@pytest_asyncio.fixture(loop_scope="module")
async def stub(worker: WorkerProcess) -> AsyncIterator[WorkerServiceStub]:
    async with channel(worker.address) as connection:
        yield WorkerServiceStub(connection)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return load_tokenizer("m", ModelConfig(source=SOURCE), CACHE)


async def test_the_tokenizer_agrees_with_the_model_s_own(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("Hello world") == [19556, 905]
    assert tokenizer.encode_chat([("system", "Be brief."), ("user", "Hello")])[-4:] == [1, 520, 9531, 198]


async def test_a_chat_is_answered_step_by_step(worker: WorkerProcess, tokenizer: Tokenizer) -> None:
    prompt = tokenizer.encode_chat([("user", "What is the capital of France? Answer in one sentence.")])
    async with gateway_side(worker.address) as gateway:
        call = await gateway.start("r/a", prompt, sampling=SamplingParams(max_tokens=40))
        end = await call.ended(60)
        assert end.finish_reason in (pb.FINISH_REASON_STOP, pb.FINISH_REASON_LENGTH)
        assert "Paris" in call.text
        assert (end.prompt_tokens, end.output_tokens) == (len(prompt), len(call.token_ids))
        assert 0 < end.ttft_us < end.duration_us
        assert gateway.num_messages <= end.output_tokens + 1


async def test_a_snapshot_tells_what_the_engine_is(worker: WorkerProcess, stub: WorkerServiceStub) -> None:
    snapshot = await snapshot_where(stub, lambda _: True)
    replica = snapshot.replicas[0]
    assert replica.engine.startswith("vllm ")
    assert replica.kv_capacity_tokens > 10_000
    assert replica.weights_bytes > 200_000_000
    assert replica.start_s > 1
    assert (CACHE / "start_times").is_dir()


async def test_calls_of_one_step_share_a_message(worker: WorkerProcess) -> None:
    async with gateway_side(worker.address) as gateway:
        sampling = SamplingParams(max_tokens=40, min_tokens=40, ignore_eos=True)
        calls = await gateway.start_many(["r/a", "r/b"], [5] * 20, sampling=sampling)
        ends = [await call.ended(60) for call in calls]
        assert gateway.num_messages < 60
        assert all(end.mean_batch > 1.5 for end in ends)


async def test_an_abort_ends_a_call_midway_and_frees_the_engine(worker: WorkerProcess, stub: WorkerServiceStub) -> None:
    async with gateway_side(worker.address) as gateway:
        call = await gateway.start("r/a", sampling=LONG)
        await call.first.wait()
        await gateway.abort("r/a")
        end = await call.ended(10)
        assert end.finish_reason == pb.FINISH_REASON_ABORTED
        assert 0 < end.output_tokens < 400
        await snapshot_where(stub, lambda s: not s.replicas[0].calls and s.replicas[0].num_running == 0)


async def test_a_stop_string_ends_the_text_before_it(worker: WorkerProcess, tokenizer: Tokenizer) -> None:
    prompt = tokenizer.encode("One, two, three, four, five,")
    async with gateway_side(worker.address) as gateway:
        call = await gateway.start("r/a", prompt, sampling=SamplingParams(max_tokens=60, stop=["eight"]))
        end = await call.ended(60)
        assert end.finish_reason == pb.FINISH_REASON_STOP
        assert "seven" in call.text
        assert "eight" not in call.text


async def test_output_follows_a_json_schema(worker: WorkerProcess, tokenizer: Tokenizer) -> None:
    schema = {
        "type": "object",
        "properties": {"verdict": {"enum": ["good", "weak"]}, "score": {"type": "integer", "minimum": 0, "maximum": 9}},
        "required": ["verdict", "score"],
        "additionalProperties": False,
    }
    prompt = tokenizer.encode_chat([("user", "Rate this text as JSON: The sea is blue.")])
    sampling = SamplingParams(max_tokens=60, json_schema=json.dumps(schema))
    async with gateway_side(worker.address) as gateway:
        call = await gateway.start("r/a", prompt, sampling=sampling)
        assert (await call.ended(60)).finish_reason == pb.FINISH_REASON_STOP
        assert json.loads(call.text)["verdict"] in ("good", "weak")


async def test_a_schema_that_is_none_is_invalid_and_leaves_the_engine_alive(worker: WorkerProcess) -> None:
    async with gateway_side(worker.address) as gateway:
        end = await (await gateway.start("r/a", sampling=SamplingParams(max_tokens=5, json_schema="{no json"))).ended()
        assert end.finish_reason == pb.FINISH_REASON_INVALID
        assert end.error.startswith("vLLM: ")
        assert (await (await gateway.start("r/b", sampling=SamplingParams(max_tokens=2))).ended()).output_tokens <= 2


async def test_a_seed_repeats_a_draw(worker: WorkerProcess, tokenizer: Tokenizer) -> None:
    prompt = tokenizer.encode("Once upon a time")
    texts = []
    async with gateway_side(worker.address) as gateway:
        for index, seed in enumerate((7, 7, 8)):
            sampling = SamplingParams(max_tokens=20, temperature=1.5, seed=seed)
            call = await gateway.start(f"r/{index}", prompt, sampling=sampling)
            await call.ended(60)
            texts.append(call.text)
    assert texts[0] == texts[1] != texts[2]


async def test_a_call_goes_on_behind_the_tokens_of_its_lost_attempt(
    worker: WorkerProcess, tokenizer: Tokenizer
) -> None:
    prompt = tokenizer.encode_chat([("user", "Count from one to twenty in words.")])
    async with gateway_side(worker.address) as gateway:
        whole = await gateway.start("r/a", prompt, sampling=SamplingParams(max_tokens=32, ignore_eos=True))
        await whole.ended(60)
        for done in (1, 9, 20):
            sampling = SamplingParams(max_tokens=32 - done, ignore_eos=True)
            replayed = [*prompt, *whole.token_ids[:done]]
            rest = await gateway.start(f"r/{done}", replayed, attempt=2, offset=done, sampling=sampling)
            await rest.ended(60)
            assert rest.offsets[0] == done
            assert whole.token_ids[:done] + rest.token_ids == whole.token_ids
            assert rest.text
            assert whole.text.endswith(rest.text)


async def test_the_call_with_the_earlier_latest_start_overtakes_in_the_queue(worker: WorkerProcess) -> None:
    async with gateway_side(worker.address) as gateway:
        running = await gateway.start_many(["r/a", "r/b"], sampling=LONG)
        await asyncio.gather(*(call.first.wait() for call in running))
        short = SamplingParams(max_tokens=4, min_tokens=4, ignore_eos=True)
        late = await gateway.start("r/late", sampling=short, latest_start_us=60_000_000)
        urgent = await gateway.start("r/urgent", sampling=short, latest_start_us=1_000_000)
        await gateway.abort("r/a")
        assert (await urgent.ended(60)).queue_us > 0
        assert not late.first.is_set()
        assert (await late.ended(60)).finish_reason == pb.FINISH_REASON_LENGTH
        await gateway.abort("r/b")


async def test_a_repeated_prompt_is_found_in_the_prefix_cache(worker: WorkerProcess, stub: WorkerServiceStub) -> None:
    prompt = [1000 + index % 700 for index in range(600)]
    async with gateway_side(worker.address) as gateway:
        ends = [
            await (await gateway.start(f"r/{i}", prompt, sampling=SamplingParams(max_tokens=2))).ended(60)
            for i in range(2)
        ]
        assert ends[0].cached_tokens == 0
        assert ends[1].cached_tokens == pytest.approx(512, abs=87)
        await snapshot_where(stub, lambda snapshot: snapshot.replicas[0].prefix_cache_hit_rate > 0)


async def test_the_engine_s_own_spans_join_the_trace_of_the_call(
    worker: WorkerProcess, collector: TraceCollector
) -> None:
    trace_id, parent = "ab" * 16, "cd" * 8
    async with gateway_side(worker.address) as gateway:
        sampling = SamplingParams(max_tokens=3)
        await (await gateway.start("r/a", sampling=sampling, traceparent=f"00-{trace_id}-{parent}-01")).ended(60)
    spans = await collector.wait_for(trace_id, Counter(["generate m", "llm_request"]), timeout_s=30)
    by_service = {service: (span.name, span.parent_span_id.hex()) for service, span in spans}
    assert by_service["catenary-worker"] == ("generate m", parent)
    assert by_service["vllm"][0] == "llm_request"


async def test_sigterm_finishes_running_calls_and_leaves_no_process(
    worker: WorkerProcess, stub: WorkerServiceStub
) -> None:
    processes = tree_of(worker)
    assert len(processes) >= 2
    async with gateway_side(worker.address) as gateway:
        call = await gateway.start("r/a", sampling=SamplingParams(max_tokens=60, min_tokens=60, ignore_eos=True))
        await call.first.wait()
        worker.terminate()
        assert (await call.ended(60)).output_tokens == 60
    assert await worker.ended(60) == 0
    await gone(processes)
