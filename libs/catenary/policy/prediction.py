"""How long a call takes on a continuously batching engine that others share.

While a call decodes, its engine also prefills the calls that take the seats of those that end. With ``batch`` sequences
of ``mean_output`` tokens each, ``batch / mean_output`` prefills fall on every step, so the loaded step is
``step(batch) + admission(batch / mean_output, mean_prompt)``. Predicting by the unloaded step makes doomed runs look
feasible.
"""

from __future__ import annotations

from catenary.model.lengths import LengthEstimate
from catenary.model.profile import EngineProfile
from catenary.model.record import record

SPEED_SPREAD = 0.15
"""Standard deviation of an engine's speed over a call, relative to what the moment lets expect: others come and go."""


@record(frozen=True, slots=True)
class Traffic:
    """Mean tokens of the calls that share an engine, and measured over predicted duration of recent ones."""

    mean_prompt: float = 256.0
    mean_output: float = 128.0
    interference: float = 1.0

    def at(self, interference: float) -> Traffic:
        """The same calls on engines that take so many times as long."""
        if interference == self.interference:
            return self
        return Traffic(self.mean_prompt, self.mean_output, interference)


def loaded_step_s(profile: EngineProfile, batch: float, traffic: Traffic) -> float:
    """Seconds from one token of a sequence to its next, among ``batch`` sequences in all."""
    context = batch * (traffic.mean_prompt + traffic.mean_output / 2)
    step = profile.step_s(batch, context)
    others = batch - 1
    if others > 0 and traffic.mean_output > 0:
        step += profile.admission_s(others / traffic.mean_output, traffic.mean_prompt)
    return step * profile.correction * traffic.interference


def duration_s(
    profile: EngineProfile, prompt_tokens: float, output_tokens: float, batch: float, traffic: Traffic
) -> float:
    """Seconds from the engine's first work on a call to its last token."""
    return duration_at(profile, prompt_tokens, output_tokens, loaded_step_s(profile, batch, traffic))


def duration_at(profile: EngineProfile, prompt_tokens: float, output_tokens: float, step_s: float) -> float:
    """The same, where the seconds from token to token are known."""
    fixed = profile.overhead_s + profile.prefill_s(prompt_tokens)
    return fixed * profile.correction + max(0.0, output_tokens) * step_s


def engine_work_s(profile: EngineProfile, prompt_tokens: float, output_tokens: float) -> float:
    """Seconds of one full engine that a call takes from everybody: its prefill, and its share of the decode steps."""
    seats = profile.max_num_seqs
    step = profile.step_s(seats, seats * (prompt_tokens + output_tokens / 2))
    together = max(1.0, seats / max(1.0, output_tokens))
    prefill = profile.admission_s(together, prompt_tokens) / together
    return (prefill + output_tokens * step / seats) * profile.correction


def remaining_tokens(estimate: LengthEstimate, done: int) -> float:
    """Median of the tokens still to come, given ``done``: past the median the tail is taken as memoryless."""
    left = estimate.q50 - done
    return max(left, 1.0, (estimate.q90 - estimate.q50) / 3)
