"""Connections are cut, stalled and slowed, engines end, and one gateway's and one router's clocks are off."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from drill import Drill
from faults import random_link_faults
from tcp_proxy import TcpProxy
from whole_cluster import write_config

from catenary.model.outcome import Outcome
from catenary.runtime.cluster import Cluster
from catenary.runtime.embedded import EmbeddedStore
from catenary.runtime.kept_service import KeepSettings
from catenary.runtime.ports import settle_addresses

NUM_FAULTS = int(os.environ.get("CATENARY_TEST_FAULTS", "9"))
GAP_S = float(os.environ.get("CATENARY_TEST_FAULT_GAP_S", "4"))
SEED = int(os.environ.get("CATENARY_TEST_SEED", "1"))
PROCESSES = ("gateway-0", "gateway-1", "router-0", "router-1", "w0", "w1", "w2")
MODELS = {"w0": "fast", "w1": "fast", "w2": "slow"}
TRIES_FOR_EVER = KeepSettings(backoff_s=0.1, max_backoff_s=1.0, max_failures=1_000)
SKEWED = str(Path(__file__).parents[1] / "support" / "skewed_clock")


@asynccontextmanager
async def proxied(folder: Path) -> AsyncIterator[tuple[dict[str, TcpProxy], dict[str, str]]]:
    """A proxy to each process and to a store of their own; the address behind each."""
    store = EmbeddedStore(folder / "store", 128)
    store.start()
    addresses = settle_addresses(dict.fromkeys(PROCESSES, "127.0.0.1:0"))
    targets = {**addresses, "store": store.url.removeprefix("unix://")}
    try:
        async with AsyncExitStack() as stack:
            yield (
                {name: await stack.enter_async_context(TcpProxy(target)) for name, target in targets.items()},
                addresses,
            )
    finally:
        store.stop()


@pytest.mark.drill
@pytest.mark.timeout(300 + 3 * NUM_FAULTS * GAP_S)
async def test_whatever_happens_to_connections_engines_and_clocks_each_admitted_run_ends_once(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    async with proxied(tmp_path) as (links, addresses):

        def behind(name: str) -> dict[str, str]:
            return {"address": addresses[name], "advertise": links[name].address}

        config = write_config(
            tmp_path,
            gateway=behind("gateway-0"),
            router=behind("router-0"),
            workers=[{"id": worker, "models": [model], **behind(worker)} for worker, model in MODELS.items()],
            store={"url": f"redis://{links['store'].address}", "data_dir": str(tmp_path / "unused")},
        )
        skew = {"SKEW_S": "0.5", "PYTHONPATH": f"{SKEWED}:{os.environ.get('PYTHONPATH', '')}"}
        extra = {
            kind: (addresses[f"{kind}-1"], {f"CATENARY_{kind.upper()}__ADVERTISE": links[f"{kind}-1"].address, **skew})
            for kind in ("gateway", "router")
        }
        faults = random_link_faults(rng, NUM_FAULTS, GAP_S, list(links))
        async with Cluster(config, settings=TRIES_FOR_EVER) as cluster:
            drill = Drill(cluster, config, TRIES_FOR_EVER, 0.2, rng, links, extra)
            report = await drill.run(faults, faults[-1].at_s + 8)
    for recovery in report.recoveries:
        print(recovery)
    met = sum(probe.met for probe in report.probes)
    print(len(report.histories), "runs:", dict(report.outcomes), "|", met, "of", len(report.probes), "probes in time")
    assert report.violations == []
    assert len(report.faults) == NUM_FAULTS
    assert report.outcomes[Outcome.SUCCEEDED] > len(report.histories) / 2
