"""Runs from admission to outcome, as the gateway's core decides them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gateway_driver import CHAIN, POOL, TWO, GatewayDriver

from catenary.core.gateway.events import (
    Abort,
    CallRejected,
    CancelRequested,
    CreateRun,
    EndRun,
    Offer,
    PoolsReported,
    Publish,
    Refuse,
    RunFenced,
    Tick,
    Withdraw,
)
from catenary.model.dispatch import PoolState
from catenary.model.outcome import FinishReason, Outcome, PriorityClass, State
from catenary.model.run import CallFinished, CallStarted, CallTokens, RunFinished
from catenary.policy.ordering.standing import OVERDRAWN

FAILING = CHAIN.replace("deadline: 10s", "deadline: 10s, on_miss: fail")

BRANCH = """
name: branch
calls:
  a: {model: m, prompt: "A", max_tokens: 10}
  b: {model: m, prompt: "B", when: "{{ 'go' in a.text }}", max_tokens: 10}
output: "{{ b.text or a.text }}"
"""


def test_a_chain_runs_call_by_call_and_its_output_is_the_last_text() -> None:
    driver = GatewayDriver()
    driver.submit(CHAIN)
    assert [str(offer.call.call_id) for offer in driver.of(Offer)] == ["run/a"]
    driver.run_call("a", "hello")
    driver.run_call("b", "world")
    run = driver.ended()
    assert (run.outcome, run.met, run.output) == (Outcome.SUCCEEDED, True, "world")
    assert [record.state for record in run.calls] == [State.FINISHED, State.FINISHED]
    assert driver.core.runs == {}


def test_stored_events_are_numbered_without_gaps_and_tokens_are_not_numbered() -> None:
    driver = GatewayDriver()
    driver.submit(CHAIN)
    driver.run_call("a")
    driver.run_call("b")
    events = [action.event for action in driver.actions if isinstance(action, CreateRun | Publish | EndRun)]
    numbered = [event.sequence for event in events if event.sequence]
    assert numbered == list(range(1, len(numbered) + 1))
    assert {event.sequence for event in events if isinstance(event.body, CallTokens)} == {0}
    assert isinstance(events[-1].body, RunFinished)


def test_time_saved_by_an_early_call_is_slack_of_the_next() -> None:
    driver = GatewayDriver()
    driver.submit(CHAIN)
    slack_at_start = driver.last_offer("a").call.latest_finish
    driver.now = 0.05
    driver.run_call("a")
    (finished,) = driver.events(CallFinished)
    assert slack_at_start < driver.last_offer("b").call.latest_finish == 10.0
    assert finished.record.slack_after_s == pytest.approx(10.0 - 0.05 - (0.01 + 10 * 0.01), abs=0.02)


@pytest.mark.parametrize("by_slack", [True, False])
def test_a_short_run_passes_queued_ones_with_time_where_the_least_slack_comes_first(by_slack: bool) -> None:
    driver = GatewayDriver(by_slack=by_slack)
    for number in range(3):
        driver.submit(CHAIN, f"patient-{number}", deadline_s=60.0)
    driver.feed(PoolsReported([replace(POOL, num_running=16, num_queued=3, queued_work_s=80.0)]))
    driver.submit(CHAIN, "short", deadline_s=2.0)
    assert [refuse.refusal.outcome for refuse in driver.of(Refuse)] == [Outcome.REJECTED_INFEASIBLE] * (not by_slack)


def test_a_run_that_cannot_be_in_time_is_refused_with_a_quote() -> None:
    driver = GatewayDriver()
    driver.submit(CHAIN, deadline_s=0.001)
    (refuse,) = driver.of(Refuse)
    assert refuse.refusal.outcome is Outcome.REJECTED_INFEASIBLE
    assert refuse.refusal.quote.deadline_s > 0.2
    assert driver.of(Offer) == []
    driver.submit(CHAIN, run_id="again", deadline_s=refuse.refusal.quote.deadline_s)
    assert len(driver.of(Offer)) == 1


def test_without_a_replica_awake_or_coming_a_run_is_refused() -> None:
    driver = GatewayDriver()
    driver.core.handle(PoolsReported([PoolState("m")]), 0.0)
    driver.submit(CHAIN)
    (refuse,) = driver.of(Refuse)
    assert refuse.refusal.outcome is Outcome.NO_WORKERS


def test_the_number_of_active_runs_is_bounded() -> None:
    driver = GatewayDriver(max_active_runs=1)
    driver.submit(CHAIN, run_id="one")
    driver.submit(CHAIN, run_id="two")
    (refuse,) = driver.of(Refuse)
    assert (refuse.run_id, refuse.refusal.outcome) == ("two", Outcome.REJECTED_CAPACITY)


def test_a_run_that_the_store_does_not_take_never_runs() -> None:
    driver = GatewayDriver(stores=False)
    driver.submit(CHAIN)
    assert driver.of(Offer) == []
    assert driver.core.runs == {}


def test_a_skipped_branch_is_told_and_the_run_goes_on() -> None:
    driver = GatewayDriver()
    driver.submit(BRANCH)
    driver.run_call("a", "stop")
    run = driver.ended()
    assert [record.outcome for record in run.calls] == [Outcome.SUCCEEDED, Outcome.SKIPPED]
    assert run.output == "stop"


def test_a_failed_call_ends_its_run_and_aborts_its_siblings() -> None:
    driver = GatewayDriver()
    driver.submit(TWO)
    driver.place("a")
    driver.place("b")
    driver.end("a", FinishReason.INVALID, "no such thing")
    assert driver.ended().outcome is Outcome.FAILED
    assert [abort.call_id for abort in driver.of(Abort)] == ["run/b"]


def test_a_cancelled_run_is_taken_back_from_the_queue_and_from_the_engine() -> None:
    driver = GatewayDriver()
    driver.submit(TWO)
    driver.place("a")
    driver.feed(CancelRequested("run", "enough"))
    assert [abort.call_id for abort in driver.of(Abort)] == ["run/a"]
    assert [withdraw.call_id for withdraw in driver.of(Withdraw)] == ["run/b"]
    run = driver.ended()
    assert (run.outcome, run.reason) == (Outcome.CANCELLED, "enough")


def test_a_lost_run_that_shall_fail_ends_at_once() -> None:
    driver = GatewayDriver()
    driver.submit(FAILING)
    offer = driver.last_offer("a").call
    driver.feed(CallRejected(offer.call_id, offer.attempt, Outcome.EXPIRED, "too late"))
    assert driver.ended().outcome is Outcome.EXPIRED


def test_a_lost_run_that_shall_finish_goes_on_as_late_and_misses() -> None:
    driver = GatewayDriver()
    driver.submit(CHAIN)
    offer = driver.last_offer("a").call
    driver.feed(CallRejected(offer.call_id, offer.attempt, Outcome.EXPIRED, "too late"))
    assert driver.last_offer("a").call.late
    driver.now = 12.0
    driver.run_call("a")
    driver.run_call("b")
    run = driver.ended()
    assert (run.outcome, run.met) == (Outcome.SUCCEEDED, False)


def test_a_late_run_ends_expired_at_the_multiple_of_its_deadline() -> None:
    driver = GatewayDriver(late_multiple=2.0)
    driver.submit(CHAIN)
    driver.now = 10.1
    driver.feed(Tick())
    assert driver.of(EndRun) == []
    driver.now = 20.1
    driver.feed(Tick())
    assert driver.ended().outcome is Outcome.EXPIRED


def test_a_fenced_run_ends_silently_and_its_engine_work_stops() -> None:
    driver = GatewayDriver()
    driver.submit(CHAIN)
    driver.place("a")
    driver.feed(RunFenced("run"))
    assert driver.of(EndRun) == []
    assert [abort.call_id for abort in driver.of(Abort)] == ["run/a"]
    assert driver.core.runs == {}


def test_a_prompt_over_the_context_fails_with_both_figures() -> None:
    driver = GatewayDriver(prompt_tokens=64)
    driver.submit(CHAIN)
    run = driver.ended()
    assert run.outcome is Outcome.FAILED
    assert "64 tokens" in run.reason


def test_max_tokens_is_cut_to_what_the_context_leaves() -> None:
    driver = GatewayDriver(prompt_tokens=60)
    driver.submit(CHAIN)
    assert driver.last_offer("a").call.max_tokens == 4


def test_a_call_s_start_and_figures_are_told() -> None:
    driver = GatewayDriver()
    driver.submit(CHAIN)
    driver.now = 0.5
    driver.place("a")
    driver.now = 0.7
    driver.generate("a", "x")
    driver.now = 1.0
    driver.end("a")
    (started,) = driver.events(CallStarted)
    record = driver.events(CallFinished)[0].record
    assert (started.worker, started.slack_s > 8) == ("w0", True)
    assert (record.queue_s, record.ttft_s, record.duration_s) == pytest.approx((0.5, 0.7, 1.0))


def test_a_call_whose_template_fails_is_told_before_the_run_ends() -> None:
    driver = GatewayDriver()
    driver.submit(BRANCH.replace("'go' in a.text", "a.json.go > 1"))
    driver.run_call("a", "no json")
    assert [event.record.outcome for event in driver.events(CallFinished)][-1] is Outcome.FAILED
    assert driver.ended().reason.startswith("calls.b.when")


@pytest.mark.parametrize(
    ("priority", "over_share", "error_budget"),
    [
        (PriorityClass.STANDARD, False, 1.0),
        (PriorityClass.BATCH, True, 1.0),
        (PriorityClass.CRITICAL, False, OVERDRAWN),
    ],
)
def test_the_class_of_a_run_sets_how_its_calls_stand_where_somebody_must_miss(
    priority: PriorityClass, over_share: bool, error_budget: float
) -> None:
    driver = GatewayDriver()
    driver.submit(CHAIN, priority=priority)
    call = driver.last_offer("a").call
    assert (call.over_share, call.error_budget) == (over_share, error_budget)


def test_the_timers_of_ended_runs_with_late_deadlines_do_not_pile_up() -> None:
    driver = GatewayDriver(recheck_s=3600.0)
    for number in range(1000):
        driver.submit(CHAIN, f"run-{number}", deadline_s=86_400.0)
        driver.feed(CancelRequested(f"run-{number}", "enough"))
    assert len(driver.core._deadlines._timers) < 300


def test_a_run_that_its_client_cancels_costs_no_error_budget_and_one_that_fails_does() -> None:
    driver = GatewayDriver(max_attempts=1)
    left = []
    for number, reason in enumerate(["cancel", "fail", "look"]):
        driver.submit(CHAIN, f"run-{number}")
        left.append(driver.last_offer("a").call.error_budget)
        if reason == "cancel":
            driver.feed(CancelRequested(f"run-{number}", "enough"))
        elif reason == "fail":
            driver.place("a")
            driver.end("a", FinishReason.ERROR, "broken")
    assert left[0] == left[1] == 1.0
    assert left[2] < 1.0


@pytest.mark.parametrize("num_queued", [0, 1])
def test_a_run_that_is_likely_late_makes_room_only_where_somebody_waits_for_it(num_queued: int) -> None:
    driver = GatewayDriver(recheck_s=0.1)
    driver.submit(CHAIN, deadline_s=1.0)
    driver.feed(PoolsReported([replace(POOL, num_queued=num_queued)]))
    for now in (0.2, 0.4, 0.6, 0.8, 0.95, 0.99):
        driver.now = now
        driver.feed(Tick())
    assert driver.core.runs["run"].late is bool(num_queued)
