"""The worker's core: which calls it takes, what becomes of replicas, and that neither ever contradicts itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from catenary.core.worker import WorkerCore
from catenary.core.worker.events import (
    AbortCalls,
    CallStart,
    CommandDone,
    Drained,
    EngineFacts,
    NotStarted,
    ReplicaSettings,
    SleepEngine,
    SnapshotChanged,
    Started,
    StartEngine,
    StopEngine,
    WakeEngine,
    WorkerAction,
)
from catenary.model.outcome import FinishReason
from catenary.model.worker import ReplicaState, SleepMode, Worker

GIB = 1 << 30
SEATS, LOOKAHEAD = 2, 1
CALL = CallStart("g0", 1, "r1/a", 1, 1, 0, "m", 10)


def new_core(max_calls: int = 100, needed_bytes: int = 0) -> WorkerCore:
    replicas = [ReplicaSettings(model, SEATS, LOOKAHEAD, 100, needed_bytes=needed_bytes) for model in ("m", "n")]
    return WorkerCore(Worker("w0", "h:1", 7, ()), replicas, max_calls)


def awake_core(**settings: int) -> WorkerCore:
    core = new_core(**settings)
    core.engines.load(1, "m", 0, 0, 0, 0.0)
    core.engines.engine_ready("m", EngineFacts(), 5.0)
    return core


def state(core: WorkerCore, model: str = "m") -> ReplicaState:
    return core.engines.records[model].state


def commands(actions: list[WorkerAction]) -> dict[int, str]:
    return {action.command_id: action.error for action in actions if isinstance(action, CommandDone)}


def refusal(core: WorkerCore, start: CallStart) -> FinishReason | None:
    decision = core.start_call(start)
    return decision.reason if isinstance(decision, NotStarted) else None


def test_loads_run_one_after_the_other() -> None:
    core = new_core()
    assert StartEngine("m") in core.engines.load(1, "m", 0, 0, 0, 0.0)
    assert StartEngine("n") not in core.engines.load(2, "n", 0, 0, 0, 0.0)
    assert {state(core), state(core, "n")} == {ReplicaState.LOADING}
    assert StartEngine("n") in core.engines.engine_ready("m", EngineFacts(), 40.0)
    assert state(core) is ReplicaState.AWAKE


def test_a_first_start_shows_that_it_goes_on() -> None:
    core = new_core()
    core.engines.load(1, "m", 0, 0, 0, 0.0)
    shares = [core.snapshot(0, at).replicas[0].load_progress for at in (0.0, 30.0, 60.0, 6000.0)]
    assert shares == [0.0, pytest.approx(1 / 3), 0.5, 0.99]


def test_a_snapshot_tells_how_long_the_start_took_and_how_far_the_next_is() -> None:
    core = awake_core()
    core.engines.unload(2, "m", 0, 6.0)
    core.engines.engine_stopped("m", 6.0)
    core.engines.load(3, "m", 0, 0, 0, 10.0)
    replica = core.snapshot(0, 12.0).replicas[0]
    assert (replica.start_s, replica.load_progress) == (5.0, pytest.approx(0.4))
    assert core.snapshot(0, 99.0).replicas[0].load_progress == 0.99


def test_a_load_beyond_the_free_memory_is_refused_with_both_figures() -> None:
    core = new_core(needed_bytes=5 * GIB)
    error = commands(core.engines.load(1, "m", 0, 2 * GIB, 16 * GIB, 0.0))[1]
    assert "needs 5.0 GiB; 2.0 GiB of 16.0 GiB are free" in error
    assert (state(core), core.snapshot(0, 0.0).replicas[0].error) == (ReplicaState.DEAD, error)
    assert commands(core.engines.load(2, "m", 0, 6 * GIB, 16 * GIB, 0.0))[2] == ""


def test_an_engine_that_fails_to_start_is_dead_with_its_error_and_can_be_loaded_again() -> None:
    core = new_core()
    core.engines.load(1, "m", 0, 0, 0, 0.0)
    core.engines.engine_failed("m", "no memory", 1.0)
    assert core.snapshot(0, 1.0).replicas[0].error == "no memory"
    assert StartEngine("m") in core.engines.load(2, "m", 0, 0, 0, 2.0)


def test_calls_are_taken_up_to_seats_and_lookahead() -> None:
    core = awake_core()
    for index in range(SEATS + LOOKAHEAD):
        assert refusal(core, replace(CALL, call_id=f"r/{index}")) is None
    assert refusal(core, replace(CALL, call_id="r/9")) is FinishReason.OVERLOADED


def test_the_bound_on_all_calls_holds_across_models() -> None:
    core = awake_core(max_calls=1)
    assert refusal(core, CALL) is None
    assert refusal(core, replace(CALL, call_id="r/2")) is FinishReason.OVERLOADED


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model": "x"}, FinishReason.INVALID),
        ({"prompt_tokens": 0}, FinishReason.INVALID),
        ({"prompt_tokens": 100}, FinishReason.INVALID),
        ({"model": "n"}, FinishReason.REPLICA_DRAINING),
    ],
)
def test_a_call_that_cannot_run_here_is_refused(change: dict[str, object], reason: FinishReason) -> None:
    assert refusal(awake_core(), replace(CALL, **change)) is reason  # type: ignore[arg-type]


def test_a_newer_attempt_replaces_the_older_one_which_counts_as_stale() -> None:
    core = awake_core()
    first = core.start_call(CALL)
    second = core.start_call(replace(CALL, attempt=2))
    assert isinstance(first, Started)
    assert isinstance(second, Started)
    assert second.aborts == (first.handle,)
    ended, _ = core.call_ended(first.handle, FinishReason.LENGTH, "", 1.0)
    assert ended is not None
    assert ended.reason is FinishReason.STALE_EPOCH
    assert refusal(core, CALL) is FinishReason.STALE_EPOCH


def test_a_newer_owner_ends_every_call_of_the_older_one() -> None:
    core = awake_core()
    handles = [core.start_call(replace(CALL, call_id=f"r1/{name}")) for name in "ab"]
    other = core.start_call(replace(CALL, call_id="r2/a"))
    decision = core.start_call(replace(CALL, call_id="r1/c", run_epoch=2))
    assert decision.aborts == tuple(h.handle for h in handles if isinstance(h, Started))
    assert isinstance(other, Started)
    assert refusal(core, replace(CALL, call_id="r1/d")) is FinishReason.STALE_EPOCH


def test_a_newer_router_shuts_out_the_older_one() -> None:
    core = awake_core()
    core.watched(4)
    assert refusal(core, replace(CALL, router_epoch=3)) is FinishReason.STALE_EPOCH
    assert refusal(core, replace(CALL, router_epoch=5)) is None
    assert refusal(core, replace(CALL, call_id="r/b", router_epoch=4)) is FinishReason.STALE_EPOCH


def test_an_abort_of_an_older_owner_or_attempt_is_ignored() -> None:
    core = awake_core()
    core.start_call(replace(CALL, attempt=2, run_epoch=2))
    assert core.abort_call(CALL.call_id, 2, 1) == []
    assert core.abort_call(CALL.call_id, 1, 2) == []
    assert core.abort_call(CALL.call_id, 2, 2) == [AbortCalls((1,))]
    assert core.abort_call(CALL.call_id, 2, 2) == []


def test_a_call_being_aborted_leaves_the_snapshot_and_its_seat_at_once() -> None:
    core = awake_core()
    for index in range(3):
        core.start_call(replace(CALL, call_id=f"r/{index}"))
    core.abort_call("r/0", 1, 1)
    assert [call.call_id for call in core.snapshot(0, 0.0).replicas[0].calls] == ["r/1", "r/2"]
    assert refusal(core, replace(CALL, call_id="r/3")) is None


def test_only_waiting_calls_are_dropped_as_lost() -> None:
    core = awake_core()
    for index, lost_after in enumerate((5.0, 5.0, None)):
        core.start_call(replace(CALL, call_id=f"r/{index}", lost_after=lost_after))
    core.call_running(1)
    assert core.drop_lost(5.0) == []
    assert core.drop_lost(5.1) == [AbortCalls((2,))]


def test_a_sleep_waits_for_running_calls_and_refuses_new_ones() -> None:
    core = awake_core()
    core.start_call(CALL)
    actions = core.engines.sleep(5, "m", 0, 1, SleepMode.DRAIN, 1.0)
    assert actions == [SnapshotChanged()]
    assert refusal(core, replace(CALL, call_id="r/2")) is FinishReason.REPLICA_DRAINING
    _, actions = core.call_ended(1, FinishReason.STOP, "", 2.0)
    assert actions == [SleepEngine("m", 1, False)]
    assert commands(core.engines.engine_slept("m", "", 3.0)) == {5: ""}
    assert state(core) is ReplicaState.ASLEEP


def test_a_replaying_sleep_aborts_and_a_freezing_one_keeps_the_calls() -> None:
    core = awake_core()
    core.start_call(CALL)
    assert AbortCalls((1,)) in core.engines.sleep(5, "m", 0, 1, SleepMode.REPLAY, 1.0)
    core = awake_core()
    core.start_call(CALL)
    assert SleepEngine("m", 1, True) in core.engines.sleep(5, "m", 0, 1, SleepMode.FREEZE, 1.0)
    core.engines.engine_slept("m", "", 2.0)
    assert len(core.snapshot(0, 2.0).replicas[0].calls) == 1
    assert WakeEngine("m") in core.engines.wake(6, "m", 0, 3.0)


def test_waking_a_replica_that_still_drains_calls_its_sleep_off() -> None:
    core = awake_core()
    core.start_call(CALL)
    core.engines.sleep(5, "m", 0, 1, SleepMode.DRAIN, 1.0)
    done = commands(core.engines.wake(6, "m", 0, 2.0))
    assert "woken before it slept" in done[5]
    assert done[6] == ""
    assert state(core) is ReplicaState.AWAKE


def test_a_sleep_that_fails_leaves_the_replica_awake() -> None:
    core = awake_core()
    core.engines.sleep(5, "m", 0, 1, SleepMode.DRAIN, 1.0)
    assert commands(core.engines.engine_slept("m", "not on a CPU", 2.0)) == {5: "not on a CPU"}
    assert state(core) is ReplicaState.AWAKE


def test_a_command_for_another_generation_is_refused() -> None:
    core = awake_core()
    error = commands(core.engines.unload(5, "m", 1, 1.0))[5]
    assert error == "model 'm' is at generation 2 (AWAKE), not 1"


def test_an_unload_during_the_start_takes_effect_after_it() -> None:
    core = new_core()
    core.engines.load(1, "m", 0, 0, 0, 0.0)
    assert core.engines.unload(2, "m", 0, 1.0) == []
    assert StopEngine("m") in core.engines.engine_ready("m", EngineFacts(), 2.0)
    assert commands(core.engines.engine_stopped("m", 3.0)) == {2: ""}


def test_a_drained_worker_says_so_once_its_last_call_has_ended() -> None:
    core = awake_core()
    core.start_call(CALL)
    assert Drained() not in core.engines.drain(1.0)
    assert refusal(core, replace(CALL, call_id="r/2")) is FinishReason.REPLICA_DRAINING
    assert core.snapshot(0, 1.0).draining
    _, actions = core.call_ended(1, FinishReason.STOP, "", 2.0)
    assert Drained() in actions


def test_an_engine_that_comes_up_on_a_draining_worker_takes_no_calls() -> None:
    core = new_core()
    core.engines.load(1, "m", 0, 0, 0, 0.0)
    core.engines.drain(1.0)
    core.engines.engine_ready("m", EngineFacts(), 2.0)
    assert state(core) is ReplicaState.DRAINING


def test_a_reserved_replica_takes_calls_of_its_holder_alone_whatever_the_router_s_epoch() -> None:
    core = awake_core()
    core.watched(9)
    core.engines.reserve(5, "m", True, "profiler")
    assert refusal(core, replace(CALL, router_epoch=9)) is FinishReason.REPLICA_DRAINING
    assert refusal(core, replace(CALL, gateway_id="profiler", call_id="p/a")) is None
    assert "set aside for 'profiler'" in commands(core.engines.reserve(6, "m", True, "other"))[6]
    assert commands(core.engines.reserve(7, "m", False, "")) == {7: ""}
    assert not core.snapshot(0, 0.0).replicas[0].reserved


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
