"""Which runs are admitted, on pools made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catenary.model.dispatch import PoolState
from catenary.model.outcome import Outcome
from catenary.policy.admission.decision import AdmissionContext
from catenary.policy.admission.feasible import feasible
from catenary.policy.span import Span

IDLE = PoolState("m", num_replicas=1, num_seats=4)


def outcome(pool: PoolState, deadline_s: float, least: float = 0.5, briefest: Span | None = None) -> Outcome | None:
    """Of a run of 1 s, give or take 0.2 s; its chances are 2 % in 0.65 s, 16 % in 0.8 s and 50 % in 1 s."""
    context = AdmissionContext(Span(1.0, 0.04), deadline_s, ["m"], {"m": pool}, least, briefest)
    return feasible(context).outcome


def test_a_small_chance_is_enough_where_nobody_waits() -> None:
    queued = replace(IDLE, num_queued=1)
    assert outcome(IDLE, 0.8) is None
    assert outcome(queued, 0.8) is Outcome.REJECTED_INFEASIBLE
    assert outcome(queued, 1.1) is None
    assert outcome(IDLE, 0.6) is Outcome.REJECTED_INFEASIBLE


def test_lengths_that_are_not_learned_count_with_their_fewest_tokens() -> None:
    assert outcome(IDLE, 0.5) is Outcome.REJECTED_INFEASIBLE
    assert outcome(IDLE, 0.5, briefest=Span(0.3, 0.01)) is None


@pytest.mark.parametrize("coming", [{"num_starting": 1}, {"num_asleep": 1}])
def test_a_run_is_admitted_where_a_replica_that_is_on_its_way_will_be_in_time(coming: dict[str, int]) -> None:
    pool = PoolState("m", ready_in_s=2.0, **coming)
    assert outcome(PoolState("m"), 9.0) is Outcome.NO_WORKERS
    assert outcome(pool, 2.0) is Outcome.REJECTED_INFEASIBLE
    assert outcome(pool, 4.0) is None


def test_what_waits_already_is_shared_by_all_seats() -> None:
    pool = replace(IDLE, num_queued=3, queued_work_s=4.0)
    assert outcome(pool, 1.5) is Outcome.REJECTED_INFEASIBLE
    assert outcome(pool, 2.2) is None


def test_work_that_can_wait_until_after_the_deadline_is_no_reason_to_refuse() -> None:
    pool = replace(IDLE, num_queued=8, queued_work_s=16.0)
    context = AdmissionContext(Span(1.0, 0.04), 2.0, ["m"], {"m": pool})
    refused = feasible(context)
    assert refused.outcome is Outcome.REJECTED_INFEASIBLE
    admitted = feasible(replace(context, deferrable={"m": 1.0}))
    assert admitted.outcome is None
    assert admitted.predicted_s < 1.1
    assert admitted.quote == refused.quote
    assert feasible(replace(context, deferrable={"m": 0.25})).outcome is Outcome.REJECTED_INFEASIBLE


def test_a_run_that_costs_others_more_than_its_own_chance_is_refused_where_nobody_waits() -> None:
    context = AdmissionContext(Span(1.0, 0.04), 1.0, ["m"], {"m": IDLE}, 0.1, others_loss=0.6)
    refused = feasible(context)
    assert refused.outcome is Outcome.REJECTED_INFEASIBLE
    assert "others would lose more: 0.600" in refused.reason
    assert feasible(replace(context, others_loss=0.4)).outcome is None
    assert feasible(replace(context, briefest=Span(0.3, 0.01))).outcome is None
