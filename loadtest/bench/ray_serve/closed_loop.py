"""So many clients that each start the next request when the last one has ended."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import TypedDict


class Timings(TypedDict):
    """Requests that ended, how many a second, and their latency in milliseconds."""

    requests: int
    per_s: float
    p50_ms: float
    p99_ms: float


async def closed_loop(once: Callable[[], Awaitable[object]], clients: int, seconds: float) -> Timings:
    latencies: list[float] = []
    until = time.monotonic() + seconds

    async def client() -> None:
        while (began := time.monotonic()) < until:
            await once()
            latencies.append(time.monotonic() - began)

    began = time.monotonic()
    await asyncio.gather(*(client() for _ in range(clients)))
    took = time.monotonic() - began
    latencies.sort()
    return Timings(
        requests=len(latencies),
        per_s=len(latencies) / took,
        p50_ms=statistics.median(latencies) * 1e3,
        p99_ms=latencies[min(len(latencies) - 1, int(0.99 * len(latencies)))] * 1e3,
    )
