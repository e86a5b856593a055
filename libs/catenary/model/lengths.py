"""Output lengths that nobody knows yet, as quantiles in tokens."""

from __future__ import annotations

from catenary.model.record import record


@record(frozen=True, slots=True)
class LengthEstimate:
    """q10, median, q90, mean and standard deviation of the tokens still to be generated."""

    q10: float
    q50: float
    q90: float
    mean: float
    deviation: float = 0.0

    @classmethod
    def exactly(cls, tokens: float) -> LengthEstimate:
        return cls(tokens, tokens, tokens, tokens)
