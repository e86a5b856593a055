"""What a profile is measured from: points of a grid, and a profile with the points behind it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from catenary.model.profile import EngineProfile


class PointKind(StrEnum):
    """PREFILL: one prompt, to its first token. MIXED: ``batch`` prompts at once, to the last first token.
    DECODE: mean time per output token of a full batch. JOINING: what a prompt adds to a batch that decodes, the mean of
    ``batch`` prompts one after the other; unlike a prompt alone it finds the engine's next iteration in preparation."""

    PREFILL = "prefill"
    MIXED = "mixed"
    DECODE = "decode"
    JOINING = "joining"


@dataclass(frozen=True, slots=True)
class GridPoint:
    """``batch`` sequences at once, each of ``prompt_tokens`` and ``output_tokens``."""

    kind: PointKind
    prompt_tokens: int
    output_tokens: int
    batch: int = 1

    @property
    def context_tokens(self) -> float:
        """Mean tokens in the KV cache of the whole batch while this is measured."""
        generated = self.output_tokens / 2 if self.kind is PointKind.DECODE else 0
        return self.batch * (self.prompt_tokens + generated)

    @property
    def label(self) -> str:
        return f"{self.kind} {self.batch} x {self.prompt_tokens}+{self.output_tokens}"


@dataclass(frozen=True, slots=True)
class ProfilePoint:
    """One point with the median of its repeats and what the fit says, in seconds.

    ``steps`` counts the iterations in which first tokens came: an engine may admit prompts that arrive together apart.
    """

    point: GridPoint
    measured_s: float
    repeats: int = 1
    fitted_s: float = 0.0
    steps: int = 1


@dataclass(frozen=True, slots=True)
class ProfileRecord:
    """A profile, its grid, its relative residuals and when it was measured (seconds since 1970; 0: never).

    ``online_error`` is the median relative error of predictions over the last ``online_calls`` finished calls.
    """

    profile: EngineProfile
    points: tuple[ProfilePoint, ...] = ()
    residual_median: float = 0.0
    residual_p95: float = 0.0
    measured_unix_s: float = 0.0
    online_error: float = 0.0
    online_calls: int = 0
