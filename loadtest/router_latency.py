"""Time from a call's offer to its assignment, over the router's real stream, at a fixed mean rate of calls.

    python loadtest/router_latency.py [--rate 500] [--seconds 10] [--seed 1]

Starts the cluster of config/noop.yaml and speaks to its router as one more gateway: Poisson arrivals, each call
released as soon as it is assigned. Latency counts from the intended arrival, both hops of the stream included; what the
decisions themselves take is read from the router's metrics, as the least bounds of its histogram.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

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


def scrape(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return str(answer.read().decode())


def decision_bound_s(metrics: str, share: float) -> float:
    """The least bound of the histogram that at least ``share`` of the decisions keep; inf beyond its last."""
    samples = [
        (float(sample.labels["le"]), sample.value)
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.name == "catenary_router_decision_seconds_bucket"
    ]
    total = max(count for _, count in samples)
    return min(bound for bound, count in samples if count >= share * total)


async def run(args: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="catenary-router-latency-") as folder:
        os.environ["CATENARY_STORE__DATA_DIR"] = f"{folder}/store"
        os.environ["CATENARY_TELEMETRY__LOG_LEVEL"] = "warning"
        os.environ["CATENARY_ROUTER__METRICS_PORT"] = str(args.metrics_port)
        async with Cluster(CONFIG) as cluster:
            latencies, left = await measure(cluster.addresses.router, args.rate, args.seconds, args.seed)
            scraped = await asyncio.to_thread(scrape, args.metrics_port)
    shares = {f"p{share * 100:g}": latencies[int(share * (len(latencies) - 1))] for share in (0.5, 0.9, 0.99)}
    told = ", ".join(f"{name} {value * 1e3:.2f} ms" for name, value in shares.items())
    print(f"{len(latencies)} calls assigned at {args.rate:g}/s, {left} not: {told}")
    bounds = {f"p{share * 100:g}": decision_bound_s(scraped, share) for share in (0.5, 0.9, 0.99)}
    print("the decision alone: " + ", ".join(f"{name} at most {value * 1e3:g} ms" for name, value in bounds.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--metrics-port", type=int, default=9_461)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
