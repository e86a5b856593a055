"""The same calls four ways: through Catenary, through ``vllm serve``, straight to a worker, and in this process."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

import aiohttp
from calls import one_call
from direct import DirectWorker

from catenary.client.request import Spec, resolve, submit_request
from catenary.runtime.rpc import channel
from catenary.v1 import gateway_service_pb2_grpc as rpc

TOKENS = 128
BACKLOG, BACKLOG_TOKENS, BACKLOG_S = 12, 64, 4.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One call to send: ``at_s`` seconds after the round's begin, at Catenary under ``run_id`` where that is given."""

    text: str
    at_s: float = 0.0
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Timed:
    """One call; points of time.monotonic(). By the gateway, seconds from the submission: when it was ready and had its
    first token."""

    submit: float
    first: float
    end: float
    tokens: int
    ready_s: float = 0.0
    gateway_first_s: float = 0.0


async def through_catenary(address: str, model: str, asked: list[Asked], go: Awaitable[None]) -> list[Timed]:
    spec = resolve(one_call(model, TOKENS))
    async with channel(address) as connection:
        stub = rpc.GatewayServiceStub(connection)
        await connection.channel_ready()
        await go
        return list(await asyncio.gather(*(_run(stub, spec, one) for one in asked)))


async def keep_backlog(address: str, model: str, asked: list[Asked], go: Awaitable[None]) -> list[Timed]:
    """``BACKLOG`` short calls under way for ``BACKLOG_S`` seconds; ``asked`` are texts to take for them."""
    spec = resolve(one_call(model, BACKLOG_TOKENS))
    found: list[Timed] = []
    texts = iter(asked)
    async with channel(address) as connection:
        stub = rpc.GatewayServiceStub(connection)
        await connection.channel_ready()
        await go
        until = time.monotonic() + BACKLOG_S

        async def loop() -> None:
            while time.monotonic() < until:
                found.append(await _run(stub, spec, next(texts)))

        await asyncio.gather(*(loop() for _ in range(BACKLOG)))
    return found


async def _run(stub: Any, spec: Spec, one: Asked) -> Timed:
    request = submit_request(spec, one.run_id, {"text": one.text}, {"tokens": True})
    await asyncio.sleep(one.at_s)
    submit, first, tokens, ready_s, ttft_s = time.monotonic(), 0.0, 0, 0.0, 0.0
    async for response in stub.SubmitWorkflow(request):
        for event in response.events:
            if event.WhichOneof("event") == "call_tokens":
                first = first or time.monotonic()
                tokens += event.call_tokens.num_tokens
            elif event.WhichOneof("event") == "call_finished":
                ready_s, ttft_s = event.call_finished.call.start_s, event.call_finished.call.ttft_s
    return Timed(submit, first, time.monotonic(), tokens, ready_s, ready_s + ttft_s)


async def through_serve(address: str, model: str, asked: list[Asked], go: Awaitable[None]) -> list[Timed]:
    async def call(session: aiohttp.ClientSession, one: Asked) -> Timed:
        body = {"model": model, "prompt": one.text, "max_tokens": TOKENS, "min_tokens": TOKENS, "ignore_eos": True,
                "temperature": 0, "stream": True, "stream_options": {"include_usage": True}}  # fmt: skip
        await asyncio.sleep(one.at_s)
        submit, first, tokens = time.monotonic(), 0.0, 0
        async with session.post(f"http://{address}/v1/completions", json=body) as response:
            response.raise_for_status()
            async for line in response.content:
                if not line.startswith(b"data: {"):
                    continue
                chunk = json.loads(line[6:])
                if chunk["choices"]:
                    first = first or time.monotonic()
                elif chunk.get("usage"):
                    tokens = chunk["usage"]["completion_tokens"]
        return Timed(submit, first, time.monotonic(), tokens)

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=300)) as session:
        await go
        return list(await asyncio.gather(*(call(session, one) for one in asked)))


async def through_worker(connection: Any, model: str, count: int) -> list[Timed]:
    """Straight to the worker, past gateway and router; token ids instead of texts, times as the worker has them."""
    async with DirectWorker(connection, model) as worker:
        served = await asyncio.gather(*(worker.serve(TOKENS, TOKENS) for _ in range(count)))
    return [
        Timed(one.submit, one.submit + one.ttft_s, one.submit + one.duration_s, one.output_tokens) for one in served
    ]


async def in_process(llm: Any, asked: list[Asked]) -> list[Timed]:
    return [timed for timed, _ in await in_process_marked(llm, asked)]


async def in_process_marked(llm: Any, asked: list[Asked]) -> list[tuple[Timed, Any]]:
    """With the engine's own times of each call (vLLM's RequestStateStats).

    A call counts from when it was due, not from when this process came to it: those before it keep its loop busy.
    """
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    sampling = SamplingParams(
        max_tokens=TOKENS, min_tokens=TOKENS, ignore_eos=True, temperature=0, output_kind=RequestOutputKind.DELTA
    )

    async def call(number: int, one: Asked) -> tuple[Timed, Any]:
        await asyncio.sleep(one.at_s)
        submit, first, tokens, times = began + one.at_s, 0.0, 0, None
        async for output in llm.generate(one.text, sampling, f"{began}-{number}"):
            first = first or time.monotonic()
            times = times or output.metrics
            tokens += len(output.outputs[0].token_ids)
        return Timed(submit, first, time.monotonic(), tokens), times

    began = time.monotonic()
    return list(await asyncio.gather(*(call(number, one) for number, one in enumerate(asked))))
