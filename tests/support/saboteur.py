"""Does the faults of a drill at their moments."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from faults import Fault
from tcp_proxy import TcpProxy

from catenary.runtime.cluster import Cluster
from catenary.runtime.kept_service import KeptService

DELAY_S = 0.1
PATIENCE_S = 5.0


class Saboteur:
    """``extra``: second instances by service. ``links``: proxies by name. ``crash`` has an engine end."""

    def __init__(
        self,
        cluster: Cluster,
        extra: Mapping[str, KeptService],
        links: Mapping[str, TcpProxy],
        crash: Callable[[], None],
        rng: random.Random,
    ) -> None:
        self._cluster = cluster
        self._extra = extra
        self._links = links
        self._crash = crash
        self._rng = rng
        self.done: list[Fault] = []

    async def inflict(self, faults: Sequence[Fault], began: float) -> None:
        for fault in faults:
            await asyncio.sleep(max(0.0, began + fault.at_s - time.monotonic()))
            victim = await self._victim(fault)
            if victim:
                self.done.append(replace(fault, at_s=time.monotonic() - began, victim=victim))
                await self._do(fault, victim)

    async def _victim(self, fault: Fault) -> str:
        """Empty where it does not come back in a while."""
        if fault.target in self._links or fault.kind == "crash":
            return fault.target
        give_up_at = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up_at:
            pid = await self._pid(fault.target)
            if pid:
                return str(pid)
            await asyncio.sleep(0.1)
        return ""

    async def _do(self, fault: Fault, victim: str) -> None:
        match fault.kind:
            case "kill":
                os.kill(int(victim), signal.SIGKILL)
            case "pause":
                await self._pause(int(victim), fault.for_s)
            case "cut":
                await self._links[victim].cut(fault.for_s)
            case "stall":
                await self._links[victim].stall(fault.for_s)
            case "slow":
                await self._links[victim].slow(fault.for_s, DELAY_S)
            case "crash":
                self._crash()
            case _:
                raise ValueError(f"kind: {fault.kind!r} is none of a fault")

    async def _pause(self, pid: int, seconds: float) -> None:
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
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
