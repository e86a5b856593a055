"""What must hold at every moment of a simulation, whatever goes wrong in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catenary.core.gateway.run import ActiveRun
from catenary.core.router import Assign
from catenary.core.router.pool import Pool
from catenary.model.outcome import Outcome
from catenary.model.run import CallFinished, CallRecord, CallStarted, Run, RunEvent
from catenary.model.worker import ReplicaState
from catenary.simulation.job import BYTES_PER_TOKEN, Job
from catenary.simulation.ledger import RunLedger
from catenary.simulation.worker import SimWorker

if TYPE_CHECKING:
    from catenary.simulation.cluster import Cluster

EMPTY = (ReplicaState.LOADING, ReplicaState.ASLEEP, ReplicaState.DEAD)


class BrokenInvariant(AssertionError):
    """The text names the invariant, the thing and the moment."""


class Invariants:
    """A watcher that raises BrokenInvariant. ``num_checks`` counts the events after which everything was checked."""

    def __init__(self) -> None:
        self.num_checks = 0
        self._ledgers: dict[str, RunLedger] = {}
        self._refused: set[str] = set()
        self._ended: set[str] = set()
        self._jobs: dict[str, Job] = {}

    # -- as it happens

    def published(self, event: RunEvent, cluster: Cluster) -> None:
        ledger = self._ledgers.setdefault(event.run_id, RunLedger())
        for wrong in ledger.take(event):
            fail(f"{event.run_id}: {wrong}", cluster)
        body = event.body
        if isinstance(body, CallStarted):
            self._parents_ended(event.run_id, body, ledger, cluster)
        elif isinstance(body, CallFinished) and body.record.outcome is Outcome.SUCCEEDED:
            self._whole_answer(event.run_id, body.record, cluster)

    def assigned(self, action: Assign, cluster: Cluster) -> None:
        worker = cluster.router.core.workers.get(action.worker_id)
        if worker is None or not any(r.takes_calls and r.model == action.call.model for r in worker.replicas):
            fail(f"{action.call.call_id} is routed to {action.worker_id}, which takes no calls", cluster)

    def refused(self, run_id: str, cluster: Cluster) -> None:
        if run_id in self._ledgers or run_id in self._refused:
            fail(f"{run_id} is refused after it was admitted or refused", cluster)
        self._refused.add(run_id)

    def ended(self, run: Run, cluster: Cluster) -> None:
        if run.run_id in self._ended or run.run_id in self._refused:
            fail(f"{run.run_id} ends twice, or was refused", cluster)
        self._ended.add(run.run_id)
        for wrong in self._ledgers.setdefault(run.run_id, RunLedger()).close(run):
            fail(f"{run.run_id}: {wrong}", cluster)

    # -- after every event

    def stepped(self, cluster: Cluster) -> None:
        self.num_checks += 1
        for pool in cluster.router.core.pools.values():
            _queues_within_bounds(pool, cluster)
            _places_within_bounds(pool, cluster)
        for worker in cluster.workers.values():
            _seats_within_bounds(worker, cluster)

    # -- once everything has ended

    def at_rest(self, cluster: Cluster) -> None:
        """Nothing is held for runs that have ended. To be asked some seconds after the last end."""
        for pool in cluster.router.core.pools.values():
            if pool.num_queued:
                fail(f"{[call.call_id for call in pool.queue.calls() + pool.late.calls()]} wait for ever", cluster)
            if pool.placed:
                fail(f"{list(pool.placed)} are placed for ever", cluster)
        for worker in cluster.workers.values():
            held = [call for replica in worker.replicas.values() for call in replica.held]
            if held:
                fail(f"{held} are generated for nobody", cluster)
        if {run.job.run_id for run in cluster.submitted} != self._ended | self._refused:
            fail("a run has neither ended nor been refused", cluster)

    def _parents_ended(self, run_id: str, body: CallStarted, ledger: RunLedger, cluster: Cluster) -> None:
        run = _run(run_id, cluster)
        for parent in cluster.workflows[run_id].parents(body.ref.name):
            ended = sum(1 for name in ledger.outcomes if name == parent or name.startswith(f"{parent}["))
            items = run.progress.items(parent) if run is not None else None
            if ended != (1 if items is None else items):
                fail(f"{run_id}: {body.ref} starts before {parent} has ended", cluster)

    def _whole_answer(self, run_id: str, record: CallRecord, cluster: Cluster) -> None:
        """The text is what one uninterrupted engine would have given."""
        if not self._jobs:
            self._jobs = {run.job.run_id: run.job for run in cluster.submitted}
        bound = cluster.workflows[run_id].by_name[record.ref.name].call.sampling.max_tokens
        if record.text != self._jobs[run_id].answer(record.ref).text[: BYTES_PER_TOKEN * bound]:
            fail(f"{run_id}: {record.ref} has another text than its engine would give", cluster)


def fail(text: str, cluster: Cluster) -> None:
    raise BrokenInvariant(f"{text} at {cluster.heap.now:.6f} s, event {cluster.heap.num_events}")


def _queues_within_bounds(pool: Pool, cluster: Cluster) -> None:
    if pool.num_queued > pool.settings.queue_limit:
        fail(f"queue of {pool.model} holds {pool.num_queued} of {pool.settings.queue_limit}", cluster)
    for queue, other in ((pool.queue, pool.late), (pool.late, pool.queue)):
        for call in queue.calls():
            if call.call_id in other or call.call_id in pool.placed:
                fail(f"{call.call_id} is in two places", cluster)


def _places_within_bounds(pool: Pool, cluster: Cluster) -> None:
    num_late = sum(load.residents[call_id].call.late for call_id, load in pool.placed.items())
    if num_late != pool.num_late:
        fail(f"{pool.model} counts {pool.num_late} late calls of {num_late}", cluster)
    for load in pool.replicas.values():
        too_many = load.num_placed - load.max_num_seqs - load.lookahead
        if too_many > 0:
            fail(f"{load.worker_id} has {load.num_placed} calls, {too_many} too many", cluster)


def _seats_within_bounds(worker: SimWorker, cluster: Cluster) -> None:
    for replica in worker.replicas.values():
        state = worker.engines.records[replica.model].state
        if replica.engine.num_running > replica.profile.max_num_seqs:
            fail(f"{worker.worker_id} runs {replica.engine.num_running} calls", cluster)
        if replica.held and (not worker.alive or state in EMPTY):
            fail(f"{worker.worker_id} is {state} and holds calls", cluster)


def _run(run_id: str, cluster: Cluster) -> ActiveRun | None:
    for gateway in cluster.gateways.values():
        if run_id in gateway.core.runs:
            return gateway.core.runs[run_id]
    return None
