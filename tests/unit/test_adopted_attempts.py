"""Which attempts of a run a new owner knows of."""

from __future__ import annotations

from catenary.core.gateway.adoption import attempts_from
from catenary.core.gateway.events import RunSubmitted
from catenary.model.spec import bind_inputs, compile_workflow, load_workflow
from catenary.model.workflow import Limits
from catenary.v1 import run_pb2
from catenary_gateway.adoption import adopted

EACH = """
name: each
calls:
  each: {model: m, for_each: "{{ [1, 2] }}", prompt: "{{ item }}", max_items: 2}
output: "{{ each | map(attribute='text') | list }}"
"""


def submitted() -> RunSubmitted:
    limits = Limits()
    compiled = compile_workflow(load_workflow(EACH), limits, {"m"})
    return RunSubmitted("run", compiled, bind_inputs(compiled, {}, limits))


def test_an_attempt_that_was_announced_counts_also_where_its_start_was_not_stored() -> None:
    events = [
        run_pb2.RunEvent(run_admitted=run_pb2.RunAdmitted(predicted_s=2.0)),
        run_pb2.RunEvent(call_started=run_pb2.CallStarted(name="each", index=0, attempt=1)),
        run_pb2.RunEvent(call_restarted=run_pb2.CallRestarted(name="each", index=0, attempt=1001)),
        run_pb2.RunEvent(call_started=run_pb2.CallStarted(name="each", index=1, attempt=3)),
    ]
    found = adopted(submitted(), 2, 1.0, events)
    assert found.attempts == {"each[0]": 1001, "each[1]": 3}
    assert (found.sequence, found.predicted_s) == (4, 2.0)


def test_each_owner_s_attempts_are_above_those_of_the_owners_before_it_whatever_these_could_store() -> None:
    """Where the run came back to a gateway before the other had stored anything, both would have made the same
    attempts, and the one that is fenced off would have withdrawn the other's."""
    assert attempts_from(2, []) > 1
    assert attempts_from(3, []) > attempts_from(2, []) + 500
    assert attempts_from(2, [5000]) > 5500
