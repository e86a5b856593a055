"""Gateways, one router and workers on one virtual clock."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from catenary.core.gateway.core import GatewayCore
from catenary.core.gateway.events import (
    Abort,
    BacklogHeard,
    CallAssigned,
    CallRejected,
    GatewayEvent,
    Offer,
    PoolsReported,
    Release,
    ReportCall,
    RunSubmitted,
    Start,
    Withdraw,
    WorkerGone,
)
from catenary.core.gateway.settings import GatewaySettings, ModelInfo
from catenary.core.router import (
    Assign,
    Offered,
    Reject,
    Released,
    RouterCore,
    RouterEvent,
    RouterSettings,
    SnapshotArrived,
    Tick,
    Withdrawn,
    WorkerLost,
)
from catenary.model.compiled import CompiledWorkflow
from catenary.model.dispatch import QueuedCall
from catenary.model.profile import EngineProfile
from catenary.model.run import Run, RunEvent, RunRefused
from catenary.model.worker import ReplicaState
from catenary.simulation.engine import EngineModel
from catenary.simulation.faults import SlowStart, WorkerCrash, WorkerDrain
from catenary.simulation.gateway import SimGateway
from catenary.simulation.heap import EventHeap
from catenary.simulation.job import Job
from catenary.simulation.network import Network
from catenary.simulation.provisioning import SimProvisioner
from catenary.simulation.replica import SimReplica
from catenary.simulation.scenario import Scenario
from catenary.simulation.watcher import Watcher
from catenary.simulation.worker import SimWorker

ROUTER = "router"
ROUTER_EPOCH = 1
ROUTER_TICK_S = 0.02


@dataclass(frozen=True, slots=True)
class SubmittedRun:
    """``workflow`` None: the cluster's."""

    job: Job
    deadline_s: float | None
    workflow: CompiledWorkflow | None = None


@dataclass(slots=True)
class Ends:
    """How the runs ended; each run is in one of the two."""

    runs: dict[str, Run] = field(default_factory=dict)
    refusals: dict[str, RunRefused] = field(default_factory=dict)
    reports: list[ReportCall] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.runs) + len(self.refusals)


