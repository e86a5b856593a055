"""The prefill curve of an engine from its first tokens: of prompts alone, and of prompts that come at once.

A first token takes ``overhead + step(1, n) + curve(n)``, so prompts alone leave open what of it is overhead. Prompts
that come at once tell: they reach the engine ``submit_s`` apart, and who comes during an iteration waits for the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from catenary.model.prefill_curve import PrefillCurve
from catenary.model.profile import EngineProfile
from catenary.model.profile_point import GridPoint, PointKind, ProfilePoint

OVERHEAD_SHARES = np.linspace(0.0, 0.25, 6)
"""Of the shortest first token: what a call may take outside the iterations. Bursts bound it badly from above."""
SUBMITS_S = (0.0, *np.geomspace(5e-5, 5e-3, 20))
WORST_ERROR = 0.3


def burst_s(profile: EngineProfile, point: GridPoint) -> float:
    """Seconds to the last first token of ``point.batch`` prompts that come at once, by the profile's curve."""
    gap_s = profile.submit_s
    arrivals = [index * gap_s for index in range(point.batch)]
    end = arrivals[0]
    done = 0
    while done < point.batch:
        start = max(end, arrivals[done])
        first = done
        while done < point.batch and arrivals[done] <= start:
            done += 1
        tokens = (done - first) * point.prompt_tokens
        end = start + profile.step_s(done - first, tokens) + profile.prefill_s(tokens)
    return profile.overhead_s + end


def fit_curve(profile: EngineProfile, points: Sequence[ProfilePoint]) -> EngineProfile | None:
    """Rule: the overhead and submission time whose curve makes the mean relative error over bursts least.

    Inputs: ``profile`` with its steps fitted, and measured seconds of each point. Tie-break: less overhead, then less
    submission time. Trade-off: a grid of candidates instead of a descent, since the error has many hollows; errors over
    ``WORST_ERROR`` count as that. Returns None without points of both kinds, prompts alone of two lengths at least.
    """
    alone = sorted((p for p in points if p.point.kind is PointKind.PREFILL), key=lambda p: p.point.prompt_tokens)
    bursts = [p for p in points if p.point.kind is PointKind.MIXED and p.measured_s > 0]
    if len(alone) < 2 or not bursts:
        return None
    longest_s = min(p.measured_s for p in alone)
    best, least = None, np.inf
    for share in OVERHEAD_SHARES:
        overhead_s = float(share) * longest_s
        curve = curve_beyond(profile, alone, overhead_s)
        for submit_s in SUBMITS_S:
            found = replace(profile, prefill_curve=curve, overhead_s=overhead_s, submit_s=float(submit_s))
            errors = [min(WORST_ERROR, abs(burst_s(found, p.point) / p.measured_s - 1)) for p in bursts]
            error = float(np.average(errors, weights=[p.repeats for p in bursts]))
            if error < least:
                best, least = found, error
    return best


def curve_beyond(profile: EngineProfile, alone: Sequence[ProfilePoint], overhead_s: float) -> PrefillCurve:
    """What first tokens of single prompts take beyond ``overhead_s`` and a step, never falling with the length."""
    beyond = [p.measured_s - overhead_s - profile.step_s(1, p.point.context_tokens) for p in alone]
    rising = never_falling(beyond)
    return tuple((float(p.point.prompt_tokens), max(0.0, s)) for p, s in zip(alone, rising, strict=True))


def never_falling(values: Sequence[float]) -> list[float]:
    """The non-decreasing values nearest to ``values`` in least squares (pool adjacent violators)."""
    blocks: list[tuple[float, int]] = []
    for value in values:
        blocks.append((value, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (low, num_low), (high, num_high) = blocks.pop(), blocks.pop()
            blocks.append(((low * num_low + high * num_high) / (num_low + num_high), num_low + num_high))
    return [value for value, count in blocks for _ in range(count)]
