"""A run goes on at another gateway from the calls that had finished."""

from __future__ import annotations

from gateway_driver import GatewayDriver
from test_router_core import PROFILE, worker

from catenary.core.gateway.events import EndRun, Offer, RunAdopted, RunFenced, RunSubmitted, Tokenize, Withdraw
from catenary.core.router import Assign, Offered, RouterCore, RouterSettings, Withdrawn
from catenary.model.outcome import Outcome
from catenary.model.run import CallFinished, CallRecord, CallRestarted
from catenary.model.spec import bind_inputs, compile_workflow, load_workflow
from catenary.model.workflow import CallRef, Limits

CHAIN = """
name: chain
slo: {deadline: 10s}
calls:
  first: {model: m, prompt: hello}
  second: {model: m, prompt: "after {{ first.text }}"}
  third: {model: m, prompt: "after {{ second.text }}"}
output: "{{ third.text }}"
"""
BRANCH = """
name: branch
calls:
  first: {model: m, prompt: hello}
  other: {model: m, when: "{{ 'yes' in first.text }}", prompt: "x"}
  last: {model: m, prompt: "{{ other.text or first.text }}"}
output: "{{ last.text }}"
"""
MAP = """
name: each
calls:
  each: {model: m, for_each: "{{ [1, 2, 3] }}", prompt: "{{ item }}", max_items: 3}
output: "{{ each | map(attribute='text') | list }}"
"""


def record(name: str, text: str = "", outcome: Outcome = Outcome.SUCCEEDED, index: int | None = None) -> CallRecord:
    return CallRecord(CallRef(name, index), "m", outcome=outcome, text=text, prompt_tokens=5)


def adopt(text: str, *finished: CallRecord, age_s: float = 1.0, **attempts: int) -> GatewayDriver:
    driver = GatewayDriver(gateway_id="gateway-1")
    driver.now = 100.0
    workflow = compile_workflow(load_workflow(text), Limits(), ["m"])
    submitted = RunSubmitted("run", workflow, bind_inputs(workflow, {}, Limits()))
    driver.feed(RunAdopted(submitted, 2, age_s, 1 + len(finished) + len(attempts), 0.4, finished, attempts))
    return driver


def test_an_adopted_run_goes_on_after_its_last_finished_call() -> None:
    driver = adopt(CHAIN, record("first", "one"), first=1)
    (ready,) = driver.of(Tokenize)
    assert (str(ready.call.ref), ready.call.content) == ("second", "after one")
    driver.run_call("second", "two")
    driver.run_call("third", "three")
    run = driver.ended()
    assert (run.outcome, run.output, run.epoch, run.owner) == (Outcome.SUCCEEDED, "three", 2, "gateway-1")
    assert [call.text for call in run.calls] == ["one", "two", "three"]
    assert run.e2e_s == 1.0


def test_its_events_are_numbered_on_without_a_gap() -> None:
    driver = adopt(CHAIN, record("first", "one"), first=1, second=1)
    driver.run_call("second")
    driver.run_call("third")
    numbers = [action.event.sequence for action in driver.actions if hasattr(action, "event") and action.event.sequence]
    assert numbers == list(range(5, 5 + len(numbers)))


def test_text_of_calls_under_way_is_void_and_their_attempts_are_higher_than_any_before() -> None:
    driver = adopt(CHAIN, record("first", "one"), first=1, second=3)
    (restarted,) = driver.events(CallRestarted)
    assert str(restarted.ref) == "second"
    assert driver.last_offer("second").call.attempt > 1_000
    assert driver.last_offer("second").call.attempt == restarted.attempt


def test_the_time_that_has_passed_counts() -> None:
    driver = adopt(CHAIN, age_s=4.0)
    assert driver.of(Offer)[0].call.deadline == 106.0


def test_a_branch_that_was_skipped_is_told_once() -> None:
    told = adopt(BRANCH, record("first", "no"), record("other", outcome=Outcome.SKIPPED))
    assert told.events(CallFinished) == []
    untold = adopt(BRANCH, record("first", "no"))
    assert [event.record.outcome for event in untold.events(CallFinished)] == [Outcome.SKIPPED]
    for driver in (told, untold):
        driver.run_call("last", "end")
        assert driver.ended().output == "end"


def test_only_the_missing_items_of_a_map_run_again() -> None:
    driver = adopt(MAP, record("each", "a", index=0), record("each", "c", index=2))
    assert [str(action.call.ref) for action in driver.of(Tokenize)] == ["each[1]"]
    driver.run_call("each[1]", "b")
    assert driver.ended().output == ["a", "b", "c"]


def test_a_run_whose_calls_have_all_ended_ends_at_once() -> None:
    calls = [record(name, name) for name in ("first", "second", "third")]
    assert adopt(CHAIN, *calls).ended().output == "third"


def test_a_run_that_had_failed_stays_failed() -> None:
    driver = adopt(CHAIN, record("first", outcome=Outcome.FAILED))
    assert driver.of(EndRun)[0].run.outcome is Outcome.FAILED
    assert driver.of(Tokenize) == []


def test_a_run_that_is_fenced_off_leaves_nothing_behind() -> None:
    driver = adopt(CHAIN)
    driver.feed(RunFenced("run"))
    assert driver.core.runs == {}
    assert len(driver.of(Withdraw)) == 1
    assert driver.of(EndRun) == []


def test_a_former_owner_that_wakes_up_takes_no_later_call_of_its_successor_away() -> None:
    """It hears of the end that waited for it, offers the next call, and withdraws that once it is fenced off."""
    successor = adopt(CHAIN, first=1)
    successor.run_call("first")
    former = GatewayDriver(gateway_id="gateway-0")
    former.submit(CHAIN)
    former.run_call("first")
    former.feed(RunFenced("run"))
    router = RouterCore(RouterSettings(epoch=1), {"m": PROFILE})
    router.handle(Offered(successor.last_offer("second").call), 0.0)
    router.handle(Offered(former.last_offer("second").call), 0.0)
    for withdrawn in former.of(Withdraw):
        router.handle(Withdrawn(withdrawn.call_id, withdrawn.attempt), 0.0)
    (assigned,) = router.handle(worker("w0"), 0.0)
    assert isinstance(assigned, Assign)
    assert assigned.call.gateway_id == "gateway-1"
