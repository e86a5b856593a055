"""Replicas that sleep with their calls, wake, and are released: what router, admission and provisioner make of it."""

from __future__ import annotations

from dataclasses import replace

from catenary.core.provisioner import ProvisionerCore, ProvisionerSettings
from catenary.core.provisioner.allocator import Allocator
from catenary.core.provisioner.events import (
    AcquireRequested,
    Granted,
    ProcessEnded,
    Refused,
    SleepReplica,
    SnapshotArrived,
    StartWorker,
    StepEnded,
    StopWorker,
    Tick,
    WakeReplica,
    WorkerServing,
)
from catenary.core.provisioner.outlook import Outlook
from catenary.core.router import Assign, Offered, RouterCore, RouterSettings
from catenary.core.router import SnapshotArrived as RouterSnapshot
from catenary.model.dispatch import PoolState, QueuedCall
from catenary.model.lengths import LengthEstimate
from catenary.model.outcome import Outcome
from catenary.model.plan import WantedWorker, WorkerPhase
from catenary.model.profile import EngineProfile
from catenary.model.worker import DROPPED, Replica, ReplicaState, ResidentCall, Worker
from catenary.policy.admission import AdmissionContext, feasible
from catenary.policy.provisioning.context import Bounds, PlanContext, PlanSettings
from catenary.policy.provisioning.decision import Move, MoveKind, PlanDecision
from catenary.policy.span import Span

PROFILE = EngineProfile("m", max_num_seqs=2, sleep_s=0.4, wake_s=0.5)


def seen(state: ReplicaState, sequence: int, *names: str, ready_in_s: float = 0.0) -> RouterSnapshot:
    calls = tuple(ResidentCall(f"run/{name}", 1, 0, 3, 10, True) for name in names)
    replica = Replica("m", state, sequence, 2, calls=calls, ready_in_s=ready_in_s)
    return RouterSnapshot(Worker("w0", "w0:1", 1, (replica,), sequence=sequence))


def offered(name: str) -> Offered:
    return Offered(QueuedCall(f"run/{name}", 1, "g", "m", 10, 100, LengthEstimate.exactly(10), 0.0))


def test_a_replica_that_wakes_still_has_the_calls_that_it_slept_with() -> None:
    core = RouterCore(RouterSettings(), {"m": PROFILE})
    core.handle(seen(ReplicaState.AWAKE, 1), 0.0)
    for name in ("a", "b"):
        assert isinstance(core.handle(offered(name), 0.0)[0], Assign)
    core.handle(seen(ReplicaState.DRAINING, 2, "a", "b"), 1.0)
    core.handle(seen(ReplicaState.ASLEEP, 3, "a", "b"), 1.4)
    core.handle(offered("c"), 2.0)
    assert core.handle(seen(ReplicaState.AWAKE, 4, "a", "b"), 3.0) == []
    [assigned] = core.handle(seen(ReplicaState.AWAKE, 5, "b"), 4.0)
    assert isinstance(assigned, Assign)
    assert assigned.call.call_id == "run/c"


def test_gateways_hear_that_a_replica_wakes_and_when_it_takes_calls() -> None:
    core = RouterCore(RouterSettings(wakes=True), {"m": PROFILE})
    core.handle(seen(ReplicaState.ASLEEP, 1), 0.0)
    [state] = core.pool_states(0.0)
    assert (state.num_asleep, state.num_starting, round(state.ready_in_s, 3)) == (1, 0, 0.9)
    core.handle(seen(ReplicaState.ASLEEP, 2, ready_in_s=0.3), 0.0)
    [state] = core.pool_states(0.0)
    assert (state.num_asleep, state.num_starting, state.ready_in_s) == (0, 1, 0.3)


def test_a_replica_whose_weights_were_dropped_takes_calls_when_they_have_been_read_again() -> None:
    core = RouterCore(RouterSettings(wakes=True), {"m": replace(PROFILE, reload_s=3.0, prefetch_s=6.0)})
    snapshot = seen(ReplicaState.ASLEEP, 1)
    dropped = replace(snapshot.worker.replicas[0], sleep_level=DROPPED, weights_cold=True)
    core.handle(replace(snapshot, worker=replace(snapshot.worker, replicas=(dropped,))), 0.0)
    [state] = core.pool_states(0.0)
    assert state.ready_in_s == PROFILE.sleep_s + 3.0 + 6.0


