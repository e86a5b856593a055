"""A worker process with one engine per resident model: their iteration models on the virtual clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from catenary.core.gateway.events import Abort, CallEnded, GatewayEvent, Start
from catenary.core.worker.engines import EngineKeeper
from catenary.core.worker.events import (
    AbortCalls,
    CommandDone,
    EngineStats,
    SleepEngine,
    SnapshotChanged,
    WakeEngine,
    WorkerAction,
)
from catenary.model.outcome import FinishReason
from catenary.model.worker import Replica, ReplicaState, SleepMode, Worker
from catenary.simulation.awake_time import AwakeTime
from catenary.simulation.engine import EngineModel
from catenary.simulation.heap import EventHeap
from catenary.simulation.job import Job
from catenary.simulation.keeper import goes_cold, make_keeper
from catenary.simulation.replica import HeldCall, SimReplica
from catenary.simulation.sharing import SharedAccelerator

Reply = Callable[[str, Sequence[GatewayEvent]], None]


class SimWorker:
    """``reply`` carries events to a gateway. ``jobs`` holds the truth that engines alone may read. ``on_change`` hears
    of each change of a replica. The first of ``replicas`` begins awake unless ``asleep``, the others asleep. Engines
    that are busy together slow each other by their profiles' ``sharing_loss``; what is awake fits into
    ``budget_bytes``, the weights of what sleeps into ``host_bytes`` (0: not bounded)."""

    def __init__(
        self,
        worker_id: str,
        replicas: Sequence[SimReplica],
        heap: EventHeap,
        jobs: Mapping[str, Job],
        reply: Reply,
        asleep: bool = False,
        budget_bytes: int = 0,
        host_bytes: int = 0,
    ) -> None:
        self.worker_id = worker_id
        self.address = f"{worker_id}:1"
        self.replicas = {replica.model: replica for replica in replicas}
        self.alive = True
        self.incarnation = 1
        self.on_change: Callable[[SimWorker], None] = lambda _: None
        self._awake = AwakeTime()
        self._heap = heap
        self._jobs = jobs
        self._reply = reply
        self._sequence = 0
        self._handles = 0
        self._done: dict[int, Callable[[str], None]] = {}
        self._budget_bytes = budget_bytes
        self._host_bytes = host_bytes
        self._card = SharedAccelerator[str]()
        self.engines = self._keeper(asleep)

    def _keeper(self, asleep: bool) -> EngineKeeper:
        keeper = make_keeper(self.replicas, asleep, self._budget_bytes, self._host_bytes)
        for model, record in keeper.records.items():
            is_awake = record.state is ReplicaState.AWAKE
            self._awake.note(model, is_awake, self._heap.now)
            if not is_awake:
                self.replicas[model].engine.pause(self._heap.now)
        return keeper

    # -- what gateways ask for

    def start(self, gateway_id: str, start: Start) -> None:
        replica = self.replicas.get(start.model)
        if not self.alive:
            refused = CallEnded(start.call_id, start.attempt, FinishReason.ERROR, "connection refused")
            self._reply(gateway_id, [refused])
            return
        if replica is None or self.engines.records[start.model].state is not ReplicaState.AWAKE:
            self._reply(gateway_id, [CallEnded(start.call_id, start.attempt, FinishReason.REPLICA_DRAINING)])
            return
        now = self._heap.now
        held = replica.held.pop(start.call_id, None)
        if held is not None:
            replica.engine.abort(start.call_id, now)
        answer = self._jobs[start.run_id].answer(start.ref)
        total = min(answer.tokens, start.offset + start.sampling.max_tokens)
        self._handles += 1
        replica.held[start.call_id] = HeldCall(self._handles, start, gateway_id, answer.text, total, start.offset)
        replica.engine.submit(start.call_id, len(start.prompt_token_ids), total - start.offset, start.latest_start, now)
        self._watch(replica)

    def abort(self, action: Abort) -> None:
        for replica in self.replicas.values():
            held = replica.held.get(action.call_id)
            if not self.alive or held is None or held.start.attempt > action.attempt:
                continue
            del replica.held[action.call_id]
            replica.engine.abort(action.call_id, self._heap.now)
            self._watch(replica)
            self._do(self.engines.call_left(replica.model, self._heap.now))

    # -- what the provisioner asks for

    def sleep(self, model: str, generation: int, mode: SleepMode, command_id: int, done: Callable[[str], None]) -> None:
        self._done[command_id] = done
        self._do(self.engines.sleep(command_id, model, generation, 0, mode, self._heap.now))

    def wake(self, model: str, generation: int, command_id: int, done: Callable[[str], None]) -> None:
        self._done[command_id] = done
        self._do(self.engines.wake(command_id, model, generation, self._heap.now))

    def prefetch(self, model: str, done: Callable[[], None]) -> None:
        """``done`` hears when the weights have been read."""
        self._heap.after(self.replicas[model].profile.prefetch_s, self._prefetched, model, done)

    def _prefetched(self, model: str, done: Callable[[], None]) -> None:
        self._do(self.engines.found_weights(model, cold=False))
        done()

    def _do(self, actions: Sequence[WorkerAction]) -> None:
        for action in actions:
            match action:
                case SleepEngine():
                    self._awake.note(action.model, False, self._heap.now)
                    self.replicas[action.model].engine.pause(self._heap.now)
                    self._share(self.replicas[action.model])
                    self._heap.after(self.replicas[action.model].profile.sleep_s, self._slept, action.model)
                case WakeEngine():
                    self._awake.note(action.model, True, self._heap.now)
                    self._heap.after(self.engines.records[action.model].wake_s, self._woke, action.model)
                case AbortCalls():
                    self._abort_all(action.handles)
                case CommandDone():
                    self._done.pop(action.command_id)(action.error)
                case SnapshotChanged():
                    self.on_change(self)

    def _slept(self, model: str) -> None:
        record = self.engines.records[model]
        record.weights_cold = goes_cold(record)
        self._do(self.engines.engine_slept(model, "", self._heap.now))

    def _woke(self, model: str) -> None:
        replica = self.replicas[model]
        replica.engine.resume(self._heap.now)
        self._do(self.engines.engine_woke(model, "", self._heap.now))
        self._watch(replica)

    def _abort_all(self, handles: Sequence[int]) -> None:
        wanted = set(handles)
        for replica in self.replicas.values():
            for call_id, held in [entry for entry in replica.held.items() if entry[1].handle in wanted]:
                self._collect(replica, self._heap.now)
                if call_id not in replica.held:
                    continue
                del replica.held[call_id]
                finished = replica.engine.abort(call_id, self._heap.now)
                self._share(replica)
                done = finished.output_tokens if finished is not None else 0
                tokens = held.tokens_until(held.start.offset + done)
                ended = CallEnded(
                    call_id, held.start.attempt, FinishReason.REPLICA_DRAINING, "the replica is put to sleep"
                )
                self._reply(held.gateway_id, [ended] if tokens is None else [tokens, ended])
                self._do(self.engines.call_left(replica.model, self._heap.now))

    # -- the engines

    def slow_down(self, model: str, factor: float) -> None:
        """From now on the engine takes ``factor`` times as long, as one does that shares its accelerator."""
        if self.alive:
            replica = self.replicas[model]
            replica.engine.slow_down(factor, self._heap.now)
            self._arm(replica)

    def _share(self, replica: SimReplica) -> None:
        """The engine may have become busy or idle."""
        engine = replica.engine
        for model, factor in self._card.note(replica.model, replica.profile.sharing_loss, engine.is_busy):
            self.slow_down(model, factor)

    def _watch(self, replica: SimReplica) -> None:
        self._share(replica)
        self._arm(replica)

    def _arm(self, replica: SimReplica) -> None:
        due = replica.engine.next_event(self._heap.now)
        if due is not None and due != replica.next_at:
            replica.next_at = due
            self._heap.at(due, self._due, replica, due, self.incarnation)

    def _due(self, replica: SimReplica, due: float, incarnation: int) -> None:
        if due != replica.next_at or incarnation != self.incarnation or not self.alive:
            return
        replica.next_at = None
        self._collect(replica, due)
        self._watch(replica)

    def _collect(self, replica: SimReplica, now: float) -> None:
        result = replica.engine.advance(now)
        if result.finished:
            self._share(replica)
        for finished in result.finished:
            held = replica.held.pop(str(finished.call_id), None)
            if held is None:
                continue
            ended, tokens = held.ended(finished), held.tokens_until(held.total_tokens)
            self._reply(held.gateway_id, [ended] if tokens is None else [tokens, ended])
            self._do(self.engines.call_left(replica.model, now))

    # -- what others see

    def snapshot(self) -> Worker:
        now = self._heap.now
        for replica in self.replicas.values():
            self._collect(replica, now)
        self._sequence += 1
        shown = tuple(self._shown(replica) for replica in self.replicas.values())
        return Worker(
            self.worker_id,
            self.address,
            self.incarnation,
            shown,
            sequence=self._sequence,
            memory_budget_bytes=self._budget_bytes,
            host_budget_bytes=self._host_bytes,
        )

    def _shown(self, replica: SimReplica) -> Replica:
        record = self.engines.records[replica.model]
        record.stats = EngineStats(replica.engine.num_running, replica.engine.num_waiting)
        return record.snapshot(replica.residents(), self._heap.now)

    def send_progress(self) -> None:
        """Give every gateway the tokens generated since the last time."""
        batches: dict[str, list[GatewayEvent]] = {}
        for replica in self.replicas.values():
            self._collect(replica, self._heap.now)
            for gateway_id, tokens in replica.progress():
                batches.setdefault(gateway_id, []).append(tokens)
        for gateway_id, events in batches.items():
            self._reply(gateway_id, events)

    # -- faults

    def crash(self) -> list[str]:
        """Everything in the process is lost. Returns the gateways whose streams break."""
        held = [call for replica in self.replicas.values() for call in replica.held.values()]
        self.alive = False
        for replica in self.replicas.values():
            replica.held.clear()
            replica.next_at = None
            self._awake.note(replica.model, False, self._heap.now)
        return sorted({call.gateway_id for call in held})

    def restart(self) -> None:
        self.alive = True
        self.incarnation += 1
        self._sequence = 0
        for replica in self.replicas.values():
            replica.engine = EngineModel(replica.profile)
        self._card = SharedAccelerator[str]()
        self.engines = self._keeper(asleep=False)

    def set_state(self, state: ReplicaState) -> None:
        """Of the first replica."""
        model = next(iter(self.replicas))
        self.engines.records[model].change(state)
        self._awake.note(model, state is ReplicaState.AWAKE, self._heap.now)

    def awake_intervals(self, model: str) -> list[tuple[float, float | None]]:
        """From when to when its engine of ``model`` was awake, drains included, or waking; None: it goes on."""
        return self._awake.intervals(model)

    def replica_seconds(self) -> float:
        return self._awake.seconds(self._heap.now)
