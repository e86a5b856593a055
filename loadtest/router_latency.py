"""Time from a call's offer to its assignment, over the router's real stream, at a fixed mean rate of calls.

    python loadtest/router_latency.py [--rate 500] [--seconds 10] [--seed 1]

Starts the cluster of config/noop.yaml and speaks to its router as one more gateway: Poisson arrivals, each call
released as soon as it is assigned. Latency counts from the intended arrival, both hops of the stream included.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from catenary.runtime.cluster import Cluster
from catenary.runtime.outbox import Outbox
from catenary.runtime.rpc import channel
from catenary.v1 import dispatch_pb2 as pb
from catenary.v1.router_service_pb2_grpc import RouterServiceStub

CONFIG = Path(__file__).parent.parent / "config" / "noop.yaml"
DRAIN_S = 1.0

Item = pb.CallOffer | pb.CallRelease


def offer(number: int) -> pb.CallOffer:
    output = pb.LengthEstimate(q10_tokens=2, q50_tokens=4, q90_tokens=8, mean_tokens=4.0)
    return pb.CallOffer(
        call_id=f"latency-{number}/call",
        attempt=1,
        model="noop",
        tenant="default",
        workflow="latency",
        prompt_tokens=75,
        max_tokens=8,
        output=output,
        latest_finish_us=10_000_000,
        lost_finish_us=10_000_000,
        deadline_us=10_000_000,
        has_deadline=True,
    )


async def requests(outbox: Outbox[Item]) -> AsyncIterator[pb.DispatchCallsRequest]:
    yield pb.DispatchCallsRequest(gateway_id="router-latency")
    async for items in outbox:
        offers = [item for item in items if isinstance(item, pb.CallOffer)]
        releases = [item for item in items if isinstance(item, pb.CallRelease)]
        yield pb.DispatchCallsRequest(offers=offers, releases=releases)


async def arrive(outbox: Outbox[Item], intended: dict[str, float], rate: float, seconds: float, seed: int) -> None:
    gaps = random.Random(seed)
    at = time.monotonic()
    end_at, number = at + seconds, 0
    while (at := at + gaps.expovariate(rate)) < end_at:
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        message = offer(number)
        number += 1
        intended[message.call_id] = at
        outbox.put(message)
    await asyncio.sleep(DRAIN_S)
    outbox.close()


async def measure(address: str, rate: float, seconds: float, seed: int) -> tuple[list[float], int]:
    """Latencies in seconds, and the number of calls that got no place."""
    outbox: Outbox[Item] = Outbox(100_000)
    intended: dict[str, float] = {}
    latencies: list[float] = []
    async with channel(address) as connection:
        arrivals = asyncio.create_task(arrive(outbox, intended, rate, seconds, seed))
        async for response in RouterServiceStub(connection).DispatchCalls(requests(outbox)):
            for assigned in response.assignments:
                latencies.append(time.monotonic() - intended.pop(assigned.call_id))
                outbox.put(pb.CallRelease(call_id=assigned.call_id, attempt=1, output_tokens=4))
            if arrivals.done():
                break
        await arrivals
    return sorted(latencies), len(intended)


async def run(args: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="catenary-router-latency-") as folder:
        os.environ["CATENARY_STORE__DATA_DIR"] = f"{folder}/store"
        os.environ["CATENARY_TELEMETRY__LOG_LEVEL"] = "warning"
        async with Cluster(CONFIG) as cluster:
            latencies, left = await measure(cluster.addresses.router, args.rate, args.seconds, args.seed)
    shares = {f"p{share * 100:g}": latencies[int(share * (len(latencies) - 1))] for share in (0.5, 0.9, 0.99)}
    told = ", ".join(f"{name} {value * 1e3:.2f} ms" for name, value in shares.items())
    print(f"{len(latencies)} calls assigned at {args.rate:g}/s, {left} not: {told}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
