"""What every provisioning policy promises, whatever it is given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catenary.model.profile import EngineProfile
from catenary.model.worker import SleepMode
from catenary.policy.provisioning import PLANNERS
from catenary.policy.provisioning.context import (
    Accelerator,
    ActionTimes,
    Bounds,
    PlanContext,
    PlanSettings,
    PoolOutlook,
    WorkflowOutlook,
)
from catenary.policy.provisioning.decision import MoveKind
from catenary.policy.provisioning.parting import rehomed
from catenary.policy.provisioning.sharing import moved

MODELS = ("x", "y", "z")
GIB = 1 << 30
TIMES = ActionTimes(sleep_s=0.4, wake_s=0.5, start_s=20.0, reload_s=3.0, prefetch_s=5.0)
SETTINGS = settings(max_examples=30, deadline=None)


@st.composite
def accelerators(draw: st.DrawFn, name: str) -> Accelerator:
    awake = draw(st.sampled_from(["", *MODELS]))
    others = [model for model in MODELS if model != awake]
    asleep = tuple(draw(st.lists(st.sampled_from(others), unique=True)))
    return Accelerator(
        name,
        awake,
        draw(st.sampled_from([0.0, 0.3])) if awake else 0.0,
        asleep,
        startable=tuple(model for model in others if model not in asleep),
        num_calls=draw(st.integers(0, 16)) if awake else 0,
        frozen={model: draw(st.integers(0, 8)) for model in asleep},
        movable=draw(st.booleans()),
        still_s=draw(st.sampled_from([0.0, 60.0])),
        idle_s=0.0 if awake else draw(st.sampled_from([0.0, 60.0])),
        size=draw(st.integers(1, 2)),
        memory_bytes=80 * GIB,
        needs={model: draw(st.sampled_from([20, 50])) * GIB for model in MODELS},
        dropped=frozenset(draw(st.lists(st.sampled_from(asleep)) if asleep else st.just([]))),
        cold=frozenset(draw(st.lists(st.sampled_from(MODELS)))),
    )


@st.composite
def contexts(draw: st.DrawFn) -> PlanContext:
    pools, workflows = {}, []
    for model in MODELS:
        rate, least = draw(st.floats(0, 60)), draw(st.integers(0, 1))
        bounds = Bounds(least, draw(st.integers(least, 4)))
        queued, running = draw(st.integers(0, 40)), draw(st.integers(0, 16))
        profile = EngineProfile(model, prefill_base_s=0.003, step_base_s=0.008)
        pools[model] = PoolOutlook(model, profile, TIMES, bounds, rate=rate, num_running=running, num_queued=queued)
        workflows.append(WorkflowOutlook(model, rate, draw(st.floats(1, 5)), 0.2, {model: 1.0}, {model: 0.0}, 0.85))
    price, together = draw(st.sampled_from([0.0, 0.1, 3.0])), draw(st.integers(1, 2))
    plan = PlanSettings(draw(st.integers(1, 6)), replica_price=price, awake_together=together)
    workers = tuple(draw(accelerators(f"w{i}")) for i in range(draw(st.integers(1, 4))))
    return PlanContext(workers, pools, tuple(workflows), settings=plan)


def awake(held: Sequence[Accelerator]) -> Counter[str]:
    return Counter(model for accelerator in held for model, _ in accelerator.engines)


def busy(held: Sequence[Accelerator]) -> int:
    """Accelerators on which something is awake."""
    return sum(accelerator.size for accelerator in held if accelerator.awake)


@pytest.mark.parametrize("name", PLANNERS)
@given(context=contexts())
@SETTINGS
def test_each_move_can_be_made_and_stays_within_budget_bounds_and_memory(name: str, context: PlanContext) -> None:
    held = context.accelerators
    for move in PLANNERS[name](context).moves:
        (accelerator,) = (a for a in held if a.worker_id == move.worker_id)
        if move.kind is MoveKind.PREFETCH:
            continue
        assert accelerator.movable
        assert move.before in ("", *dict(accelerator.engines))
        assert move.after in ("", *accelerator.asleep, *accelerator.startable)
        then = moved(held, move)
        assert busy(then) <= max(busy(held), context.settings.budget)
        before, after = awake(held), awake(then)
        for model, pool in context.pools.items():
            assert after[model] <= max(before[model], pool.bounds.max_awake)
            assert after[model] >= min(before[model], pool.bounds.min_awake)
        (changed,) = (a for a in then if a.worker_id == move.worker_id)
        assert len(changed.engines) <= max(len(accelerator.engines), context.settings.awake_together)
        if len(changed.engines) > 1:
            assert sum(changed.needs[model] for model, _ in changed.engines) <= changed.memory_bytes
        held = then


@pytest.mark.parametrize("name", PLANNERS)
@given(context=contexts(), random=st.randoms(use_true_random=False))
@SETTINGS
def test_plans_do_not_depend_on_the_order_of_the_workers(name: str, context: PlanContext, random: Random) -> None:
    shuffled = list(context.accelerators)
    random.shuffle(shuffled)
    pools = dict(sorted(context.pools.items(), reverse=True))
    assert PLANNERS[name](replace(context, accelerators=tuple(shuffled))).moves == PLANNERS[name](context).moves
    again = PLANNERS[name](replace(context, pools=pools))
    assert sorted(map(str, again.moves)) == sorted(map(str, PLANNERS[name](context).moves))


@pytest.mark.parametrize("name", PLANNERS)
@given(context=contexts())
@SETTINGS
def test_calls_go_on_elsewhere_only_where_a_replica_stays_awake_once_all_moves_have_begun(
    name: str, context: PlanContext
) -> None:
    moves = rehomed(context, PLANNERS[name](context).moves)
    held = context.accelerators
    for move in moves:
        held = held if move.kind is MoveKind.PREFETCH else moved(held, move)
    left = awake(held)
    assert all(left[move.before] for move in moves if move.mode is SleepMode.REPLAY)
