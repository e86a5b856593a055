"""The same calls four ways: through Catenary, through ``vllm serve``, straight to a worker, and in this process."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from calls import one_call
from direct import DirectWorker

from catenary.client.request import resolve, submit_request
from catenary.runtime.rpc import channel
from catenary.v1 import gateway_service_pb2_grpc as rpc

TOKENS = 128


@dataclass(frozen=True, slots=True)
class Asked:
    """One call to send: ``at_s`` seconds after the round's begin, at Catenary under ``run_id`` where that is given."""

    text: str
    at_s: float = 0.0
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Timed:
    """One call; points of time.monotonic(). ``submit`` is when it was due, not when its process came to it: those
    before it keep the loop busy. By the gateway, seconds from the submission: when it was ready and had its first
    token."""

    submit: float
    first: float
    end: float
    tokens: int
    ready_s: float = 0.0
    gateway_first_s: float = 0.0


Call = Callable[[Asked, float], Awaitable[Timed]]
"""Sends one call and waits for its end; the second argument is the point of time at which it is due."""


async def together(call: Call, asked: Sequence[Asked]) -> list[Timed]:
    """All of them, each at its time."""
    began = time.monotonic()
    return list(await asyncio.gather(*(_at(call, one, began + one.at_s) for one in asked)))


async def steady(call: Call, asked: Sequence[Asked], lanes: int, seconds: float) -> list[Timed]:
    """``lanes`` calls under way for ``seconds``: the first ones at their times, then the next as soon as one ends.

    Raises RuntimeError where ``asked`` are too few.
    """
    began = time.monotonic()
    further = iter(asked[lanes:])
    found: list[Timed] = []

    async def lane(first: Asked) -> None:
        one, due = first, began + first.at_s
        while due < began + seconds:
            found.append(await _at(call, one, due))
            due = time.monotonic()
            try:
                one = next(further)
            except StopIteration:
                raise RuntimeError(f"{len(asked)} calls are too few for {seconds:g} s") from None

    await asyncio.gather(*(lane(first) for first in asked[:lanes]))
    return found


async def _at(call: Call, one: Asked, due: float) -> Timed:
    await asyncio.sleep(due - time.monotonic())
    return await call(one, due)


@contextlib.asynccontextmanager
async def through_catenary(addresses: Sequence[str], model: str, tokens: int) -> AsyncIterator[Call]:
    """The gateways take the calls in turn."""
    spec = resolve(one_call(model, tokens))
    async with contextlib.AsyncExitStack() as stack:
        stubs = []
        for address in addresses:
            connection = await stack.enter_async_context(channel(address))
            await connection.channel_ready()
            stubs.append(rpc.GatewayServiceStub(connection))
        turns = itertools.cycle(stubs)

        async def call(one: Asked, due: float) -> Timed:
            request = submit_request(spec, one.run_id, {"text": one.text}, {"tokens": True})
            return await _run(next(turns), request, due)

        yield call


async def _run(stub: Any, request: Any, due: float) -> Timed:
    first, tokens, ready_s, ttft_s = 0.0, 0, 0.0, 0.0
    async for response in stub.SubmitWorkflow(request):
        for event in response.events:
            if event.WhichOneof("event") == "call_tokens":
                first = first or time.monotonic()
                tokens += event.call_tokens.num_tokens
            elif event.WhichOneof("event") == "call_finished":
                ready_s, ttft_s = event.call_finished.call.start_s, event.call_finished.call.ttft_s
    return Timed(due, first, time.monotonic(), tokens, ready_s, ready_s + ttft_s)


@contextlib.asynccontextmanager
async def through_serve(addresses: Sequence[str], model: str, tokens: int) -> AsyncIterator[Call]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=300)) as session:

        async def call(one: Asked, due: float) -> Timed:
            body = {"model": model, "prompt": one.text, "max_tokens": tokens, "min_tokens": tokens, "ignore_eos": True,
                    "temperature": 0, "stream": True, "stream_options": {"include_usage": True}}  # fmt: skip
            first, seen = 0.0, 0
            async with session.post(f"http://{addresses[0]}/v1/completions", json=body) as response:
                response.raise_for_status()
                async for line in response.content:
                    if not line.startswith(b"data: {"):
                        continue
                    chunk = json.loads(line[6:])
                    if chunk["choices"]:
                        first = first or time.monotonic()
                    elif chunk.get("usage"):
                        seen = chunk["usage"]["completion_tokens"]
            return Timed(due, first, time.monotonic(), seen)

        yield call


async def through_worker(connection: Any, model: str, count: int) -> list[Timed]:
    """Straight to the worker, past gateway and router; token ids instead of texts, times as the worker has them."""
    async with DirectWorker(connection, model) as worker:
        served = await asyncio.gather(*(worker.serve(TOKENS, TOKENS) for _ in range(count)))
    return [
        Timed(one.submit, one.submit + one.ttft_s, one.submit + one.duration_s, one.output_tokens) for one in served
    ]


def in_process(llm: Any, tokens: int, times: dict[str, Any]) -> Call:
    """``times`` gets the engine's own times of each call by its run id (vLLM's RequestStateStats)."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    sampling = SamplingParams(
        max_tokens=tokens, min_tokens=tokens, ignore_eos=True, temperature=0, output_kind=RequestOutputKind.DELTA
    )
    numbers = itertools.count()

    async def call(one: Asked, due: float) -> Timed:
        first, seen = 0.0, 0
        async for output in llm.generate(one.text, sampling, f"{due}-{next(numbers)}"):
            first = first or time.monotonic()
            times.setdefault(one.run_id, output.metrics)
            seen += len(output.outputs[0].token_ids)
        return Timed(due, first, time.monotonic(), seen)

    return call
