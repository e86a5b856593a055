"""When the calls of admitted runs that no engine has yet will be ready."""

from __future__ import annotations

from collections.abc import Sequence

from catenary.model.demand import Wave
from catenary.policy.slack import PathCall

BUCKET_S = 0.25
NUM_BUCKETS = 64


class Waves:
    """By model and run: (ready at, calls) of each call that has not been placed."""

    def __init__(self) -> None:
        self._by_model: dict[str, dict[str, list[tuple[float, float]]]] = {}

    def follow(self, run_id: str, path: Sequence[PathCall], now: float) -> None:
        """Take the run's calls that have not ended as they are predicted now, in topological order."""
        self.forget(run_id)
        starts = {call.name: now for call in path}
        for call in path:
            done = starts[call.name] + call.span.mean
            for child in call.children:
                if child in starts:
                    starts[child] = max(starts[child], done)
            if call.work_s > 0:
                entries = self._by_model.setdefault(call.model, {}).setdefault(run_id, [])
                entries.append((starts[call.name], call.calls * call.probability))

    def placed(self, run_id: str, model: str) -> None:
        """An engine has one call of the run: the first that waits for ``model``."""
        entries = self._by_model.get(model, {}).get(run_id)
        if not entries:
            return
        ready_at, calls = entries[0]
        if calls > 1:
            entries[0] = (ready_at, calls - 1)
        else:
            del entries[0]

    def forget(self, run_id: str) -> None:
        for runs in self._by_model.values():
            runs.pop(run_id, None)

    def buckets(self, now: float) -> tuple[Wave, ...]:
        """Calls by the quarter of a second in which they become ready; the last bucket holds all later ones."""
        waves = []
        for model, runs in self._by_model.items():
            counts: dict[int, float] = {}
            for entries in runs.values():
                for ready_at, calls in entries:
                    bucket = min(NUM_BUCKETS - 1, max(0, int((ready_at - now) / BUCKET_S)))
                    counts[bucket] = counts.get(bucket, 0.0) + calls
            waves += [Wave(model, bucket * BUCKET_S, calls) for bucket, calls in sorted(counts.items())]
        return tuple(waves)