class Cluster:
    """``run`` goes on until every submitted run has ended. ``watcher`` is told of every event."""

    def __init__(
        self,
        scenario: Scenario,
        workflow: CompiledWorkflow | None,
        submitted: Sequence[SubmittedRun],
        watcher: Watcher | None = None,
    ) -> None:
        self.heap = EventHeap()
        self.network = Network(self.heap, scenario.delays, scenario.faults)
        self.ends = Ends()
        self.submitted = submitted
        self._scenario = scenario
        self.workflows = {run.job.run_id: found for run in submitted if (found := run.workflow or workflow)}
        self._watcher = watcher
        truth = true_profiles(scenario)
        believed = {
            name: replace(profile, correction=scenario.models[name].believed_factor) for name, profile in truth.items()
        }
        self.router = RouterCore(_router_settings(scenario), believed)
        self.gateways = self._make_gateways(believed)
        self.workers = self._make_workers(truth)
        self._router_offset_s = self.network.offset_s(ROUTER)
        self.provisioner = self._make_provisioner(believed)

    def run(self) -> Ends:
        """The collector of cycles rests meanwhile: a run leaves a handful of objects to it."""
        collects = gc.isenabled()
        gc.disable()
        try:
            return self._run()
        finally:
            if collects:
                gc.enable()

    def _run(self) -> Ends:
        self._plan_faults()
        self._introduce()
        for number, run in enumerate(self.submitted):
            gateway = list(self.gateways.values())[number % len(self.gateways)]
            job = run.job
            event = RunSubmitted(job.run_id, self.workflows[job.run_id], job.inputs, run.deadline_s, job.tenant)
            self.heap.at(run.job.arrival_s, gateway.handle, event)
        for worker in self.workers.values():
            self._snapshot(worker)
        self._report_pools()
        if len(self.gateways) > 1:
            self._publish_backlogs()
        self._tick_router()
        if self.provisioner is not None:
            self.provisioner.start()
        step, runs, refusals, total = self._step, self.ends.runs, self.ends.refusals, len(self.submitted)
        while len(runs) + len(refusals) < total and step():
            pass
        return self.ends

    def go_on(self, seconds: float) -> None:
        """What is under way comes to its end."""
        until_s = self.heap.now + seconds
        while self.heap.now < until_s and self._step():
            pass

    def _step(self) -> bool:
        if not self.heap.step():
            return False
        if self._watcher is not None:
            self._watcher.stepped(self)
        return True

    def _make_provisioner(self, believed: Mapping[str, EngineProfile]) -> SimProvisioner | None:
        if not self._scenario.accelerators:
            return None
        for worker in self.workers.values():
            worker.on_change = self._send_snapshot
        return SimProvisioner(
            self._scenario,
            believed,
            self.network,
            self.gateways,
            self.workers,
        )

    def _make_gateways(self, profiles: Mapping[str, EngineProfile]) -> dict[str, SimGateway]:
        models = {
            name: ModelInfo(name, default_output_tokens=section.default_output_tokens)
            for name, section in self._scenario.models.items()
        }
        gateways = {}
        for number in range(self._scenario.gateways):
            name = f"gateway-{number}"
            settings = GatewaySettings(**{**self._scenario.gateway, "gateway_id": name})
            gateways[name] = SimGateway(name, GatewayCore(settings, models, profiles), self.network, self)
        return gateways

    def _make_workers(self, profiles: Mapping[str, EngineProfile]) -> dict[str, SimWorker]:
        """Shared accelerators have all models, the one that begins awake first."""
        jobs = {run.job.run_id: run.job for run in self.submitted}
        scenario, workers = self._scenario, {}
        awake = [(f"{model}-{i}", model) for model, count in scenario.replicas.items() for i in range(count)]
        spare = [(f"spare-{i}", "") for i in range(scenario.accelerators - len(awake))]
        for name, first in awake + spare:
            others = [model for model in scenario.models if model != first] if scenario.accelerators else []
            replicas = [
                SimReplica(model, profiles[model], scenario.models[model].lookahead, EngineModel(profiles[model]))
                for model in ([first] if first else []) + others
            ]
            offset_s = self.network.offset_s(name)
            workers[name] = SimWorker(
                name, replicas, self.heap, jobs, self._to_gateway(name), offset_s, asleep=not first
            )
        return workers

    # -- messages

    def to_router(self, gateway_id: str, message: Offer | Withdraw | Release) -> None:
        event: RouterEvent
        if isinstance(message, Offer):
            event = Offered(self._anchored(message, self._router_offset_s - self.network.offset_s(gateway_id)))
        elif isinstance(message, Release):
            event = Released(message.call_id, message.attempt, message.output_tokens)
        else:
            event = Withdrawn(message.call_id, message.attempt)
        self.heap.at(self.network.arrival(f"{gateway_id}>router", self.network.hop_s()), self._route, event)

    def _route(self, event: RouterEvent) -> None:
        for action in self.router.handle(event, self.heap.now + self._router_offset_s):
            if self._watcher is not None and isinstance(action, Assign):
                self._watcher.assigned(action, self)
            gateway_id = action.call.gateway_id
            at = self.network.arrival(f"router>{gateway_id}", self.network.hop_s())
            self.heap.at(at, self.gateways[gateway_id].handle, self._answer(action))

    def _answer(self, action: Assign | Reject) -> GatewayEvent:
        call = action.call
        if isinstance(action, Reject):
            return CallRejected(call.call_id, call.attempt, action.outcome, action.reason)
        shift_s = self.network.offset_s(call.gateway_id) - self._router_offset_s
        return CallAssigned(
            call.call_id,
            call.attempt,
            action.worker_id,
            action.worker_address,
            action.latest_start + shift_s,
            ROUTER_EPOCH,
            action.reason,
        )

    @staticmethod
    def _anchored(message: Offer, shift_s: float) -> QueuedCall:
        call = message.call
        if not shift_s:
            return call
        return replace(
            call,
            ready_at=call.ready_at + shift_s,
            latest_finish=call.latest_finish + shift_s,
            lost_finish=call.lost_finish + shift_s,
            deadline=call.deadline + shift_s,
        )

    def to_worker(self, gateway_id: str, message: Start | Abort) -> None:
        worker = self.workers[message.worker_id]
        at = self.network.arrival(f"{gateway_id}>{message.worker_id}", self.network.hop_s())
        if isinstance(message, Start):
            self.heap.at(at, worker.start, gateway_id, message)
        else:
            self.heap.at(at, worker.abort, message)

    def _to_gateway(self, worker_id: str) -> Callable[[str, Sequence[GatewayEvent]], None]:
        def send(gateway_id: str, events: Sequence[GatewayEvent]) -> None:
            at = self.network.arrival(f"{worker_id}>{gateway_id}", self.network.hop_s())
            self.heap.at(at, self.gateways[gateway_id].handle_all, events)

        return send

    def published(self, event: RunEvent) -> None:
        if self._watcher is not None:
            self._watcher.published(event, self)

    def refused(self, run_id: str, refusal: RunRefused) -> None:
        if self._watcher is not None:
            self._watcher.refused(run_id, self)
        self.ends.refusals[run_id] = refusal

    def ended(self, run: Run) -> None:
        if self._watcher is not None:
            self._watcher.ended(run, self)
        self.ends.runs[run.run_id] = run

    def reported(self, report: ReportCall) -> None:
        self.ends.reports.append(report)

    # -- what repeats

    def _introduce(self) -> None:
        """Everybody has heard of everybody before the first run arrives."""
        for worker in self.workers.values():
            self.router.handle(SnapshotArrived(worker.snapshot()), self._router_offset_s)
        states = self.router.pool_states(self._router_offset_s)
        for gateway in self.gateways.values():
            gateway.handle(PoolsReported(states))

    def _snapshot(self, worker: SimWorker) -> None:
        if worker.alive:
            worker.send_progress()
            self._send_snapshot(worker)
        self.heap.after(self._scenario.delays.snapshot_interval_s, self._snapshot, worker)

    def _send_snapshot(self, worker: SimWorker) -> None:
        at = self.network.arrival(f"{worker.worker_id}>router", self.network.snapshot_s())
        snapshot = worker.snapshot()
        self.heap.at(at, self._route, SnapshotArrived(snapshot))
        if self.provisioner is not None:
            self.provisioner.snapshot(snapshot)

    def _report_pools(self) -> None:
        states = self.router.pool_states(self.heap.now + self._router_offset_s)
        for gateway in self.gateways.values():
            at = self.network.arrival(f"router>{gateway.gateway_id}", self.network.hop_s())
            self.heap.at(at, gateway.handle, PoolsReported(states))
        self.heap.after(self._scenario.delays.pools_interval_s, self._report_pools)

    def _publish_backlogs(self) -> None:
        """Each gateway's demand reaches the others through the store."""
        for publisher in self.gateways.values():
            backlog = publisher.core.backlog(self.heap.now + self.network.offset_s(publisher.gateway_id))
            for gateway in self.gateways.values():
                if gateway is not publisher:
                    heard = BacklogHeard(publisher.gateway_id, backlog)
                    self.heap.after(2 * self.network.store_s(), gateway.handle, heard)
        self.heap.after(self._scenario.delays.backlog_interval_s, self._publish_backlogs)

    def _tick_router(self) -> None:
        self._route(Tick())
        self.heap.after(ROUTER_TICK_S, self._tick_router)

    # -- faults

    def _plan_faults(self) -> None:
        for fault in self._scenario.faults:
            if isinstance(fault, WorkerCrash):
                self.heap.at(fault.at_s, self._crash, self.workers[fault.worker], fault.restart_s)
            elif isinstance(fault, SlowStart):
                worker = self.workers[fault.worker]
                worker.set_state(ReplicaState.LOADING)
                self.heap.at(fault.until_s, self._awake, worker)
            elif isinstance(fault, WorkerDrain):
                self.heap.at(fault.at_s, self._drain, self.workers[fault.worker])
                self.heap.at(fault.until_s, self._awake, self.workers[fault.worker])

    def _crash(self, worker: SimWorker, restart_s: float) -> None:
        for gateway_id in worker.crash():
            at = self.network.arrival(f"{worker.worker_id}>{gateway_id}", self.network.hop_s())
            self.heap.at(at, self.gateways[gateway_id].handle, WorkerGone(worker.worker_id))
        lost_at = self.network.arrival(f"{worker.worker_id}>router", self.network.hop_s())
        self.heap.at(lost_at, self._route, WorkerLost(worker.worker_id))
        self.heap.after(restart_s, self._restart, worker)

    def _restart(self, worker: SimWorker) -> None:
        worker.restart()
        self._send_snapshot(worker)

    def _drain(self, worker: SimWorker) -> None:
        worker.set_state(ReplicaState.DRAINING)
        self._send_snapshot(worker)

    def _awake(self, worker: SimWorker) -> None:
        worker.set_state(ReplicaState.AWAKE)
        self._send_snapshot(worker)


def _router_settings(scenario: Scenario) -> RouterSettings:
    wakes = scenario.accelerators > 0 and scenario.provisioner.policy != "static"
    return RouterSettings(**{"wakes": wakes, **scenario.router})


def true_profiles(scenario: Scenario) -> dict[str, EngineProfile]:
    """How the engines behave."""
    shaping = {"lookahead", "default_output_tokens", "believed_factor"}
    times = {"sleep_s": scenario.sleep_s, "wake_s": scenario.wake_s}
    common = {name: value for name, value in times.items() if value is not None}
    return {
        name: EngineProfile(name, **section.model_dump(exclude=shaping) | common)
        for name, section in scenario.models.items()
    }
