"""Which weights are read ahead of a load, and when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from catenary.core.provisioner import ProvisionerCore, ProvisionerSettings
from catenary.core.provisioner.allocator import Allocator
from catenary.core.provisioner.events import (
    PrefetchEnded,
    PrefetchWeights,
    ProvisionerAction,
    SnapshotArrived,
    Tick,
    WorkerServing,
)
from catenary.core.provisioner.outlook import Outlook
from catenary.model.plan import WantedWorker
from catenary.model.profile import EngineProfile
from catenary.model.worker import DROPPED, Replica, ReplicaState, Worker
from catenary.policy.prediction import Traffic
from catenary.policy.provisioning.context import (
    Accelerator,
    ActionTimes,
    PlanContext,
    PlanSettings,
    PoolOutlook,
    WorkflowOutlook,
)
from catenary.policy.provisioning.decision import Move, MoveKind, PlanDecision
from catenary.policy.provisioning.risk import risk

PROFILE = EngineProfile("x", prefill_base_s=0.003, step_base_s=0.008, sleep_s=0.4, wake_s=0.5)
TIMES = ActionTimes(sleep_s=0.4, wake_s=0.5, start_s=30.0, reload_s=2.0, prefetch_s=6.0)
COLD = Accelerator("w1", asleep=("x",), dropped=frozenset({"x"}), cold=frozenset({"x"}))


def context(*spares: Accelerator, rate: float = 6.0, **settings: Any) -> PlanContext:
    """One replica of x awake, which serves 6 calls/s and not 12; ``spares`` beside it."""
    pool = PoolOutlook("x", PROFILE, TIMES, traffic=Traffic(256, 100), rate=rate, num_running=0.8 * rate)
    workflow = WorkflowOutlook("x", rate, 2.2, 0.2, {"x": 1.0}, {"x": 0.0}, 0.85)
    plan = PlanSettings(**{"replica_price": 0.5, **settings})
    return PlanContext((Accelerator("w0", "x"), *spares), {"x": pool}, (workflow,), settings=plan)


def prefetches(plan: PlanContext) -> list[Move]:
    return [move for move in risk(plan).moves if move.kind is MoveKind.PREFETCH]


def test_cold_weights_that_a_burst_would_ask_for_are_read_while_nothing_is_missed_yet() -> None:
    decision = risk(context(COLD))
    assert [(move.kind, move.worker_id, move.after, move.takes_s) for move in decision.moves] == [
        (MoveKind.PREFETCH, "w1", "x", 6.0)
    ]
    assert "at hand, ready in 2.0 s, not 8.0 s" in str(decision.moves[0])


def test_nothing_is_read_where_it_would_help_nobody() -> None:
    assert not prefetches(context(COLD, rate=1.0)), "one replica serves twice the arrivals"
    assert not prefetches(context(replace(COLD, fetched=frozenset({"x"})))), "it is being read, or does not stay"
    assert not prefetches(context(COLD, prefetch=False))
    assert not prefetches(context(COLD, replace(COLD, worker_id="w2", dropped=frozenset(), cold=frozenset())))
    unmeasured = context(COLD)
    pool = replace(unmeasured.pools["x"], times=replace(TIMES, prefetch_s=0.0))
    assert not prefetches(replace(unmeasured, pools={"x": pool})), "what reading takes is not known"


def test_one_accelerator_reads_one_model_at_a_time() -> None:
    two = context(COLD)
    reading = replace(COLD, asleep=("x", "y"), dropped=frozenset("xy"), cold=frozenset("xy"), fetched=frozenset("y"))
    assert not prefetches(replace(two, accelerators=(two.accelerators[0], reading)))
    other = replace(COLD, worker_id="w2")
    assert [
        move.worker_id for move in prefetches(replace(two, accelerators=(two.accelerators[0], reading, other)))
    ] == ["w2"]


def test_a_switch_has_its_weights_read_while_calls_end() -> None:
    plan = context(rate=12.0)
    idle = replace(plan.pools["x"], model="y", rate=0.0, num_running=0.0)
    shared = Accelerator("w1", "y", asleep=("x",), dropped=frozenset({"x"}), cold=frozenset({"x"}), num_calls=2)
    moves = risk(replace(plan, accelerators=(Accelerator("w0", "x"), shared), pools={**plan.pools, "y": idle})).moves
    assert [(move.kind, move.worker_id, move.after) for move in moves] == [
        (MoveKind.SWITCH, "w1", "x"),
        (MoveKind.PREFETCH, "w1", "x"),
    ]
    assert moves[0].takes_s >= TIMES.sleep_s + TIMES.reload_s + TIMES.prefetch_s


def test_a_wake_counts_the_reading_of_cold_weights_only() -> None:
    taken = {
        cold: next(move.takes_s for move in risk(context(spare, rate=12.0)).moves if move.kind is MoveKind.WAKE)
        for cold, spare in ((True, COLD), (False, replace(COLD, cold=frozenset())))
    }
    assert taken == {True: 8.0, False: 2.0}


def core_with_cold_weights() -> ProvisionerCore:
    """Its planner, which asks for the same prefetch again and again, is real but for what it looks at."""

    def planner(seen: PlanContext) -> PlanDecision:
        accelerators = tuple(replace(COLD, worker_id=a.worker_id, fetched=a.fetched) for a in seen.accelerators)
        base = context()
        return risk(replace(base, accelerators=(*base.accelerators, *accelerators)))

    allocator = Allocator(planner, PlanSettings(), Outlook({"x": PROFILE}, {}))
    return ProvisionerCore([WantedWorker("w1", ("x",))], ProvisionerSettings(policy="risk"), 0.0, allocator)


def snapshot() -> Worker:
    asleep = Replica("x", ReplicaState.ASLEEP, 1, 2, sleep_level=DROPPED, weights_cold=True)
    return Worker("w1", "w1:1", 1, (asleep,))


def begun(actions: list[ProvisionerAction]) -> list[ProvisionerAction]:
    return [action for action in actions if isinstance(action, PrefetchWeights)]


def test_the_worker_is_told_once_a_minute_and_the_plan_says_why_and_how_it_ended() -> None:
    core = core_with_cold_weights()
    core.handle(Tick(), 0.0)
    core.handle(WorkerServing("w1", 1, "w1:1"), 0.1)
    core.handle(SnapshotArrived(1, snapshot()), 0.2)
    assert begun(core.handle(Tick(), 1.5)) == [PrefetchWeights("w1", "w1:1", "x")]
    core.handle(PrefetchEnded("w1", "x", 2 << 30, 6.0), 8.0)
    assert core.plan(8.0).reasons[-1] == "w1: weights of x read, 2.0 GiB in 6.0 s"
    assert any(reason.startswith("w1 prefetches x: with 2 times the arrivals") for reason in core.plan(8.0).reasons)
    assert not begun(core.handle(Tick(), 9.0)), "its page cache is too small for them"
    core.handle(SnapshotArrived(1, snapshot()), 61.0)
    assert begun(core.handle(Tick(), 62.0))
    core.handle(PrefetchEnded("w1", "x", error="model 'x': its weights are being read"), 63.0)
    assert core.plan(63.0).reasons[-1] == "w1: x not prefetched, model 'x': its weights are being read"
