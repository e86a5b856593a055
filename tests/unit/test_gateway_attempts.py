"""What the gateway's core does with a call whose worker, replica or router fails it."""

from __future__ import annotations

from gateway_driver import CHAIN, TWO, GatewayDriver

from catenary.core.gateway.events import CancelRequested, Offer, Release, RouterJoined, Start
from catenary.model.outcome import FinishReason, Outcome
from catenary.model.run import CallFinished, CallRestarted

SCHEMA = """
name: schema
calls:
  a: {model: m, prompt: "A", max_tokens: 10, json_schema: {type: object}}
"""


def test_a_lost_worker_s_call_continues_elsewhere_with_its_tokens_replayed() -> None:
    driver = GatewayDriver()
    driver.submit(CHAIN)
    first = driver.place("a")
    driver.generate("a", "half ", tokens=4)
    driver.end("a", FinishReason.ERROR, "engine died")
    second = driver.place("a", "w1")
    assert (second.offset, second.sampling.max_tokens) == (4, 6)
    assert list(second.prompt_token_ids) == [*first.prompt_token_ids, 1, 1, 1, 1]
    driver.generate("a", "done", tokens=2)
    driver.end("a")
    record = driver.events(CallFinished)[0].record
    assert (record.text, record.output_tokens, record.attempts) == ("half done", 6, 2)


def test_an_aborted_call_is_never_a_success() -> None:
    driver = GatewayDriver()
    driver.submit(CHAIN)
    driver.place("a")
    driver.end("a", FinishReason.ABORTED)
    assert driver.events(CallFinished) == []
    assert driver.last_offer("a").call.attempt == 2


def test_structured_output_starts_again_where_it_cannot_be_continued() -> None:
    driver = GatewayDriver()
    driver.submit(SCHEMA)
    driver.place("a")
    driver.generate("a", '{"x": ', tokens=3)
    driver.end("a", FinishReason.ERROR, "engine died")
    (restarted,) = driver.events(CallRestarted)
    assert restarted.attempt == 2
    assert driver.place("a").offset == 0


def test_attempts_are_bounded_and_the_run_then_fails_with_the_last_error() -> None:
    driver = GatewayDriver(max_attempts=2)
    driver.submit(CHAIN)
    for _ in range(2):
        driver.place("a")
        driver.end("a", FinishReason.ERROR, "engine died")
    run = driver.ended()
    assert run.outcome is Outcome.FAILED
    assert "2 attempts failed" in run.reason
    assert "engine died" in run.reason


def test_a_draining_replica_costs_no_attempt() -> None:
    driver = GatewayDriver(max_attempts=1)
    driver.submit(CHAIN)
    driver.place("a")
    driver.end("a", FinishReason.REPLICA_DRAINING)
    driver.run_call("a")
    assert driver.events(CallFinished)[0].record.outcome is Outcome.SUCCEEDED


def test_an_assignment_that_comes_after_the_end_is_released() -> None:
    driver = GatewayDriver()
    driver.submit(TWO)
    driver.feed(CancelRequested("run", ""))
    driver.assign("a")
    assert driver.of(Start) == []
    assert driver.of(Release)[-1].call_id == "run/a"


def test_a_new_router_is_offered_every_call_that_is_not_placed() -> None:
    driver = GatewayDriver()
    driver.submit(TWO)
    driver.place("a")
    offered = [action.call.call_id for action in driver.feed(RouterJoined()) if isinstance(action, Offer)]
    assert offered == ["run/b"]


def test_tokens_with_a_gap_are_not_taken() -> None:
    driver = GatewayDriver()
    driver.submit(CHAIN)
    start = driver.place("a")
    driver.generate("a", "x", tokens=2)
    driver.generate("a", "y", tokens=2)
    assert driver.last_offer("a").call.attempt == start.attempt + 1


def test_an_attempt_that_a_worker_takes_for_stale_does_not_count_as_failed() -> None:
    driver = GatewayDriver(max_attempts=1)
    driver.submit(CHAIN)
    driver.place("a")
    driver.end("a", FinishReason.STALE_EPOCH)
    assert driver.last_offer("a").call.attempt == 2
    driver.place("a")
    driver.end("a", FinishReason.ERROR, "broken")
    assert driver.ended().outcome is Outcome.FAILED


def test_a_continued_call_asks_for_what_is_left_of_its_least_and_most_tokens() -> None:
    driver = GatewayDriver()
    driver.submit(CHAIN.replace("max_tokens: 10", "max_tokens: 10, min_tokens: 6"))
    driver.place("a")
    driver.generate("a", "half ", tokens=4)
    driver.end("a", FinishReason.ERROR, "lost")
    sampling = driver.place("a").sampling
    assert (sampling.min_tokens, sampling.max_tokens) == (2, 6)
