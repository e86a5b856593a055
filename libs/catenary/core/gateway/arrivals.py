"""Counts what arriving runs will ask of each model, as predicted on their arrival."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from catenary.model.demand import ModelShare, WorkflowArrivals
from catenary.model.profile import EngineProfile
from catenary.policy.slack import PathCall

OTHERS = "(others)"


@dataclass(slots=True)
class _Share:
    calls: float = 0.0
    prompt_tokens: float = 0.0
    output_tokens: float = 0.0
    path_s: float = 0.0
    after_s: float = 0.0


@dataclass(slots=True)
class _Workflow:
    runs: int = 0
    dated: int = 0
    ratio: float = 0.0
    ratio_square: float = 0.0
    shares: dict[str, _Share] = field(default_factory=dict)


class Arrivals:
    """Counters by workflow; past ``max_workflows`` the others share one."""

    def __init__(self, max_workflows: int = 32) -> None:
        self._max_workflows = max_workflows
        self._workflows: dict[str, _Workflow] = {}

    def observe(
        self,
        workflow: str,
        deadline_s: float | None,
        path: Sequence[PathCall],
        profiles: Mapping[str, EngineProfile],
    ) -> None:
        """Count one run; ``path`` is that of all its calls, in topological order."""
        entry = self._entry(workflow)
        seconds = {call.name: _unloaded_s(call, profiles[call.model]) for call in path}
        starts, longest = _schedule(path, seconds)
        seen: set[str] = set()
        for call in path:
            share = entry.shares.get(call.model)
            if share is None:
                share = entry.shares[call.model] = _Share()
            share.calls += call.calls * call.probability
            share.prompt_tokens += call.prompt_tokens * call.calls * call.probability
            share.output_tokens += call.output_tokens * call.calls * call.probability
            if call.name in longest:
                share.path_s += seconds[call.name] * call.probability
            if call.model not in seen:
                seen.add(call.model)
                share.after_s += starts[call.name]
        entry.runs += 1
        own_s = sum(seconds[name] for name in longest)
        if deadline_s is not None and own_s > 0:
            ratio = deadline_s / own_s
            entry.dated += 1
            entry.ratio += ratio
            entry.ratio_square += ratio * ratio

    def counters(self) -> tuple[WorkflowArrivals, ...]:
        return tuple(
            WorkflowArrivals(
                name,
                entry.runs,
                entry.dated,
                entry.ratio,
                entry.ratio_square,
                tuple(
                    ModelShare(model, s.calls, s.prompt_tokens, s.output_tokens, s.path_s, s.after_s)
                    for model, s in entry.shares.items()
                ),
            )
            for name, entry in self._workflows.items()
        )

    def _entry(self, workflow: str) -> _Workflow:
        if workflow not in self._workflows and len(self._workflows) >= self._max_workflows:
            workflow = OTHERS
        found = self._workflows.get(workflow)
        if found is None:
            found = self._workflows[workflow] = _Workflow()
        return found


def _unloaded_s(call: PathCall, profile: EngineProfile) -> float:
    context = call.prompt_tokens + call.output_tokens / 2
    own = profile.overhead_s + profile.prefill_s(call.prompt_tokens) + call.output_tokens * profile.step_s(1, context)
    return own * profile.correction


def _schedule(path: Sequence[PathCall], seconds: Mapping[str, float]) -> tuple[dict[str, float], set[str]]:
    """When each call starts at the earliest (s), and the names of those on the longest path."""
    starts = {call.name: 0.0 for call in path}
    parent: dict[str, str] = {}
    last, end = "", -1.0
    for call in path:
        done = starts[call.name] + seconds[call.name]
        if done > end:
            last, end = call.name, done
        for child in call.children:
            if child in starts and done > starts[child]:
                starts[child] = done
                parent[child] = call.name
    longest = set()
    while last:
        longest.add(last)
        last = parent.get(last, "")
    return starts, longest
