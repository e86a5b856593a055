"""Gateways, one router and workers on one virtual clock."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence

from catenary.core.gateway.events import (
    Abort,
    BacklogHeard,
    GatewayEvent,
    Offer,
    Release,
    ReportCall,
    RunSubmitted,
    Start,
    Withdraw,
)
from catenary.core.router import Assign, RouterCore, SnapshotArrived
from catenary.model.compiled import CompiledWorkflow
from catenary.model.profile import EngineProfile
from catenary.model.run import Run, RunEvent, RunRefused
from catenary.simulation.ends import Ends, SubmittedRun
from catenary.simulation.heap import EventHeap
from catenary.simulation.network import Network
from catenary.simulation.parts import (
    believed_profiles,
    make_gateways,
    make_workers,
    router_settings,
    true_profiles,
)
from catenary.simulation.provisioning import SimProvisioner
from catenary.simulation.router import SimRouter
from catenary.simulation.scenario import Scenario
from catenary.simulation.watcher import Watcher
from catenary.simulation.worker import SimWorker
from catenary.simulation.worker_faults import WorkerFaults


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
        self.stopped = False
        truth = true_profiles(scenario)
        believed = believed_profiles(scenario, truth)
        jobs = {run.job.run_id: run.job for run in submitted}
        self.gateways = make_gateways(scenario, believed, self.network, self)
        core = RouterCore(router_settings(scenario), believed)
        self.router = SimRouter(core, self.network, self.gateways, self._assigned)
        self.workers = make_workers(scenario, truth, self.network, jobs, self._to_gateway)
        self.provisioner = self._make_provisioner(believed)
        self._faults = WorkerFaults(self.network, self.gateways, self.router, self.workers, self._send_snapshot)

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
        self._faults.plan(self._scenario.faults)
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
        self.router.tick()
        if self.provisioner is not None:
            self.provisioner.start()
        step = self.heap.step if self._watcher is None else self._step
        runs, refusals, total = self.ends.runs, self.ends.refusals, len(self.submitted)
        while len(runs) + len(refusals) < total and not self.stopped and step():
            pass
        return self.ends

    def stop(self) -> None:
        """End ``run`` after this event; runs that have not ended are in no report."""
        self.stopped = True

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

    # -- messages

    def to_router(self, gateway_id: str, message: Offer | Withdraw | Release) -> None:
        self.router.send(gateway_id, message)

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

    def _assigned(self, action: Assign) -> None:
        if self._watcher is not None:
            self._watcher.assigned(action, self)

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
            self.router.introduce(worker.snapshot())
        self.router.show_pools()

    def _snapshot(self, worker: SimWorker) -> None:
        if worker.alive:
            worker.send_progress()
            self._send_snapshot(worker)
        self.heap.after(self._scenario.delays.snapshot_interval_s, self._snapshot, worker)

    def _send_snapshot(self, worker: SimWorker) -> None:
        at = self.network.arrival(f"{worker.worker_id}>router", self.network.snapshot_s())
        snapshot = worker.snapshot()
        self.heap.at(at, self.router.handle, SnapshotArrived(snapshot))
        if self.provisioner is not None:
            self.provisioner.snapshot(snapshot)

    def _report_pools(self) -> None:
        self.router.report_pools()
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
