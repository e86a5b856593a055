"""What every policy promises, whatever it is given."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from catenary.model.dispatch import NEVER, PoolState, QueuedCall, ReplicaLoad, Resident
from catenary.model.lengths import LengthEstimate
from catenary.model.outcome import Outcome
from catenary.model.profile import EngineProfile
from catenary.model.workflow import Sampling
from catenary.policy.admission import ADMISSIONS, AdmissionContext
from catenary.policy.lengths import LengthModel
from catenary.policy.ordering import ORDERINGS
from catenary.policy.ordering.triage import Claim, keep
from catenary.policy.prediction import Traffic, duration_s, engine_work_s, loaded_step_s
from catenary.policy.routing import ROUTINGS, RoutingContext
from catenary.policy.routing.slack_aware import expected_finish, residents_keep_time
from catenary.policy.slack import PathCall, longest, tails
from catenary.policy.span import Span, later, maybe, of_many, then

PROFILE = EngineProfile("m", step_context_s=1e-7, max_num_seqs=8)
NOW = 100.0
SETTINGS = settings(max_examples=50, deadline=None)

seconds = st.floats(0.0, 60.0)
tokens = st.integers(1, 2000)
spans = st.builds(Span, st.floats(0.001, 60.0), st.floats(0.0, 400.0))
ordered_lengths = st.lists(st.floats(1, 2000), min_size=4, max_size=4).map(sorted)
lengths = ordered_lengths.map(lambda q: LengthEstimate(q[0], q[1], q[3], q[2], (q[3] - q[0]) / 3))
traffics = st.builds(Traffic, st.floats(1, 4000), st.floats(1, 2000), st.floats(0.5, 2.0))


@st.composite
def queued_calls(draw: st.DrawFn, name: str = "call") -> QueuedCall:
    ready_at = NOW - draw(seconds)
    deadline = ready_at + draw(st.floats(0.1, 120.0))
    rest_s, spread_s = draw(seconds), draw(seconds)
    return QueuedCall(
        call_id=name,
        attempt=1,
        gateway_id="g",
        model="m",
        prompt_tokens=draw(tokens),
        max_tokens=2000,
        output=draw(lengths),
        ready_at=ready_at,
        latest_finish=deadline - rest_s,
        lost_finish=deadline - rest_s + min(spread_s, rest_s),
        deadline=deadline,
        rest_s=rest_s,
        prefix_hashes=tuple(draw(st.lists(st.integers(0, 5), max_size=4))),
    )


@st.composite
def replica_sets(draw: st.DrawFn) -> list[ReplicaLoad]:
    found = []
    for number in range(draw(st.integers(1, 4))):
        load = ReplicaLoad(f"w{number}", f"w{number}:1", "m", 8, draw(st.integers(0, 2)))
        for place in range(draw(st.integers(0, load.max_num_seqs + load.lookahead))):
            call = draw(queued_calls(f"{number}/{place}"))
            load.residents[call.call_id] = Resident(call, NOW + 30, NOW + draw(seconds))
        load.prefixes = dict.fromkeys(draw(st.lists(st.integers(0, 5), max_size=5)))
        found.append(load)
    return found


@pytest.mark.parametrize("name", ROUTINGS)
@given(call=queued_calls(), replicas=replica_sets(), seed=st.integers(0, 99), traffic=traffics)
@SETTINGS
def test_routing_does_not_depend_on_the_order_of_the_workers(
    name: str, call: QueuedCall, replicas: list[ReplicaLoad], seed: int, traffic: Traffic
) -> None:
    context = RoutingContext(NOW, PROFILE, traffic, seed)
    shuffled = Random(seed).sample(replicas, len(replicas))
    assert ROUTINGS[name](call, replicas, context) == ROUTINGS[name](call, shuffled, context)


@pytest.mark.parametrize("name", ROUTINGS)
@given(call=queued_calls(), replicas=replica_sets(), traffic=traffics)
@SETTINGS
def test_routing_picks_a_free_place_and_waits_only_where_there_is_a_reason(
    name: str, call: QueuedCall, replicas: list[ReplicaLoad], traffic: Traffic
) -> None:
    decision = ROUTINGS[name](call, replicas, RoutingContext(NOW, PROFILE, traffic))
    free = {replica.worker_id for replica in replicas if replica.free_places > 0}
    assert decision.reason
    if decision.worker_id is None:
        assert not free or name == "slack_aware"
    else:
        assert decision.worker_id in free
        assert decision.expected_finish >= NOW


@given(call=queued_calls(), replicas=replica_sets(), traffic=traffics)
@SETTINGS
def test_slack_aware_routing_never_picks_a_replica_that_its_filter_refused_where_another_passed(
    call: QueuedCall, replicas: list[ReplicaLoad], traffic: Traffic
) -> None:
    context = RoutingContext(NOW, PROFILE, traffic)
    passed = {
        replica.worker_id
        for replica in replicas
        if replica.free_places > 0
        and expected_finish(call, replica, context) <= call.latest_finish
        and residents_keep_time(call, replica, context)
    }
    decision = ROUTINGS["slack_aware"](call, replicas, context)
    assert not passed or decision.worker_id in passed


@pytest.mark.parametrize("name", ORDERINGS)
@given(call=queued_calls(), more=st.floats(0.0, 60.0), predicted_s=seconds)
@SETTINGS
def test_more_slack_never_raises_urgency(name: str, call: QueuedCall, more: float, predicted_s: float) -> None:
    relaxed = replace(call, latest_finish=call.latest_finish + more, deadline=call.deadline + more)
    assert ORDERINGS[name](relaxed, predicted_s) >= ORDERINGS[name](call, predicted_s)


@pytest.mark.parametrize("name", ["edf", "least_slack"])
@given(call=queued_calls(), predicted_s=seconds)
@SETTINGS
def test_a_call_without_a_deadline_comes_after_every_other(name: str, call: QueuedCall, predicted_s: float) -> None:
    forever = replace(call, latest_finish=NEVER, lost_finish=NEVER, deadline=NEVER)
    assert ORDERINGS[name](forever, predicted_s) > ORDERINGS[name](call, predicted_s)


def claims(draw: st.DrawFn) -> list[Claim]:
    return [
        Claim.of(f"run-{n}", draw(spans), NOW + draw(st.floats(0, 60)), draw(st.floats(0.001, 5)), float(n), 1.0)
        for n in range(draw(st.integers(1, 12)))
    ]


@given(found=st.composite(claims)(), engines=st.integers(1, 8))
@SETTINGS
def test_triage_keeps_some_of_the_claims_each_once_and_more_engines_keep_as_many(
    found: list[Claim], engines: int
) -> None:
    kept = [claim.name for claim in keep(found, engines, NOW)]
    assert len(set(kept)) == len(kept)
    assert set(kept) <= {claim.name for claim in found}


@given(found=st.composite(claims)())
@SETTINGS
def test_triage_leaves_nobody_out_where_everybody_has_time(found: list[Claim]) -> None:
    calm = [replace(claim, latest_start=NOW + 1e6, deadline=NOW + 2e6) for claim in found]
    assert len(keep(calm, 1, NOW)) == len(calm)


@given(
    path=spans,
    deadline_s=st.floats(0.1, 60),
    more=st.floats(0, 60),
    queued=st.floats(0, 500),
    less=st.floats(0, 1),
    name=st.sampled_from(sorted(ADMISSIONS)),
)
@SETTINGS
def test_admission_is_monotone_in_the_deadline_and_in_what_waits(
    path: Span, deadline_s: float, more: float, queued: float, less: float, name: str
) -> None:
    def admitted(deadline_s: float, queued: float) -> bool:
        pools = {"m": PoolState("m", num_replicas=2, num_seats=16, num_queued=3, queued_work_s=queued)}
        return ADMISSIONS[name](AdmissionContext(path, deadline_s, ["m"], pools)).outcome is None

    if admitted(deadline_s, queued):
        assert admitted(deadline_s + more, queued)
        assert admitted(deadline_s, queued * less)


@given(path=spans, queued=st.floats(0, 500))
@SETTINGS
def test_a_refused_run_is_quoted_a_deadline_that_would_be_admitted(path: Span, queued: float) -> None:
    pools = {"m": PoolState("m", num_replicas=2, num_seats=16, num_queued=3, queued_work_s=queued)}
    decision = ADMISSIONS["feasible"](AdmissionContext(path, 0.01, ["m"], pools))
    assume(decision.outcome is Outcome.REJECTED_INFEASIBLE)
    again = ADMISSIONS["feasible"](AdmissionContext(path, decision.quote.deadline_s, ["m"], pools))
    assert again.outcome is None


@given(prompt=tokens, output=tokens, more=tokens, batch=st.integers(1, 64), traffic=traffics)
@SETTINGS
def test_predictions_grow_with_tokens_and_batch(
    prompt: int, output: int, more: int, batch: int, traffic: Traffic
) -> None:
    least = duration_s(PROFILE, prompt, output, batch, traffic)
    assert duration_s(PROFILE, prompt + more, output, batch, traffic) >= least
    assert duration_s(PROFILE, prompt, output + more, batch, traffic) >= least
    assert duration_s(PROFILE, prompt, output, batch + more, traffic) >= least
    assert loaded_step_s(PROFILE, batch + 1, traffic) >= loaded_step_s(PROFILE, batch, traffic)
    assert engine_work_s(PROFILE, prompt + more, output) >= engine_work_s(PROFILE, prompt, output) > 0


@given(
    history=st.lists(st.integers(1, 2000), max_size=80),
    done=st.integers(0, 500),
    bound=st.integers(1, 3000),
    default=st.integers(1, 500),
)
@SETTINGS
def test_quantiles_of_lengths_are_in_order_and_within_the_bound(
    history: list[int], done: int, bound: int, default: int
) -> None:
    assume(done < bound)
    model = LengthModel()
    for length in history:
        model.observe("v", "call", length)
    estimate = model.estimate("v", "call", Sampling(max_tokens=bound), default, done)
    assert 0 <= estimate.q10 <= estimate.q50 <= estimate.q90 <= bound
    assert estimate.mean >= 0
    assert estimate.deviation >= 0


@given(span=spans, other=spans, z=st.floats(-3, 3), step=st.floats(0, 3), share=st.floats(0, 1))
@SETTINGS
def test_spans_have_quantiles_in_order_and_sums_and_maxima_no_shorter_than_their_parts(
    span: Span, other: Span, z: float, step: float, share: float
) -> None:
    assert 0 <= span.low <= span.median <= span.high
    assert span.at(z) <= span.at(z + step)
    assert span.probability_within(span.mean) <= span.probability_within(span.mean + step)
    assert then(span, other).mean == pytest.approx(span.mean + other.mean)
    assert later(span, other).mean >= max(span.mean, other.mean) * (1 - 1e-9)
    assert maybe(span, share).mean <= span.mean * (1 + 1e-9)


@example(span=Span(1.0, 3.0), items=1, seats=3)
@given(span=spans, items=st.integers(1, 50), seats=st.integers(1, 50))
@SETTINGS
def test_a_map_takes_no_less_for_more_items_and_no_more_for_more_seats(span: Span, items: int, seats: int) -> None:
    assert of_many(span, items + 1, seats).mean >= of_many(span, items, seats).mean * (1 - 1e-6)
    assert of_many(span, items, seats + 1).mean <= of_many(span, items, seats).mean * (1 + 1e-9)


@st.composite
def paths(draw: st.DrawFn) -> list[PathCall]:
    count = draw(st.integers(1, 8))
    return [
        PathCall(
            f"c{n}",
            tuple(f"c{m}" for m in range(n + 1, count) if draw(st.booleans())),
            draw(spans),
            draw(st.floats(0.1, 1)),
        )
        for n in range(count)
    ]


@given(path=paths())
@SETTINGS
def test_the_rest_of_a_run_shrinks_along_every_edge_and_is_within_the_whole(path: list[PathCall]) -> None:
    after = tails(path)
    whole = longest(path)
    for call in path:
        assert after[call.name].mean <= whole.mean * (1 + 1e-6) + 1e-9
        for child in call.children:
            assert after[call.name].mean >= after[child].mean * (1 - 1e-6)
