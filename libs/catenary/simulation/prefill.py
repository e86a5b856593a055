"""What an iteration computes of prompts, and how long that takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from catenary.model.prefill_curve import seconds_at

if TYPE_CHECKING:
    from catenary.model.profile import EngineProfile
    from catenary.simulation.sequence import Sequence


def compute_prompts(
    profile: EngineProfile, queue: Iterator[Sequence], budget: float
) -> tuple[list[Sequence], float, int, int]:
    """Compute prompts of ``queue`` within ``budget`` tokens: those completed, seconds, tokens, how many are partial."""
    joined: list[Sequence] = []
    prefill_s, num_partial, num_tokens = 0.0, 0, 0
    while budget > 0 and (sequence := next(queue, None)):
        take = int(min(sequence.prompt - sequence.computed, budget))
        prefill_s += _chunk_s(profile, sequence.computed, take)
        num_tokens += take
        sequence.computed += take
        budget -= take
        if sequence.computed == sequence.prompt:
            joined.append(sequence)
        else:
            num_partial += 1
    if profile.prefill_curve:
        prefill_s += seconds_at(profile.prefill_curve, num_tokens)
    return joined, prefill_s, num_tokens, num_partial


def _chunk_s(profile: EngineProfile, computed: int, take: int) -> float:
    """Of ``take`` tokens after ``computed`` ones; where there is a curve, their attention, which it lacks."""
    attention_s = profile.prefill_token2_s * take * (2 * computed + take)
    if profile.prefill_curve:
        return attention_s
    base = profile.prefill_base_s if computed == 0 else 0.0
    return base + profile.prefill_token_s * take + attention_s
