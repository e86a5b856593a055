"""Random events against the worker's core: calls, replicas and snapshots never contradict each other."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from worker_cores import LOOKAHEAD, SEATS, new_core, state

from catenary.core.worker.events import (
    AbortCalls,
    CallStart,
    CommandDone,
    Drained,
    EngineFacts,
    SleepEngine,
    Started,
    StartEngine,
    StopEngine,
    WakeEngine,
    WorkerAction,
)
from catenary.model.outcome import FinishReason
from catenary.model.worker import ReplicaState, SleepMode


class WorkerMachine(RuleBasedStateMachine):
    """Random events against the core; the shell's side (one engine action at a time) is kept here."""

    def __init__(self) -> None:
        super().__init__()
        self.core = new_core(max_calls=5)
        self.engine: StartEngine | StopEngine | SleepEngine | WakeEngine | None = None
        self.held: dict[int, CallStart] = {}
        self.open_commands: set[int] = set()
        self.next_command = 0
        self.generations = {"m": 0, "n": 0}
        self.drained = False
        self.now = 0.0

    def perform(self, actions: list[WorkerAction]) -> None:
        for action in actions:
            match action:
                case StartEngine() | StopEngine() | SleepEngine() | WakeEngine():
                    assert self.engine is None, "two actions at a time on one accelerator"
                    self.engine = action
                case CommandDone(command_id=command_id):
                    self.open_commands.discard(command_id)
                case AbortCalls(handles=handles):
                    assert set(handles) <= set(self.held)
                case Drained():
                    self.drained = True

    def command(self) -> int:
        self.next_command += 1
        self.open_commands.add(self.next_command)
        return self.next_command

    models = st.sampled_from(["m", "n"])

    @rule(model=models)
    def load(self, model: str) -> None:
        self.perform(self.core.engines.load(self.command(), model, 0, 0, 0, self.now))

    @rule(model=models, mode=st.sampled_from(list(SleepMode)))
    def sleep(self, model: str, mode: SleepMode) -> None:
        self.perform(self.core.engines.sleep(self.command(), model, 0, 1, mode, self.now))

    @rule(model=models)
    def wake(self, model: str) -> None:
        self.perform(self.core.engines.wake(self.command(), model, 0, self.now))

    @rule(model=models)
    def unload(self, model: str) -> None:
        self.perform(self.core.engines.unload(self.command(), model, 0, self.now))

    @rule(
        model=models,
        name=st.sampled_from("abcdef"),
        attempt=st.integers(1, 3),
        epoch=st.integers(1, 3),
        router=st.integers(0, 2),
    )
    def start(self, model: str, name: str, attempt: int, epoch: int, router: int) -> None:
        start = CallStart("g", 1, f"r/{name}", attempt, epoch, router, model, 10)
        decision = self.core.start_call(start)
        assert set(decision.aborts) <= set(self.held)
        if isinstance(decision, Started):
            assert state(self.core, model) is ReplicaState.AWAKE
            assert not self.drained
            self.held[decision.handle] = start

    @rule(success=st.booleans())
    def engine_acted(self, success: bool) -> None:
        self.now += 1
        action, self.engine = self.engine, None
        error = "" if success else "failed"
        match action:
            case StartEngine(model=model) if success:
                self.perform(self.core.engines.engine_ready(model, EngineFacts(), self.now))
            case StartEngine(model=model):
                self.perform(self.core.engines.engine_failed(model, error, self.now))
            case StopEngine(model=model):
                self.end_calls(model)
                self.perform(self.core.engines.engine_stopped(model, self.now))
            case SleepEngine(model=model):
                self.perform(self.core.engines.engine_slept(model, error, self.now))
            case WakeEngine(model=model):
                self.perform(self.core.engines.engine_woke(model, error, self.now))

    def end_calls(self, model: str) -> None:
        for handle in [handle for handle, start in self.held.items() if start.model == model]:
            self.end(handle)

    def end(self, handle: int) -> None:
        start = self.held.pop(handle)
        ended, actions = self.core.call_ended(handle, FinishReason.STOP, "", self.now)
        assert ended is not None
        assert ended.start == start
        self.perform(actions)

    @rule(data=st.data())
    def call_ends(self, data: st.DataObject) -> None:
        if self.held:
            self.end(data.draw(st.sampled_from(sorted(self.held))))

    @rule(name=st.sampled_from("abcdef"), attempt=st.integers(1, 3), epoch=st.integers(1, 3))
    def abort(self, name: str, attempt: int, epoch: int) -> None:
        self.perform(self.core.abort_call(f"r/{name}", attempt, epoch))

    @rule()
    def stream_breaks(self) -> None:
        self.perform(self.core.stream_left(1, "broken"))

    @rule()
    def drain(self) -> None:
        if self.now > 20:
            self.perform(self.core.engines.drain(self.now))

    @invariant()
    def the_table_holds_what_the_engines_hold(self) -> None:
        assert self.core.num_calls == len(self.held) <= 5

    @invariant()
    def snapshots_never_go_back_and_list_each_call_once(self) -> None:
        seen = []
        for replica in self.core.snapshot(0, self.now).replicas:
            assert replica.generation >= self.generations[replica.model]
            self.generations[replica.model] = replica.generation
            assert len(replica.calls) <= SEATS + LOOKAHEAD
            seen += [call.call_id for call in replica.calls]
        assert len(seen) == len(set(seen))

    @invariant()
    def nothing_waits_for_an_idle_accelerator(self) -> None:
        if self.engine is None and not self.held:
            assert not self.open_commands
            assert all(state(self.core, model) is not ReplicaState.LOADING for model in "mn")


WorkerMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


TestWorkerMachine = WorkerMachine.TestCase
