"""A worker process with one engine per model: the engine's iteration model on the virtual clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from catenary.core.gateway.events import Abort, CallEnded, CallProgressed, GatewayEvent, Start
from catenary.model.outcome import FinishReason
from catenary.model.profile import EngineProfile
from catenary.model.worker import Replica, ReplicaState, ResidentCall, Worker
from catenary.simulation.engine import EngineModel, FinishedCall
from catenary.simulation.heap import EventHeap
from catenary.simulation.job import Job

Reply = Callable[[str, Sequence[GatewayEvent]], None]


@dataclass(slots=True)
class HeldCall:
    """A call in the engine. ``text`` is the whole answer; ``sent`` counts the tokens its gateway has."""

    start: Start
    gateway_id: str
    text: str
    total_tokens: int
    sent: int

    def tokens_until(self, count: int) -> CallProgressed | None:
        if count <= self.sent:
            return None
        text = self.text[4 * self.sent : 4 * count]
        event = CallProgressed(self.start.call_id, self.start.attempt, self.sent, range(self.sent, count), text)
        self.sent = count
        return event


@dataclass(slots=True)
class SimReplica:
    """``next_at``: when the engine is looked at next."""

    model: str
    profile: EngineProfile
    lookahead: int
    engine: EngineModel
    state: ReplicaState = ReplicaState.AWAKE
    generation: int = 1
    held: dict[str, HeldCall] = field(default_factory=dict)
    next_at: float | None = None


class SimWorker:
    """``reply`` carries events to a gateway. ``jobs`` holds the truth that engines alone may read."""

    def __init__(
        self,
        worker_id: str,
        replica: SimReplica,
        heap: EventHeap,
        jobs: Mapping[str, Job],
        reply: Reply,
        offset_s: float = 0.0,
    ) -> None:
        self.worker_id = worker_id
        self.address = f"{worker_id}:1"
        self.replica = replica
        self.alive = True
        self.incarnation = 1
        self._awake: list[tuple[float, float | None]] = [(0.0, None)]
        self._heap = heap
        self._jobs = jobs
        self._reply = reply
        self._sequence = 0
        self._offset_s = offset_s

    # -- what gateways ask for

    def start(self, gateway_id: str, start: Start) -> None:
        replica = self.replica
        if not self.alive:
            refused = CallEnded(start.call_id, start.attempt, FinishReason.ERROR, "connection refused")
            self._reply(gateway_id, [refused])
            return
        if replica.state is not ReplicaState.AWAKE or start.model != replica.model:
            self._reply(gateway_id, [CallEnded(start.call_id, start.attempt, FinishReason.REPLICA_DRAINING)])
            return
        now = self._heap.now
        held = replica.held.pop(start.call_id, None)
        if held is not None:
            replica.engine.abort(start.call_id, now)
        answer = self._jobs[start.run_id].answer(start.ref)
        total = min(answer.tokens, start.offset + start.sampling.max_tokens)
        replica.held[start.call_id] = HeldCall(start, gateway_id, answer.text, total, start.offset)
        replica.engine.submit(start.call_id, len(start.prompt_token_ids), total - start.offset, start.latest_start, now)
        self._watch()

    def abort(self, action: Abort) -> None:
        held = self.replica.held.get(action.call_id)
        if not self.alive or held is None or held.start.attempt > action.attempt:
            return
        del self.replica.held[action.call_id]
        self.replica.engine.abort(action.call_id, self._heap.now)
        self._watch()

    # -- the engine

    def _watch(self) -> None:
        replica = self.replica
        due = replica.engine.next_event(self._heap.now)
        if due is not None and due != replica.next_at:
            replica.next_at = due
            self._heap.at(due, self._due, due, self.incarnation)

    def _due(self, due: float, incarnation: int) -> None:
        replica = self.replica
        if due != replica.next_at or incarnation != self.incarnation or not self.alive:
            return
        replica.next_at = None
        self._collect(due)
        self._watch()

    def _collect(self, now: float) -> None:
        for finished in self.replica.engine.advance(now).finished:
            self._finished(finished)

    def _finished(self, finished: FinishedCall) -> None:
        held = self.replica.held.pop(str(finished.call_id), None)
        if held is None:
            return
        start = held.start
        whole = held.total_tokens < start.offset + start.sampling.max_tokens
        ended = CallEnded(
            start.call_id,
            start.attempt,
            FinishReason.STOP if whole else FinishReason.LENGTH,
            queue_s=finished.queue_s,
            prompt_tokens=finished.prompt_tokens,
            output_tokens=finished.output_tokens,
            mean_batch=finished.mean_batch,
            service_s=finished.duration_s - finished.queue_s,
        )
        tokens = held.tokens_until(held.total_tokens)
        self._reply(held.gateway_id, [ended] if tokens is None else [tokens, ended])

    # -- what others see

    def snapshot(self) -> Worker:
        replica = self.replica
        self._collect(self._heap.now)
        running = dict(replica.engine.progress())
        calls = tuple(
            ResidentCall(
                call_id,
                held.start.attempt,
                held.start.router_epoch,
                held.start.offset + running.get(call_id, 0),
                len(held.start.prompt_token_ids),
                call_id in running,
            )
            for call_id, held in replica.held.items()
        )
        self._sequence += 1
        shown = Replica(
            model=replica.model,
            state=replica.state,
            generation=replica.generation,
            max_num_seqs=replica.profile.max_num_seqs,
            lookahead=replica.lookahead,
            num_running=replica.engine.num_running,
            num_waiting=replica.engine.num_waiting,
            calls=calls,
            start_s=replica.profile.start_s,
        )
        return Worker(self.worker_id, self.address, self.incarnation, (shown,), sequence=self._sequence)

    def send_progress(self) -> None:
        """Give every gateway the tokens generated since the last time."""
        self._collect(self._heap.now)
        batches: dict[str, list[GatewayEvent]] = {}
        for call_id, count in self.replica.engine.progress():
            held = self.replica.held.get(str(call_id))
            tokens = held.tokens_until(held.start.offset + count) if held is not None else None
            if held is not None and tokens is not None:
                batches.setdefault(held.gateway_id, []).append(tokens)
        for gateway_id, events in batches.items():
            self._reply(gateway_id, events)

    # -- faults

    def crash(self) -> list[str]:
        """Everything in the process is lost. Returns the gateways whose streams break."""
        gateways = sorted({held.gateway_id for held in self.replica.held.values()})
        self.alive = False
        self.replica.held.clear()
        self.replica.next_at = None
        self._set_awake(False)
        return gateways

    def restart(self) -> None:
        self.alive = True
        self.incarnation += 1
        self._sequence = 0
        self.replica.engine = EngineModel(self.replica.profile)
        self.set_state(ReplicaState.AWAKE)

    def set_state(self, state: ReplicaState) -> None:
        self.replica.state = state
        self.replica.generation += 1
        self._set_awake(state is ReplicaState.AWAKE)

    def _set_awake(self, awake: bool) -> None:
        now = self._heap.now
        since, until = self._awake[-1]
        if until is None:
            self._awake[-1] = (since, now)
        if awake:
            self._awake.append((now, None))

    def awake_intervals(self) -> list[tuple[float, float | None]]:
        """From when to when its engine took calls; the last may go on (None)."""
        return self._awake

    def replica_seconds(self) -> float:
        now = self._heap.now
        return sum((now if end is None else end) - start for start, end in self._awake)
