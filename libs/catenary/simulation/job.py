"""One run that arrives, with the truth about its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catenary.model.workflow import CallRef

BYTES_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine will generate: so many tokens, the text beginning with ``mark``."""

    tokens: int
    mark: str = ""

    @property
    def text(self) -> str:
        """Four characters a token."""
        size = self.tokens * BYTES_PER_TOKEN
        return (self.mark + "x" * size)[:size]


@dataclass(frozen=True, slots=True)
class Job:
    """``answers`` by call, one per item of a map (taken in turn where there are more items). Engines alone read them.

    ``own_latency_s``: its time on idle engines.
    """

    run_id: str
    arrival_s: float
    inputs: Mapping[str, Any]
    answers: Mapping[str, tuple[Answer, ...]]
    own_latency_s: float = 0.0
    tenant: str = "default"

    def answer(self, ref: CallRef) -> Answer:
        answers = self.answers[ref.name]
        return answers[(ref.index or 0) % len(answers)]


def text_tokens(text: str) -> int:
    """Tokens of a text as the simulated tokeniser counts them, at least one."""
    return max(1, -(-len(text) // BYTES_PER_TOKEN))
