"""How fast an engine really goes, by the tokens that its worker's snapshots show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from catenary.model.dispatch import Resident
from catenary.model.worker import ResidentCall

SHARING_SMOOTHING = 0.2
HALF_LIFE_S = 2.0
LEAST_TOKENS = 24.0
TOLERANCE = 1.5
FASTEST, SLOWEST = 0.25, 16.0
LONGEST_GAP_S = 2.0


class Tempo:
    """One engine's slowness: what the engines beside it on its accelerator cost by the profile, smoothed, times the
    seconds that running calls took for their tokens over those predicted so, the older ones counting less.

    Calls that are cut off tell as much as those that end: the corrections of profiles know only the latter, so that an
    engine too slow for any call to end in time is never found out by them.
    """

    def __init__(self) -> None:
        self._shared = 1.0
        self._tokens = 0.0
        self._spent_s = 0.0
        self._predicted_s = 0.0
        self._at = 0.0

    def follow(
        self, residents: Iterable[Resident], seen: Mapping[str, ResidentCall], step_s: float, now: float
    ) -> None:
        """Take in what a snapshot shows of the calls since the one before; before ``residents`` are brought up to date
        by it."""
        self.fade(now)
        for resident in residents:
            if not resident.output_tokens:
                continue
            call = seen.get(resident.call.call_id)
            if call is not None and call.attempt == resident.call.attempt and call.running:
                self.observe(call.output_tokens - resident.output_tokens, now - resident.seen_at, step_s)

    def fade(self, now: float) -> None:
        """Let what was observed before ``now`` count less."""
        keep = 0.5 ** (max(0.0, now - self._at) / HALF_LIFE_S)
        self._tokens *= keep
        self._spent_s *= keep
        self._predicted_s *= keep
        self._at = now

    def observe(self, tokens: int, spent_s: float, step_s: float) -> None:
        """One sequence gave so many tokens in ``spent_s``; ``step_s``: a token with the accelerator alone.

        Where nothing was seen for long, the worker or the way to it stood still: that is no speed.
        """
        if spent_s > LONGEST_GAP_S:
            return
        self._tokens += tokens
        self._spent_s += spent_s
        self._predicted_s += tokens * step_s * self._shared

    def share(self, slowness: float) -> None:
        """By the profile it takes so many times as long beside those that are busy now."""
        self._shared += SHARING_SMOOTHING * (slowness - self._shared)

    @property
    def slowness(self) -> float:
        return self._shared * self.factor

    @property
    def factor(self) -> float:
        """Measured over predicted; 1 while too few tokens were seen, and within ``TOLERANCE`` of 1: how many prompts
        fell into the time is chance."""
        if self._tokens < LEAST_TOKENS or self._predicted_s <= 0:
            return 1.0
        ratio = self._spent_s / self._predicted_s
        if 1 / TOLERANCE < ratio < TOLERANCE:
            return 1.0
        return min(max(ratio, FASTEST), SLOWEST)
