"""Workers that are away and expected back."""

from __future__ import annotations

from collections.abc import Mapping


def back_in_s(start_s: float, away_s: float) -> float:
    """Seconds until a worker is back that takes ``start_s`` to start and has been away for ``away_s``.

    One that is overdue by x seconds is expected in x more: the longer nobody has started it again, the less a run that
    must end soon can count on it.
    """
    return abs(start_s - away_s)


class Absences:
    """One pool's workers that were lost, drain, or have not been heard of yet, each for at most ``grace_s`` seconds.

    Whoever runs the workers starts them again. A run that comes meanwhile is better off waiting than refused: without
    this, restarting the only worker of a model would refuse runs. After the grace the worker counts as gone.
    """

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._since: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._since)

    def __contains__(self, worker_id: str) -> bool:
        return worker_id in self._since

    def begin(self, worker_id: str, now: float) -> None:
        """The worker is away; one that is away already keeps its time."""
        self._since.setdefault(worker_id, now)

    def renew(self, worker_id: str, now: float) -> None:
        """The worker is on its way out: its grace begins when it was last seen."""
        self._since[worker_id] = now

    def end(self, worker_id: str) -> None:
        self._since.pop(worker_id, None)

    def current(self, now: float) -> Mapping[str, float]:
        """When (s) each worker that still counts went away."""
        for worker_id in [name for name, since in self._since.items() if now >= since + self._grace_s]:
            del self._since[worker_id]
        return self._since
