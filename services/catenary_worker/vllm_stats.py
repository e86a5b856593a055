"""vLLM's own figures, as it records them after each engine step."""

from __future__ import annotations

from typing import Any

from catenary.core.worker.events import EngineStats

_DECAY = 0.99  # of the prefix cache's counts, per request


class StepStats:
    """A vLLM stat logger for one engine; ``__call__`` makes it its own factory."""

    def __init__(self) -> None:
        self._newest = EngineStats()
        self._num_steps = 0
        self._sum_running = 0
        self._queries = 0.0
        self._hits = 0.0

    def __call__(self, vllm_config: Any, engine_index: int = 0) -> StepStats:
        return self

    def newest(self) -> EngineStats:
        return self._newest

    def mark(self) -> tuple[int, int]:
        """A point between steps, for ``mean_running``."""
        return self._num_steps, self._sum_running

    def mean_running(self, since: tuple[int, int]) -> float:
        """Mean number of running calls per step since ``mark``; of the last step where none has passed."""
        steps = self._num_steps - since[0]
        return (self._sum_running - since[1]) / steps if steps else float(self._newest.num_running)

    def record(self, scheduler_stats: Any, iteration_stats: Any, *args: Any, **kwargs: Any) -> None:
        if scheduler_stats is None:
            return
        running = scheduler_stats.num_running_reqs
        if running:
            self._num_steps += 1
            self._sum_running += running
        prefix = scheduler_stats.prefix_cache_stats
        if prefix is not None and prefix.requests:
            keep = _DECAY**prefix.requests
            self._queries = self._queries * keep + prefix.queries
            self._hits = self._hits * keep + prefix.hits
        self._newest = EngineStats(
            num_running=running,
            num_waiting=scheduler_stats.num_waiting_reqs,
            kv_cache_usage=scheduler_stats.kv_cache_usage,
            prefix_cache_hit_rate=self._hits / self._queries if self._queries else 0.0,
        )

    def log_engine_initialized(self) -> None:
        """Nothing to log."""

    def log(self) -> None:
        """Nothing to log."""

    def record_sleep_state(self, *args: Any, **kwargs: Any) -> None:
        """The replica's state says it."""