def test_nobody_waits_for_a_sleeping_replica_that_nobody_wakes() -> None:
    core = RouterCore(RouterSettings(wakes=False), {"m": PROFILE})
    core.handle(seen(ReplicaState.ASLEEP, 1), 0.0)
    assert feasible(AdmissionContext(Span(0.2), 5.0, {"m"}, {"m": core.pool_states(0.0)[0]})).outcome is (
        Outcome.NO_WORKERS
    )


def test_a_run_is_admitted_for_a_sleeping_model_where_it_can_wait_and_refused_with_a_quote_where_not() -> None:
    pools = {"m": PoolState("m", num_asleep=1, ready_in_s=0.9)}
    patient = feasible(AdmissionContext(Span(0.2), 5.0, {"m"}, pools))
    hasty = feasible(AdmissionContext(Span(0.2), 0.5, {"m"}, pools))
    assert patient.outcome is None
    assert hasty.outcome is Outcome.REJECTED_INFEASIBLE
    assert hasty.quote.deadline_s >= 0.9


class Script:
    """A planner that says what it is told."""

    def __init__(self) -> None:
        self.moves: tuple[Move, ...] = ()
        self.infeasible: tuple[tuple[str, str], ...] = ()

    def __call__(self, context: PlanContext) -> PlanDecision:
        moves, self.moves = self.moves, ()
        return PlanDecision(moves, infeasible=self.infeasible)


def provisioner(script: Script, **plan: float) -> ProvisionerCore:
    settings = PlanSettings(hysteresis_s=0.0, **plan)  # type: ignore[arg-type]
    profiles = {name: replace(PROFILE, model=name) for name in ("x", "y")}
    allocator = Allocator(script, settings, Outlook(profiles, {}))
    return ProvisionerCore([WantedWorker("w0", ("x", "y"))], ProvisionerSettings(policy="risk"), 0.0, allocator)


def shown(x: ReplicaState, y: ReplicaState, reserved: bool = False, num_running: int = 0) -> SnapshotArrived:
    replicas = (Replica("x", x, 1, 2, num_running=num_running, reserved=reserved), Replica("y", y, 1, 2))
    return SnapshotArrived(1, Worker("w0", "w0:1", 1, replicas))


def up(core: ProvisionerCore) -> None:
    core.handle(Tick(), 0.0)
    core.handle(WorkerServing("w0", 1, "w0:1"), 0.1)
    core.handle(shown(ReplicaState.AWAKE, ReplicaState.ASLEEP), 0.2)


def of(kind: type, actions: list[object]) -> list[object]:
    return [action for action in actions if isinstance(action, kind)]


def test_a_switch_puts_one_model_to_sleep_and_only_then_wakes_the_other() -> None:
    script = Script()
    core = provisioner(script)
    up(core)
    script.moves = (Move(MoveKind.SWITCH, "w0", "x", "y", takes_s=0.9, reason="y would miss"),)
    actions = [*core.handle(Tick(), 2.0)]
    assert [a.model for a in actions if isinstance(a, SleepReplica)] == ["x"]
    assert not [a for a in actions if isinstance(a, WakeReplica)]
    assert not of(WakeReplica, [*core.handle(shown(ReplicaState.DRAINING, ReplicaState.ASLEEP), 2.1)])
    core.handle(StepEnded("w0"), 2.4)
    woken = core.handle(shown(ReplicaState.ASLEEP, ReplicaState.ASLEEP), 2.5)
    assert [a.model for a in woken if isinstance(a, WakeReplica)] == ["y"]
    assert any("y would miss" in reason for reason in core.plan(3.0).reasons)


