"""When the engines of a worker were awake."""

from __future__ import annotations

from collections import defaultdict


class AwakeTime:
    """Intervals by model (s); an engine that drains or wakes counts as awake."""

    def __init__(self) -> None:
        self._intervals: defaultdict[str, list[tuple[float, float | None]]] = defaultdict(list)

    def note(self, model: str, awake: bool, now: float) -> None:
        """The engine is awake from now on, or is not."""
        intervals = self._intervals[model]
        if intervals and intervals[-1][1] is None:
            intervals[-1] = (intervals[-1][0], now)
        if awake:
            intervals.append((now, None))

    def intervals(self, model: str) -> list[tuple[float, float | None]]:
        """(from, to); to None: it goes on."""
        return self._intervals.get(model, [])

    def seconds(self, now: float) -> float:
        """Of all engines together."""
        entries = (entry for intervals in self._intervals.values() for entry in intervals)
        return sum((now if end is None else end) - start for start, end in entries)
