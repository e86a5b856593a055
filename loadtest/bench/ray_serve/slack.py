"""The slack rule for a platform that does not know it: what each call of a run is given as hints."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from catenary.model.profile import EngineProfile
from catenary.policy.prediction import Traffic, duration_s

PATHS: dict[str, dict[str, tuple[str, ...]]] = {
    "chain": {"a": ("b", "c"), "b": ("c",), "c": ()},
    "parallel": {"left": ("join",), "right": ("join",), "join": ()},
    "branch": {"draft": ("critique", "rewrite"), "critique": ("rewrite",), "rewrite": ()},
    "map": {"summary": ("translate",), "translate": ()},
}
"""Calls after each call, on its longest path."""

MODELS = {
    "a": "A", "b": "B", "c": "C", "left": "A", "right": "B", "join": "C",
    "draft": "A", "critique": "B", "rewrite": "C", "summary": "A", "translate": "B",
}  # fmt: skip
BUSY_SHARE = 0.75  # of the seats, for the prediction of what comes later


@dataclass(frozen=True, slots=True)
class Mean:
    """Mean length of a call's outputs in tokens."""

    total: float
    count: int

    @property
    def tokens(self) -> float:
        return self.total / self.count


class Slack:
    """``latest_finish = deadline - predicted path after the call``, with output lengths at their mean so far."""

    def __init__(self, profiles: Mapping[str, EngineProfile], default_tokens: float = 100.0) -> None:
        self._profiles = profiles
        self._means: dict[tuple[str, str], Mean] = {}
        self._default = Mean(default_tokens, 1)

    def hints(self, workflow: str, name: str, prompt: str, deadline: float) -> dict[str, float]:
        """Monotonic seconds of this machine, and tokens, for the request router and the engine's queue."""
        call = name.partition("[")[0]
        prompt_tokens = prompt.count(" ") + 1
        latest_finish = deadline - self._path_s(workflow, PATHS[workflow][call], prompt_tokens)
        tokens = self._tokens(workflow, call)
        own_s = self._call_s(MODELS[call], prompt_tokens, tokens)
        return {
            "latest_start": latest_finish - own_s,
            "latest_finish": latest_finish,
            "prompt_tokens": float(prompt_tokens),
            "output_tokens": tokens,
            "ready_at": time.monotonic(),
        }

    def learn(self, workflow: str, name: str, tokens: int) -> None:
        key = (workflow, name.partition("[")[0])
        mean = self._means.get(key, Mean(0.0, 0))
        self._means[key] = Mean(mean.total + tokens, mean.count + 1)

    def _tokens(self, workflow: str, call: str) -> float:
        return self._means.get((workflow, call), self._default).tokens

    def _path_s(self, workflow: str, calls: Sequence[str], prompt_tokens: float) -> float:
        return sum(self._call_s(MODELS[call], prompt_tokens, self._tokens(workflow, call)) for call in calls)

    def _call_s(self, model: str, prompt_tokens: float, output_tokens: float) -> float:
        profile = self._profiles[model]
        return duration_s(profile, prompt_tokens, output_tokens, BUSY_SHARE * profile.max_num_seqs, Traffic())
