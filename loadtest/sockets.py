"""A cluster whose services meet at Unix sockets beside one whose services meet by loopback TCP, in slices in turn.

    python loadtest/sockets.py [--slices 6] [--seconds 1.5] [--clients 1 64]

Both run at once from config/noop.yaml, on engines that take no time; the client of loadtest/overhead.py comes to each
by TCP. Prints medians over the slices, and the median ratio of the two slices of each round, of which every other
begins with TCP. See docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from catenary.runtime.cluster import Cluster
from catenary.runtime.local_sockets import MAX_PATH_BYTES
from overhead import CONFIG, WARM_UP_S, chain, drive

SOCKETS, TCP = "sockets", "tcp"


class Slice(NamedTuple):
    p50_ms: float
    per_s: float
    cpu_ms_per_run: float


@asynccontextmanager
async def cluster_of(kind: str, folder: Path) -> AsyncIterator[Cluster]:
    """Where the temporary directory's name is too long for a socket's, services have none."""
    temporary = folder / ("t" if kind == SOCKETS else "t" * MAX_PATH_BYTES)
    temporary.mkdir(parents=True)
    os.environ["CATENARY_STORE__DATA_DIR"] = str(folder / "store")
    os.environ["CATENARY_TELEMETRY__LOG_LEVEL"] = "warning"
    os.environ["TMPDIR"] = str(temporary)
    async with Cluster(CONFIG) as cluster:
        await cluster.wait_ready(30.0)
        found = len(list(temporary.glob("catenary-rpc-*/*.sock")))
        if (found > 0) is not (kind == SOCKETS):
            raise SystemExit(f"{kind}: {found} sockets in {temporary}")
        yield cluster


def cpu_s(cluster: Cluster) -> float:
    times = [process.cpu_times() for process in cluster.scope.processes()]
    return sum(time.user + time.system for time in times)


async def measure(cluster: Cluster, clients: int, seconds: float) -> Slice:
    before = cpu_s(cluster)
    tally = await drive(cluster.addresses.gateways, clients, chain(3), seconds)
    num_runs = len(tally.latencies)
    if tally.failures:
        raise SystemExit(f"{tally.failures} of {num_runs} runs did not succeed")
    spent_ms = (cpu_s(cluster) - before) * 1e3
    return Slice(statistics.median(tally.latencies) * 1e3, num_runs / seconds, spent_ms / num_runs)


async def rounds(clusters: Mapping[str, Cluster], clients: int, args: argparse.Namespace) -> dict[str, list[Slice]]:
    found: dict[str, list[Slice]] = {kind: [] for kind in clusters}
    for cluster in clusters.values():
        await drive(cluster.addresses.gateways, clients, chain(3), WARM_UP_S)
    for number in range(args.slices):
        for kind in sorted(clusters, reverse=bool(number % 2)):
            found[kind].append(await measure(clusters[kind], clients, args.seconds))
    return found


def line(found: Mapping[str, list[Slice]], figure: Callable[[Slice], float]) -> str:
    by_kind = {kind: [figure(slice) for slice in slices] for kind, slices in found.items()}
    ratios = [sockets / tcp for sockets, tcp in zip(by_kind[SOCKETS], by_kind[TCP], strict=True)]
    medians = " ".join(f"{statistics.median(by_kind[kind]):>9.2f}" for kind in (TCP, SOCKETS))
    return f"{medians} {statistics.median(ratios):>9.3f}   {min(ratios):.3f} to {max(ratios):.3f}"


async def run(args: argparse.Namespace) -> None:
    tempfile.gettempdir()  # this process keeps its own
    with tempfile.TemporaryDirectory(prefix="catenary-sockets-") as folder:
        async with cluster_of(SOCKETS, Path(folder, "a")) as sockets, cluster_of(TCP, Path(folder, "b")) as tcp:
            for clients in args.clients:
                found = await rounds({SOCKETS: sockets, TCP: tcp}, clients, args)
                print(f"{clients} clients {'':10}{TCP:>9} {SOCKETS:>9} {'ratio':>9}")
                for name in Slice._fields:
                    print(f"  {name:<18}{line(found, lambda slice, name=name: getattr(slice, name))}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 64])
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
