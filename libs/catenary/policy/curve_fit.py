"""The prefill curve of an engine: from prompts that join a batch, or else from prompts alone and in bursts.

A first token takes ``overhead + step(1, n) + prefill(n)``, so prompts alone leave open what of it is overhead; much of
it is preparation that an engine at work does beside the iteration before. Prompts that join a batch tell what they add
to its iterations. Prompts that come at once reach the engine ``submit_s`` apart, and who comes during an iteration
waits for the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import ceil, floor, inf

import numpy as np

from catenary.model.prefill_curve import PrefillCurve
from catenary.model.profile import EngineProfile
from catenary.model.profile_point import GridPoint, PointKind, ProfilePoint

OVERHEAD_SHARES = np.linspace(0.0, 0.25, 6)
"""Of the shortest first token: what a call may take outside the iterations. Bursts bound it badly from above."""
ATTENTION_SHARES = np.linspace(0.0, 0.6, 13)
"""Of what the longest prompt adds: the part that grows with the square of its length."""
SUBMITS_S = (0.0, *np.geomspace(5e-5, 5e-3, 20))
WORST_ERROR = 0.3


def burst_s(profile: EngineProfile, point: GridPoint, iteration_tokens: int = 0) -> float:
    """Seconds to the last first token of ``point.batch`` prompts that come at once, by the profile's curve.

    An iteration computes ``iteration_tokens`` at most (0: any number).
    """
    length, gap_s = point.prompt_tokens, profile.submit_s
    end, computed = 0.0, 0
    while computed < point.batch * length:
        start = max(end, floor(computed / length) * gap_s)
        arrived = point.batch if gap_s <= 0 else min(point.batch, floor(start / gap_s + 1e-9) + 1)
        take = min(arrived * length - computed, iteration_tokens or inf)
        touched = ceil((computed + take) / length) - floor(computed / length)
        end = start + profile.step_s(touched, take) + profile.admission_s(take / length, length)
        computed += int(take)
    return profile.overhead_s + end


def fit_curve(
    profile: EngineProfile, points: Sequence[ProfilePoint], iteration_tokens: int = 0
) -> EngineProfile | None:
    """Rule: of the candidates, the one that makes the mean relative error over bursts least.

    Inputs: ``profile`` with its steps fitted, and measured seconds of each point. Candidates: times between two
    submissions, and shares of attention where prompts that join were measured, else of overhead. Tie-break: the smaller
    share, then less submission time. Trade-off: a grid of candidates instead of a descent, since the error has many
    hollows; errors over ``WORST_ERROR`` count as that. Returns None without bursts, or with fewer than two lengths.
    """
    bursts = [p for p in points if p.point.kind is PointKind.MIXED and p.measured_s > 0]
    if not bursts:
        return None
    best, least = None, np.inf
    for candidate in _candidates(profile, points):
        for submit_s in SUBMITS_S:
            found = replace(candidate, submit_s=float(submit_s))
            errors = [
                min(WORST_ERROR, abs(burst_s(found, p.point, iteration_tokens) / p.measured_s - 1)) for p in bursts
            ]
            error = float(np.average(errors, weights=[p.repeats for p in bursts]))
            if error < least:
                best, least = found, error
    return best


def _candidates(profile: EngineProfile, points: Sequence[ProfilePoint]) -> Iterator[EngineProfile]:
    alone, joining = (
        sorted((p for p in points if p.point.kind is kind), key=lambda p: p.point.prompt_tokens)
        for kind in (PointKind.PREFILL, PointKind.JOINING)
    )
    if len(joining) > 1:
        longest = joining[-1]
        for share in ATTENTION_SHARES:
            token2_s = float(share) * longest.measured_s / longest.point.prompt_tokens**2
            yield _with_overhead(with_curve(replace(profile, prefill_token2_s=token2_s), joining), alone)
    elif len(alone) > 1:
        shortest_s = min(p.measured_s for p in alone)
        for share in OVERHEAD_SHARES:
            overhead_s = float(share) * shortest_s
            beyond = [
                replace(p, measured_s=p.measured_s - overhead_s - profile.step_s(1, p.point.context_tokens))
                for p in alone
            ]
            yield replace(with_curve(profile, beyond), overhead_s=overhead_s)


def _with_overhead(profile: EngineProfile, alone: Sequence[ProfilePoint]) -> EngineProfile:
    """What prompts alone take beyond the curve, in the median."""
    beyond = [
        p.measured_s - profile.step_s(1, p.point.context_tokens) - profile.prefill_s(p.point.prompt_tokens)
        for p in alone
    ]
    return replace(profile, overhead_s=max(0.0, float(np.median(beyond))) if beyond else 0.0)


def with_curve(profile: EngineProfile, points: Sequence[ProfilePoint]) -> EngineProfile:
    """With the curve on which prompts add the measured seconds of ``points``, their attention apart; it never falls."""
    attention = [profile.prefill_token2_s * p.point.prompt_tokens**2 for p in points]
    rising = never_falling([p.measured_s - s for p, s in zip(points, attention, strict=True)])
    curve: PrefillCurve = tuple(
        (float(p.point.prompt_tokens), max(0.0, s)) for p, s in zip(points, rising, strict=True)
    )
    return replace(profile, prefill_curve=curve)


def never_falling(values: Sequence[float]) -> list[float]:
    """The non-decreasing values nearest to ``values`` in least squares (pool adjacent violators)."""
    blocks: list[tuple[float, int]] = []
    for value in values:
        blocks.append((value, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (low, num_low), (high, num_high) = blocks.pop(), blocks.pop()
            blocks.append(((low * num_low + high * num_high) / (num_low + num_high), num_low + num_high))
    return [value for value, count in blocks for _ in range(count)]
