"""How the objective of a workflow splits over its calls."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CallShare:
    """What one call is predicted to take on idle engines, and its part of the objective.

    Times in seconds: medians. ``latest_start_s`` and ``latest_finish_s`` count from the submission; ``slack_s`` is the
    latest start less the earliest. These three and ``share_s`` are 0 where the workflow names no deadline.
    """

    name: str
    model: str
    prompt_tokens: int
    output_tokens: int
    predicted_s: float
    share_s: float
    latest_start_s: float
    latest_finish_s: float
    slack_s: float
