"""Small runs with a short deadline, begun at a steady pace: whether the cluster keeps its objectives just now."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from catenary.client import CatenaryError, Client
from catenary.runtime.cluster import Cluster
from catenary.v1.worker_service_pb2 import REPLICA_STATE_AWAKE

EVERY_S = 0.125
POLL_S = 0.1
DEADLINE_S = 2.0
GIVE_UP_S = 20.0
MODELS = ("fast", "slow")
SPEC = """
name: probe
slo: {deadline: DEADLINEs, on_miss: fail}
calls:
  only: {model: MODEL, prompt: ping, max_tokens: 2, ignore_eos: true}
output: "{{ only.text }}"
"""


@dataclass(frozen=True, slots=True)
class Probe:
    """``at_s`` of its submission since the drill began and ``ended_s`` of its client's answer; ``met``: the client had
    the output within the deadline."""

    at_s: float
    ended_s: float
    model: str
    met: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """Process ids of the workers whose replica of each model is awake; None: the provisioner did not answer."""

    at_s: float
    awake: dict[str, frozenset[int]] | None


class Prober:
    def __init__(self, cluster: Cluster, client: Client, began: float) -> None:
        self._cluster = cluster
        self._client = client
        self._began = began
        self._tasks: set[asyncio.Task[None]] = set()
        self.probes: list[Probe] = []
        self.samples: list[Sample] = []

    async def probe(self, seconds: float) -> None:
        """Submit each ``EVERY_S``, the models in turn, and wait for the last one."""
        number = 0
        while time.monotonic() - self._began < seconds:
            task = asyncio.create_task(self._one(number, MODELS[number % len(MODELS)]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            number += 1
            await asyncio.sleep(max(0.0, self._began + number * EVERY_S - time.monotonic()))
        await asyncio.gather(*self._tasks)

    async def sample(self) -> None:
        """Follow the plan until cancelled."""
        while True:
            plan = await self._cluster.plan()
            at_s = time.monotonic() - self._began
            if plan is None:
                self.samples.append(Sample(at_s, None))
            else:
                awake: dict[str, set[int]] = {model: set() for model in MODELS}
                for worker in plan.workers:
                    for replica in worker.snapshot.replicas if worker.phase == "ready" else ():
                        if replica.state == REPLICA_STATE_AWAKE:
                            awake[replica.model].add(worker.pid)
                self.samples.append(Sample(at_s, {model: frozenset(pids) for model, pids in awake.items()}))
            await asyncio.sleep(POLL_S)

    async def _one(self, number: int, model: str) -> None:
        began = time.monotonic()
        spec = SPEC.replace("MODEL", model).replace("DEADLINE", str(DEADLINE_S))
        met, why = False, ""
        try:
            async with asyncio.timeout(GIVE_UP_S):
                run = await self._client.run(spec, run_id=f"probe-{number}")
            met, why = run.succeeded and time.monotonic() - began <= DEADLINE_S, f"{run.outcome}: {run.reason}"
        except (CatenaryError, TimeoutError) as error:
            why = str(error) or "no answer"
        self.probes.append(Probe(began - self._began, time.monotonic() - self._began, model, met, "" if met else why))
