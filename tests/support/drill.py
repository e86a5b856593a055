"""A fault drill: load through the real client, random faults, and the clients' histories."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from extra_service import kept_extra_service
from faults import Fault
from histories import History, violations
from probes import Probe, Prober
from recovery import Recovery, recoveries
from saboteur import Saboteur
from tcp_proxy import TcpProxy
from tracked_runs import follow, workflow

from catenary.client import CatenaryError, Client, Reattach
from catenary.model.outcome import Outcome
from catenary.runtime.cluster import Cluster
from catenary.runtime.kept_service import KeepSettings, KeptService

PATIENT = Reattach(attempts=60)
SETTLE_S = 60.0


@dataclass(slots=True)
class Report:
    """``faults`` with the moments at which they were done."""

    histories: list[History] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)
    recoveries: list[Recovery] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(str(history.outcome or "NOT TOLD") for history in self.histories)


class Drill:
    """Runs begin every ``interval_s``; the cluster has a second gateway and a standby router.

    ``links`` are proxies between its services; those named "gateway-0" and "gateway-1" are what the client knows.
    ``extra`` has the address and the further environment variables of the second gateway and router, where they are
    settled.
    """

    def __init__(
        self,
        cluster: Cluster,
        config: Path,
        keeping: KeepSettings,
        interval_s: float,
        rng: random.Random,
        links: Mapping[str, TcpProxy] | None = None,
        extra: Mapping[str, tuple[str, Mapping[str, str]]] | None = None,
    ) -> None:
        self._cluster = cluster
        self._keeping = keeping
        self._links = links or {}
        self._settled = extra or {}
        self._config = config
        self._interval_s = interval_s
        self._rng = rng
        self._report = Report()
        self._began = 0.0
        self._num_crashes = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, faults: Sequence[Fault], seconds: float) -> Report:
        async with AsyncExitStack() as stack:
            extra: dict[str, KeptService] = {}
            for kind in ("gateway", "router"):
                address, more = self._settled.get(kind, ("127.0.0.1:0", {}))
                service = kept_extra_service(
                    self._cluster, kind, f"{kind}-1", self._config, self._keeping, address, more
                )
                extra[kind] = await stack.enter_async_context(service)
            addresses = [self._cluster.addresses.gateway, extra["gateway"].address]
            if self._links:
                addresses = [self._links[f"gateway-{number}"].address for number in range(2)]
            client = await stack.enter_async_context(Client(addresses, reattach=PATIENT))
            self._began = time.monotonic()
            prober = Prober(self._cluster, client, self._began)
            sampling = asyncio.create_task(prober.sample())
            saboteur = Saboteur(self._cluster, extra, self._links, lambda: self._crash_an_engine(client), self._rng)
            inflicting = asyncio.create_task(saboteur.inflict(faults, self._began))
            await asyncio.gather(self._load(client, seconds), prober.probe(seconds))
            await inflicting
            sampling.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=SETTLE_S)
            for task in self._tasks:
                task.cancel()
            self._report.violations = [self._unended(task.get_name()) for task in self._tasks]
            self._report.faults = saboteur.done
            self._report.probes = prober.probes
            self._report.recoveries = recoveries(self._report.faults, prober.probes, prober.samples)
            self._report.violations += violations(self._report.histories, await self._kept(client))
        return self._report

    def _unended(self, run_id: str) -> str:
        history = next(history for history in self._report.histories if history.run_id == run_id)
        last = history.events[-1] if history.events else "nothing"
        return f"{run_id}: not ended {SETTLE_S:g} s after the load; its client heard {last} last {history.error}"

    async def _load(self, client: Client, seconds: float) -> None:
        number = 0
        while time.monotonic() - self._began < seconds:
            number += 1
            text = workflow(self._rng.choice(("fast", "fast", "fast", "slow")), self._rng.randint(5, 40))
            self._begin(client, f"drill-{number}", text)
            await asyncio.sleep(self._rng.expovariate(1 / self._interval_s))

    def _crash_an_engine(self, client: Client) -> None:
        self._num_crashes += 1
        text = workflow(self._rng.choice(("fast", "slow")), 20).replace("say something", '"#crash=5 say something"')
        self._begin(client, f"crash-{self._num_crashes}", text)

    def _begin(self, client: Client, run_id: str, text: str) -> None:
        task = asyncio.create_task(self._one(client, run_id, text), name=run_id)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _one(self, client: Client, run_id: str, text: str) -> None:
        history = History(run_id)
        self._report.histories.append(history)
        for _ in range(3):
            try:
                handle = await client.submit(text, run_id=run_id, tokens=True)
                break
            except CatenaryError as error:
                history.error = str(error)
                await asyncio.sleep(0.2)
        else:
            return
        history.error = ""
        await follow(handle, history)

    async def _kept(self, client: Client) -> dict[str, Outcome | None]:
        kept: dict[str, Outcome | None] = {}
        for history in self._report.histories:
            try:
                kept[history.run_id] = await self._ended(client, history.run_id)
            except CatenaryError as error:
                if error.reason != "UNKNOWN_RUN":
                    raise
        return kept

    async def _ended(self, client: Client, run_id: str) -> Outcome | None:
        """A run that its client was never told of may still be waiting for it."""
        for _ in range(40):
            outcome = (await client.get(run_id)).outcome
            if outcome is not None:
                return outcome
            await asyncio.sleep(0.25)
        return None
