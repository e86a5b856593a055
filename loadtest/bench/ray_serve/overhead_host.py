"""No-op calls on Ray Serve by handle, gRPC and HTTP; runs in Ray's own environment.

    python -m bench.ray_serve.overhead_host SPEC.json

Prints a JSON line at the beginning and the end of each measurement, and ends after the last.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import ray
from google.protobuf.wrappers_pb2 import StringValue

from bench.ray_serve.closed_loop import Timings, closed_loop
from bench.ray_serve.host import APPLICATION, begin, say
from bench.ray_serve.rpc import METHOD

WARM_UP_S = 0.5
TOKENS = 4
ARTICLE = " ".join(f"word{number}" for number in range(64))

Measure = Callable[[str, int, float], Awaitable[Timings]]


def request(calls: int) -> str:
    inputs = {"article": ARTICLE, "calls": calls, "tokens": TOKENS}
    return json.dumps({"workflow": "noop", "inputs": inputs, "deadline_s": 60.0})


async def run_all(spec: dict[str, Any], handle: Any) -> None:
    stub = grpc.aio.insecure_channel(f"127.0.0.1:{spec['grpc_port']}").unary_unary(
        METHOD, request_serializer=StringValue.SerializeToString, response_deserializer=StringValue.FromString
    )
    url = f"http://127.0.0.1:{spec['http_port']}/"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def post(text: str) -> None:
            async with session.post(url, data=text) as answer:
                answer.raise_for_status()
                await answer.read()

        async def call(text: str) -> None:
            await stub(StringValue(value=text), metadata=(("application", APPLICATION),))

        async def by_handle(text: str, clients: int, seconds: float) -> Timings:
            timings: Timings = await handle.closed_loop.remote(text, clients, seconds)
            return timings

        paths: dict[str, Measure] = {
            "handle": by_handle,
            "grpc": lambda text, clients, seconds: closed_loop(lambda: call(text), clients, seconds),
            "http": lambda text, clients, seconds: closed_loop(lambda: post(text), clients, seconds),
        }
        for job in spec["jobs"]:
            await paths[job["path"]](request(job["calls"]), job["clients"], WARM_UP_S)
            say({"begin": job})
            timings = await paths[job["path"]](request(job["calls"]), job["clients"], spec["seconds"])
            say({"end": job, **timings})


def main() -> None:
    spec = json.loads(Path(sys.argv[1]).read_text())
    handle = begin(spec)
    asyncio.run(run_all(spec, handle))
    say({"version": ray.__version__})
    ray.shutdown()


if __name__ == "__main__":
    main()
