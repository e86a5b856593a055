"""Which models the policies want awake where, and that they stay with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from catenary.core.provisioner.allocator import Allocator
from catenary.core.provisioner.outlook import Outlook
from catenary.model.demand import DemandReport, ModelShare, WorkflowArrivals
from catenary.model.dispatch import PoolState
from catenary.model.profile import EngineProfile
from catenary.model.worker import Replica, ReplicaState, ResidentCall, SleepMode, Worker
from catenary.policy.prediction import Traffic
from catenary.policy.provisioning import PLANNERS
from catenary.policy.provisioning.candidates import candidates
from catenary.policy.provisioning.context import (
    Accelerator,
    ActionTimes,
    Bounds,
    PlanContext,
    PlanSettings,
    PoolOutlook,
    WorkflowOutlook,
)
from catenary.policy.provisioning.decision import Move, MoveKind, PlanDecision
from catenary.policy.provisioning.misses import MissForecast
from catenary.policy.provisioning.parting import rehomed
from catenary.policy.provisioning.risk import risk
from catenary.policy.provisioning.sharing import moved
from catenary.policy.provisioning.worth import Worth

PROFILES = {
    name: EngineProfile(name, prefill_base_s=0.003, step_base_s=0.008, sleep_s=0.4, wake_s=0.5) for name in ("x", "y")
}
CALL = ModelShare("", 1.0, 256.0, 100.0, 0.8, 0.0)


@dataclass
class Bench:
    """Six workers with both models, whose replicas do at once what a step says."""

    settings: PlanSettings
    policy: str = "risk"
    bounds: dict[str, Bounds] = field(default_factory=dict)
    runs: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.allocator = Allocator(PLANNERS[self.policy], self.settings, Outlook(dict(PROFILES), self.bounds))
        self.workers = {f"w{i}": _worker(f"w{i}", "x" if i < 3 else "y") for i in range(6)}

    def play(self, until_s: float, rate: Callable[[str, float], float]) -> None:
        now = 0.0
        while now < until_s:
            now += 0.25
            for name in PROFILES:
                self.runs[name] = self.runs.get(name, 0.0) + 0.25 * rate(name, now)
            self.allocator.outlook.take_demand(self._report(rate, now), now)
            if now % 1.0 == 0:
                self.allocator.plan(self.workers.values(), now)
            for name in self.workers:
                self._follow(name, now)

    def awake(self, model: str) -> int:
        return sum(
            r.model == model and r.state is ReplicaState.AWAKE for w in self.workers.values() for r in w.replicas
        )

    def _report(self, rate: Callable[[str, float], float], now: float) -> DemandReport:
        workflows = tuple(_arrived(name, self.runs[name]) for name in PROFILES)
        pools = tuple(PoolState(name, num_running=round(0.8 * rate(name, now))) for name in PROFILES)
        return DemandReport("g", 1, workflows, (), pools)

    def _follow(self, name: str, now: float) -> None:
        while (step := self.allocator.step(self.workers[name], now)) is not None:
            state = ReplicaState.ASLEEP if step.what == "sleep" else ReplicaState.AWAKE
            worker = self.workers[name]
            replicas = tuple(replace(r, state=state) if r.model == step.model else r for r in worker.replicas)
            self.workers[name] = replace(worker, replicas=replicas)
            self.allocator.step_ended(name)


def _arrived(name: str, runs: float) -> WorkflowArrivals:
    share = ModelShare(name, runs, 256 * runs, 100 * runs, 0.8 * runs, 0.0)
    return WorkflowArrivals(name, runs, runs, 2.2 * runs, 4.9 * runs, (share,))


def _worker(name: str, first: str) -> Worker:
    replicas = tuple(
        Replica(model, ReplicaState.AWAKE if model == first else ReplicaState.ASLEEP, 1, 16) for model in PROFILES
    )
    return Worker(name, f"{name}:1", 1, replicas)


def pool(model: str, rate: float, **changes: Any) -> PoolOutlook:
    times = ActionTimes(sleep_s=0.4, wake_s=0.5)
    outlook = PoolOutlook(model, PROFILES[model], times, traffic=Traffic(256, 100), rate=rate, num_running=0.8 * rate)
    return replace(outlook, **changes)


def workflow(model: str, rate: float) -> WorkflowOutlook:
    return WorkflowOutlook(model, rate, 2.2, 0.2, {model: 1.0}, {model: 0.0}, 0.85)


def context(x: float, y: float, awake: list[str], **settings: Any) -> PlanContext:
    accelerators = tuple(
        Accelerator(f"w{i}", model, asleep=tuple(m for m in PROFILES if m != model)) for i, model in enumerate(awake)
    )
    pools = {"x": pool("x", x), "y": pool("y", y)}
    plan = PlanSettings(**settings)
    return PlanContext(accelerators, pools, (workflow("x", x), workflow("y", y)), settings=plan)


def test_an_accelerator_is_switched_to_the_model_that_would_miss() -> None:
    [move] = risk(context(40, 4, ["x", "x", "y", "y"])).moves[:1]
    assert (move.kind, move.before, move.after) == (MoveKind.SWITCH, "y", "x")
    assert move.misses_avoided > 1


def test_frozen_calls_are_woken_where_they_are_though_their_model_is_awake_elsewhere() -> None:
    accelerators = (
        Accelerator("w0", "y", asleep=("x",)),
        Accelerator("w1", "y", asleep=("x",), frozen={"x": 3}),
        Accelerator("w2", "x", asleep=("y",)),
    )
    pools = {"x": pool("x", 0.0, num_running=3.0), "y": pool("y", 0.0)}
    moves = risk(PlanContext(accelerators, pools)).moves
    assert [(move.worker_id, move.before, move.after) for move in moves] == [("w1", "y", "x")]


def test_frozen_calls_of_two_models_do_not_hold_each_other_asleep() -> None:
    accelerators = (
        Accelerator("w0", "y", asleep=("x",), frozen={"x": 8}),
        Accelerator("w1", "x", asleep=("y",), frozen={"y": 8}),
    )
    pools = {"x": pool("x", 0.0, num_running=8.0), "y": pool("y", 0.0, num_running=8.0)}
    moves = risk(PlanContext(accelerators, pools)).moves
    assert [(move.worker_id, move.after) for move in moves] == [("w0", "x"), ("w1", "y")]


@pytest.mark.parametrize(("slack_s", "freezes"), [(90.0, True), (5.0, False)])
def test_running_calls_with_slack_are_frozen_for_a_few_that_wait_and_have_none(slack_s: float, freezes: bool) -> None:
    accelerator = Accelerator("w0", "x", asleep=("y",), num_calls=8)
    pools = {
        "x": pool("x", 0.0, num_running=8.0, slack_s=slack_s, traffic=Traffic(128, 2500)),
        "y": pool("y", 0.0, num_running=0.0, num_queued=4.0, waves=((0.0, 4.0),), slack_s=9.0),
    }
    moves = risk(PlanContext((accelerator,), pools)).moves
    wanted = [(MoveKind.SWITCH, "x", "y", SleepMode.FREEZE)] if freezes else []
    assert [(move.kind, move.before, move.after, move.mode) for move in moves] == wanted


@pytest.mark.parametrize(
    ("awake", "calls", "mode"), [("y", 4, SleepMode.REPLAY), ("y", 16, SleepMode.DRAIN), ("x", 4, SleepMode.FREEZE)]
)
def test_a_switch_lets_calls_go_on_elsewhere_where_that_costs_less_than_their_ends(
    awake: str, calls: int, mode: SleepMode
) -> None:
    """A prompt takes a quarter of a second, a call at half a batch three."""
    profile = replace(PROFILES["y"], prefill_token_s=0.001)
    other = Accelerator("w1", awake, asleep=tuple(m for m in PROFILES if m != awake), num_calls=calls)
    accelerators = (Accelerator("w0", "y", asleep=("x",), num_calls=calls), other)
    there = PlanContext(accelerators, {"x": pool("x", 8), "y": pool("y", 8, profile=profile)})
    [move] = [m for m in candidates(there, accelerators) if m.key == (MoveKind.SWITCH, "y", "x")]
    assert (move.worker_id, move.mode) == ("w0", mode)
    assert (move.takes_s > 1.0) == (mode is SleepMode.DRAIN)


def all_to_x(context: PlanContext) -> PlanDecision:
    """A policy that wants y nowhere."""
    held, moves = context.accelerators, []
    for _ in held:
        moves.append(next(m for m in candidates(context, held) if m.key == (MoveKind.SWITCH, "y", "x")))
        held = moved(held, moves[-1])
    return PlanDecision(tuple(moves))


def test_two_switches_that_begin_together_do_not_count_on_each_others_replica() -> None:
    calls = tuple(ResidentCall(f"r{i}/c", 1, 1, 3, 5, True) for i in range(4))
    replicas = (Replica("x", ReplicaState.ASLEEP, 1, 16), Replica("y", ReplicaState.AWAKE, 1, 16, 4, calls=calls))
    workers = [Worker(f"w{i}", f"w{i}:1", 1, replicas) for i in range(2)]
    allocator = Allocator(all_to_x, PlanSettings(hysteresis_s=0.0), Outlook(dict(PROFILES), {}))
    modes = {move.mode for move in allocator.plan(workers, 10.0)}
    assert modes == {SleepMode.DRAIN}
    assert {step.mode for worker in workers if (step := allocator.step(worker, 10.0))} == modes


def test_a_switch_that_is_chosen_after_another_sees_that_nobody_else_stays_awake() -> None:
    accelerators = tuple(Accelerator(f"w{i}", "y", asleep=("x",), num_calls=4) for i in range(2))
    there = PlanContext(accelerators, {"x": pool("x", 8), "y": pool("y", 8)})
    first = next(m for m in candidates(there, accelerators) if m.kind is MoveKind.SWITCH)
    assert first.mode is SleepMode.REPLAY
    second = next(m for m in candidates(there, moved(accelerators, first)) if m.kind is MoveKind.SWITCH)
    assert second.mode is not SleepMode.REPLAY
    assert [m.mode is SleepMode.REPLAY for m in rehomed(there, [first])] == [True]
    assert [m.mode is SleepMode.REPLAY for m in rehomed(there, [first, second])] == [False, False]


def test_frozen_calls_with_slack_wait_until_those_that_have_none_have_ended() -> None:
    accelerator = Accelerator("w0", "y", asleep=("x",), num_calls=4, frozen={"x": 8})
    pools = {
        "x": pool("x", 0.0, num_running=8.0, slack_s=60.0),
        "y": pool("y", 0.0, num_running=4.0, slack_s=5.0),
    }
    assert not risk(PlanContext((accelerator,), pools)).moves
    idle = {**pools, "y": pool("y", 0.0, num_running=0.0)}
    [move] = risk(PlanContext((replace(accelerator, num_calls=0),), idle)).moves
    assert (move.before, move.after) == ("y", "x")


def test_where_nobody_misses_nothing_is_moved() -> None:
    assert risk(context(8, 8, ["x", "x", "y", "y"])).moves == ()


def test_a_sleeping_model_wakes_before_the_calls_reach_it() -> None:
    """Nothing of y runs or waits yet; admitted runs will ask for it in a second."""
    base = context(10, 0, ["x", ""])
    waves = tuple((1.0 + 0.1 * i, 2.0) for i in range(10))
    chain = WorkflowOutlook("chain", 10, 2.2, 0.2, {"x": 0.5, "y": 0.5}, {"x": 0.0, "y": 0.8}, 1.7)
    pools = {"x": pool("x", 10), "y": pool("y", 10, waves=waves, num_running=0.0, after_s=0.8)}
    decision = risk(replace(base, pools=pools, workflows=(chain,)))
    assert [(m.kind, m.after) for m in decision.moves] == [(MoveKind.WAKE, "y")]


def test_two_models_of_a_chain_wake_together_where_neither_alone_is_worth_its_price() -> None:
    chain = WorkflowOutlook("chain", 24, 2.2, 0.2, {"x": 0.5, "y": 0.5}, {"x": 0.0, "y": 0.8}, 1.7)
    base = context(24, 24, ["x", "y", "", ""], replica_price=3.5)
    one = [a for a in base.accelerators if a.worker_id != "w3"]
    assert risk(replace(base, workflows=(chain,), accelerators=tuple(one))).moves == ()
    both = risk(replace(base, workflows=(chain,)))
    assert sorted(m.after for m in both.moves) == ["x", "y"]
    assert {m.kind for m in both.moves} == {MoveKind.WAKE}


def test_idle_replicas_sleep_when_awake_ones_have_a_price_and_the_least_stay() -> None:
    base = context(0.5, 0, ["x", "x", "y"], replica_price=0.1)
    pools = {**base.pools, "y": replace(base.pools["y"], bounds=Bounds(min_awake=1))}
    moves = risk(replace(base, pools=pools)).moves
    assert [(m.kind, m.before) for m in moves] == [(MoveKind.SLEEP, "x")]


def test_a_target_out_of_reach_is_said_to_be_infeasible_and_stays_within_the_budget() -> None:
    decision = risk(context(400, 0.1, ["x", "x", "", ""], budget=3))
    assert len([m for m in decision.moves if m.kind is MoveKind.WAKE]) <= 1
    assert any("4 accelerators and a budget of 3" in reason for _, reason in decision.infeasible)


def test_a_target_that_chance_alone_endangers_is_not_said_to_be_infeasible() -> None:
    decision = risk(context(20, 20, ["x", "x", "y", "y"]))
    assert decision.misses > 0.05 * 40 * decision.horizon_s
    assert decision.infeasible == ()


def test_a_sawtooth_does_not_make_it_flap() -> None:
    def rate(model: str, now: float) -> float:
        phase = (now / 3.0) % 2 < 1
        return 40.0 if phase == (model == "x") else 15.0

    bench = Bench(PlanSettings())
    bench.play(60, rate)
    assert bench.allocator.num_switches <= 4


def test_a_lasting_change_of_the_mix_is_followed() -> None:
    bench = Bench(PlanSettings())
    bench.play(60, lambda model, now: (35.0 if now > 20 else 20.0) if model == "x" else 10.0)
    assert bench.awake("x") > 3
    assert bench.awake("y") >= 1


@pytest.mark.parametrize("policy", ["risk", "reactive"])
def test_what_nobody_asks_for_goes_to_sleep_and_wakes_again(policy: str) -> None:
    bench = Bench(PlanSettings(replica_price=0.1), policy)
    bench.play(60, lambda model, now: 20.0 if now < 20 or now > 50 else 0.0)
    assert bench.awake("x") >= 1
    quiet = Bench(PlanSettings(replica_price=0.1), policy)
    quiet.play(50, lambda model, now: 20.0 if now < 20 else 0.0)
    assert (quiet.awake("x"), quiet.awake("y")) == (0, 0)


def test_bounds_hold_whatever_arrives() -> None:
    bench = Bench(PlanSettings(), bounds={"x": Bounds(max_awake=3), "y": Bounds(min_awake=2)})
    bench.play(30, lambda model, now: 200.0 if model == "x" else 0.0)
    assert bench.awake("x") <= 3
    assert bench.awake("y") >= 2


def test_a_wake_costs_only_the_time_in_which_the_replica_is_awake() -> None:
    planned = context(0.1, 0.1, ["x", "y", ""], replica_price=0.5)
    worth = Worth(planned, MissForecast(planned))
    now = worth.now()
    waking_s = worth.forecast.horizon_s / 2
    at_once = worth.of(Move(MoveKind.WAKE, "w2", after="x"), now)
    slowly = worth.of(Move(MoveKind.WAKE, "w2", after="x", takes_s=waking_s), now)
    assert slowly.runs - at_once.runs == pytest.approx(0.5 * waking_s, abs=0.1)