def test_a_lease_is_extended_while_its_holder_has_the_replica_asleep_and_the_plan_leaves_it_alone() -> None:
    core = provisioner(Script())
    up(core)
    assert of(Granted, [*core.handle(AcquireRequested("x", "profiler"), 1.0)])
    actions = core.handle(shown(ReplicaState.ASLEEP, ReplicaState.ASLEEP, reserved=True), 2.0)
    assert not of(WakeReplica, [*actions])
    assert of(Granted, [*core.handle(AcquireRequested("x", "profiler"), 3.0)])


def test_what_sleeps_beside_idle_engines_is_set_aside_for_a_holder_that_wakes_it_and_only_there() -> None:
    core = provisioner(Script())
    up(core)
    (refused, *_) = core.handle(AcquireRequested("y", "profiler"), 1.0)
    assert isinstance(refused, Refused)
    core.handle(shown(ReplicaState.AWAKE, ReplicaState.ASLEEP, num_running=1), 2.0)
    (refused, *_) = core.handle(AcquireRequested("y", "profiler", may_sleep=True), 2.0)
    assert isinstance(refused, Refused)
    assert refused.reason == (
        "model 'y': it sleeps where nothing can be woken for it now: w0 (x has 1 calls); ask again later"
    )
    core.handle(shown(ReplicaState.AWAKE, ReplicaState.ASLEEP), 3.0)
    assert of(Granted, [*core.handle(AcquireRequested("y", "profiler", may_sleep=True), 3.0)])
    actions = core.handle(shown(ReplicaState.ASLEEP, ReplicaState.AWAKE, reserved=True), 4.0)
    assert not of(WakeReplica, [*actions])
    assert not of(SleepReplica, [*actions])


def test_an_infeasible_target_is_said_once() -> None:
    script = Script()
    core = provisioner(script)
    up(core)
    script.infeasible = (("chain", "too few accelerators"),)
    for moment in range(2, 20):
        core.handle(Tick(), float(moment))
    assert sum("too few accelerators" in reason for reason in core.plan(20.0).reasons) == 1


def test_an_idle_worker_is_released_in_time_and_started_again_when_the_plan_wants_it() -> None:
    script = Script()
    core = provisioner(script, idle_release_s=5.0)
    up(core)
    script.moves = (Move(MoveKind.SLEEP, "w0", "x"),)
    core.handle(Tick(), 2.0)
    core.handle(StepEnded("w0"), 2.4)
    core.handle(shown(ReplicaState.ASLEEP, ReplicaState.ASLEEP), 2.5)
    stops = [moment for moment in range(3, 12) if of(StopWorker, [*core.handle(Tick(), float(moment))])]
    assert len(stops) == 1
    assert stops[0] <= 9
    core.handle(ProcessEnded("w0", 1, "ended"), 12.0)
    assert core.plan(12.0).workers[0].phase is WorkerPhase.RELEASED
    assert not of(StartWorker, [*core.handle(Tick(), 20.0)])
    script.moves = (Move(MoveKind.START, "w0", "", "x"),)
    assert of(StartWorker, [*core.handle(Tick(), 22.0)])


def asleep(name: str, num_frozen: int = 0) -> Worker:
    replicas = (
        Replica("x", ReplicaState.ASLEEP, 1, 2, num_running=num_frozen),
        Replica("y", ReplicaState.ASLEEP, 1, 2),
    )
    return Worker(name, f"{name}:1", 1, replicas)


def released(bounds: dict[str, Bounds], *workers: Worker) -> list[str]:
    """What an allocator gives back of workers on which nothing has been awake for ten seconds, five being allowed."""
    allocator = Allocator(Script(), PlanSettings(idle_release_s=5.0), Outlook({"x": PROFILE, "y": PROFILE}, bounds))
    allocator.plan(workers, 0.0)
    return [move.worker_id for move in allocator.plan(workers, 10.0)]


def test_as_many_replicas_as_are_kept_warm_stay_loaded_however_idle() -> None:
    workers = (asleep("w0"), asleep("w1"), asleep("w2"))
    assert released({}, *workers) == ["w0", "w1", "w2"]
    assert released({"x": Bounds(keep_warm=2)}, *workers) == ["w0"]


def test_a_worker_with_frozen_calls_is_not_released() -> None:
    assert released({}, asleep("w0"), asleep("w1", num_frozen=1)) == ["w0"]
