"""How long calls take on the engines of one pool."""

from __future__ import annotations

from catenary.model.dispatch import NEVER, QueuedCall
from catenary.model.profile import EngineProfile
from catenary.policy.ordering.standing import Standing
from catenary.policy.ordering.triage import Claim
from catenary.policy.prediction import SPEED_SPREAD, Traffic, duration_at, engine_work_s, loaded_step_s
from catenary.policy.span import Z90, ZERO, Span

SMOOTHING = 0.05


class Pace:
    """The profile in force, and the traffic that bears on it: sizes of the calls that finish, and how much engines
    beside each other on one accelerator slow each other."""

    def __init__(self, profile: EngineProfile) -> None:
        self.profile = profile
        self.traffic = Traffic()
        self._full_step: tuple[EngineProfile, Traffic, float] | None = None

    def observe(self, call: QueuedCall, output_tokens: int) -> None:
        """Follow the sizes of the calls that finish here."""
        old = self.traffic
        self.traffic = Traffic(
            old.mean_prompt + SMOOTHING * (call.prompt_tokens - old.mean_prompt),
            old.mean_output + SMOOTHING * (output_tokens - old.mean_output),
            old.interference,
        )

    def predicted_s(self, call: QueuedCall, output_tokens: float) -> float:
        """Duration on a full engine."""
        return duration_at(self.profile, call.prompt_tokens, output_tokens, self._full_step_s())

    def step_s(self, num_running: int) -> float:
        """From token to token beside so many calls."""
        return loaded_step_s(self.profile, num_running, self.traffic)

    def step_alone_s(self, num_running: int) -> float:
        """The same with the accelerator alone."""
        return loaded_step_s(self.profile, num_running, self.traffic.at(1.0))

    def work_s(self, call: QueuedCall) -> float:
        """What a call asks of one engine."""
        return engine_work_s(self.profile, call.prompt_tokens, call.output.mean) * self.traffic.interference

    def claim(self, call: QueuedCall, key: float, margin: float) -> Claim:
        """What a waiting call asks of the pool; ``margin``: as ``Claim.of`` takes it."""
        work_s = self.work_s(call)
        standing = Standing(call.over_share, call.error_budget)
        if call.latest_finish == NEVER:
            return Claim(call.call_id, ZERO, NEVER, NEVER, work_s, key, standing)
        own_s = self.predicted_s(call, call.output.mean)
        own_spread_s = (self.predicted_s(call, call.output.q90) - self.predicted_s(call, call.output.q50)) / Z90
        rest_spread_s = (call.lost_finish - call.latest_finish) / Z90
        mean_s = own_s + call.deadline - call.latest_finish
        variance = own_spread_s**2 + rest_spread_s**2 + (SPEED_SPREAD * own_s) ** 2
        return Claim.of(call.call_id, Span(mean_s, variance), call.deadline, work_s, key, margin, standing)

    def _full_step_s(self) -> float:
        """From token to token on a full engine, for as long as profile and traffic stay what they are."""
        known, profile, traffic = self._full_step, self.profile, self.traffic
        if known is None or known[0] is not profile or known[1] is not traffic:
            known = self._full_step = (profile, traffic, self.step_s(profile.max_num_seqs))
        return known[2]
