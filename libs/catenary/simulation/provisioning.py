"""The provisioner's core on the virtual clock: what it hears of workers, gateways and router, and what it has done."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from catenary.core.provisioner import ProvisionerCore, ProvisionerSettings
from catenary.core.provisioner.allocator import Allocator
from catenary.core.provisioner.events import (
    DemandArrived,
    PrefetchEnded,
    PrefetchWeights,
    ProvisionerEvent,
    SleepReplica,
    SnapshotArrived,
    StepEnded,
    Tick,
    WakeReplica,
    WorkerServing,
)
from catenary.core.provisioner.outlook import Outlook
from catenary.model.plan import WantedWorker
from catenary.model.profile import EngineProfile
from catenary.model.worker import Worker
from catenary.policy.provisioning import PLANNERS
from catenary.simulation.gateway import SimGateway
from catenary.simulation.network import Network
from catenary.simulation.scenario import Scenario
from catenary.simulation.worker import SimWorker

DEMAND_INTERVAL_S = 0.25
TICK_S = 0.05
FOREVER_S = 1e12


class SimProvisioner:
    def __init__(
        self,
        scenario: Scenario,
        profiles: Mapping[str, EngineProfile],
        network: Network,
        gateways: Mapping[str, SimGateway],
        workers: Mapping[str, SimWorker],
    ) -> None:
        section = scenario.provisioner
        outlook = Outlook(dict(profiles), section.bounds())
        allocator = Allocator(PLANNERS[section.policy], section.settings(), outlook)
        settings = ProvisionerSettings(
            external=True,
            unresponsive_s=FOREVER_S,
            policy=section.policy,
            plan_interval_s=section.interval_s,
        )
        wanted = [WantedWorker(name, tuple(worker.replicas)) for name, worker in workers.items()]
        self.core = ProvisionerCore(wanted, settings, 0.0, allocator)
        self.allocator = allocator
        self._network = network
        self._heap = network.heap
        self._gateways = gateways
        self._workers = workers
        self._command_ids = itertools.count(1)

    def start(self) -> None:
        for worker in self._workers.values():
            self._handle(WorkerServing(worker.worker_id, 0, worker.address))
            self._handle(SnapshotArrived(0, worker.snapshot()))
        self._collect()
        self._tick()

    def snapshot(self, worker: Worker) -> None:
        """A worker's snapshot is on its way here."""
        at = self._network.arrival(f"{worker.worker_id}>provisioner", self._network.snapshot_s())
        self._heap.at(at, self._handle, SnapshotArrived(0, worker))

    def _collect(self) -> None:
        for name, gateway in self._gateways.items():
            report = gateway.core.demand(1, gateway.now)
            self._heap.at(
                self._network.arrival(f"{name}>provisioner", self._network.hop_s()), self._handle, DemandArrived(report)
            )
        self._heap.after(DEMAND_INTERVAL_S, self._collect)

    def _tick(self) -> None:
        self._handle(Tick())
        self._heap.after(TICK_S, self._tick)

    def _handle(self, event: ProvisionerEvent) -> None:
        for action in self.core.handle(event, self._heap.now):
            if isinstance(action, PrefetchWeights):
                at = self._network.arrival(f"provisioner>{action.worker_id}", self._network.hop_s())
                self._heap.at(at, self._prefetch, action)
            elif isinstance(action, SleepReplica | WakeReplica):
                at = self._network.arrival(f"provisioner>{action.worker_id}", self._network.hop_s())
                self._heap.at(at, self._command, action)

    def _command(self, action: SleepReplica | WakeReplica) -> None:
        worker, command_id = self._workers[action.worker_id], next(self._command_ids)

        def done(error: str) -> None:
            at = self._network.arrival(f"{action.worker_id}>provisioner", self._network.hop_s())
            self._heap.at(at, self._handle, SnapshotArrived(0, worker.snapshot()))
            self._heap.at(at, self._handle, StepEnded(action.worker_id, error))

        if isinstance(action, SleepReplica):
            worker.sleep(action.model, action.generation, action.mode, command_id, done)
        else:
            worker.wake(action.model, action.generation, command_id, done)

    def _prefetch(self, action: PrefetchWeights) -> None:
        worker = self._workers[action.worker_id]
        profile = worker.replicas[action.model].profile

        def done() -> None:
            at = self._network.arrival(f"{action.worker_id}>provisioner", self._network.hop_s())
            ended = PrefetchEnded(action.worker_id, action.model, profile.weights_bytes, profile.prefetch_s)
            self._heap.at(at, self._handle, ended)

        worker.prefetch(action.model, done)
