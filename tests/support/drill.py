"""A fault drill: load through the real client, random faults, and the clients' histories."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from extra_service import kept_extra_service
from faults import Fault
from histories import History, violations
from probes import Probe, Prober
from recovery import Recovery, recoveries
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
    """Runs begin every ``interval_s``; the cluster has a second gateway and a standby router."""

    def __init__(
        self, cluster: Cluster, config: Path, keeping: KeepSettings, interval_s: float, rng: random.Random
    ) -> None:
        self._cluster = cluster
        self._keeping = keeping
        self._extra: dict[str, KeptService] = {}
        self._config = config
        self._interval_s = interval_s
        self._rng = rng
        self._report = Report()
        self._began = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, faults: Sequence[Fault], seconds: float) -> Report:
        async with AsyncExitStack() as stack:
            for kind in ("gateway", "router"):
                service = kept_extra_service(self._cluster, kind, f"{kind}-1", self._config, self._keeping)
                self._extra[kind] = await stack.enter_async_context(service)
            addresses = [self._cluster.addresses.gateway, self._extra["gateway"].address]
            client = await stack.enter_async_context(Client(addresses, reattach=PATIENT))
            self._began = time.monotonic()
            prober = Prober(self._cluster, client, self._began)
            sampling = asyncio.create_task(prober.sample())
            inflicting = asyncio.create_task(self._inflict(faults))
            await asyncio.gather(self._load(client, seconds), prober.probe(seconds))
            await inflicting
            sampling.cancel()
            async with asyncio.timeout(SETTLE_S):
                while self._tasks:
                    await asyncio.wait(self._tasks)
            self._report.probes = prober.probes
            self._report.recoveries = recoveries(self._report.faults, prober.probes, prober.samples)
            self._report.violations = violations(self._report.histories, await self._kept(client))
        return self._report

    async def _load(self, client: Client, seconds: float) -> None:
        number = 0
        while time.monotonic() - self._began < seconds:
            number += 1
            task = asyncio.create_task(self._one(client, f"drill-{number}"))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            await asyncio.sleep(self._rng.expovariate(1 / self._interval_s))

    async def _one(self, client: Client, run_id: str) -> None:
        history = History(run_id)
        self._report.histories.append(history)
        text = workflow(self._rng.choice(("fast", "fast", "fast", "slow")), self._rng.randint(5, 40))
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

    async def _inflict(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            await asyncio.sleep(max(0.0, self._began + fault.at_s - time.monotonic()))
            pid = await self._pid(fault.target)
            if not pid:
                continue
            self._report.faults.append(replace(fault, at_s=time.monotonic() - self._began, victim=str(pid)))
            if not fault.pause_s:
                os.kill(pid, signal.SIGKILL)
                continue
            os.kill(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(fault.pause_s)
            finally:
                os.kill(pid, signal.SIGCONT)

    async def _pid(self, target: str) -> int:
        """0 where it is just not there."""
        if target == "store":
            return self._cluster.store_pid
        if target in self._extra and self._rng.random() < 0.5:
            return self._extra[target].pid
        if target != "worker":
            return self._cluster.pids[target]
        plan = await self._cluster.plan()
        pids = [worker.pid for worker in plan.workers if worker.pid] if plan is not None else []
        return self._rng.choice(pids) if pids else 0

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
