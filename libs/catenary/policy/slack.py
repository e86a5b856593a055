"""How much of a run's time each call may use.

``latest_finish = deadline - longest predicted path after the call`` and ``slack = latest_finish - now - predicted
duration`` (Zhang et al., section IV). A path's spread follows from the spreads of its calls, taken as independent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from catenary.model.record import record
from catenary.policy.span import ZERO, Span, later, maybe, then


@record(frozen=True, slots=True)
class PathCall:
    """A call of a run that has not ended. ``span`` is its own duration with its wait; ``probability`` that it runs;
    ``work_s`` the seconds of one ``model`` engine that its ``calls`` (the items of a map) take together, each of
    ``prompt_tokens`` and ``output_tokens``."""

    name: str
    children: tuple[str, ...]
    span: Span
    probability: float = 1.0
    model: str = ""
    work_s: float = 0.0
    calls: float = 1.0
    prompt_tokens: float = 0.0
    output_tokens: float = 0.0


def tails(calls: Sequence[PathCall]) -> Mapping[str, Span]:
    """For each call the longest predicted path after it; branches weigh by their probability.

    ``calls`` come in topological order.
    """
    after: dict[str, Span] = {}
    whole: dict[str, Span] = {}
    for call in reversed(calls):
        tail = ZERO
        for child in call.children:
            if child in whole:
                tail = later(tail, whole[child])
        after[call.name] = tail
        whole[call.name] = then(maybe(call.span, call.probability), tail)
    return after


def longest(calls: Sequence[PathCall], after: Mapping[str, Span] | None = None) -> Span:
    """The predicted time to the end of the run from now; ``after``: the tails of ``calls``, if known."""
    if after is None:
        after = tails(calls)
    followed = {child for call in calls for child in call.children}
    best = ZERO
    for call in calls:
        if call.name not in followed:
            best = later(best, then(maybe(call.span, call.probability), after[call.name]))
    return best


def shortest_way(calls: Iterable[PathCall]) -> list[PathCall]:
    """The same path if no branch is taken that need not be: what a run that may be lost is judged by."""
    return [call if call.probability >= 1 else replace(call, span=ZERO) for call in calls]
