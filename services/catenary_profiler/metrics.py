"""Prometheus metrics of a profiler. Labels are names of configured models."""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import Counter, Gauge

from catenary.core.profiler import FinishedCall, ProfilerCore
from catenary.runtime.metrics import MetricsServer

REFRESH_S = 1.0


class ProfilerMetrics(MetricsServer):
    """``follow`` keeps the gauges in step with ``core``."""

    def __init__(self, core: ProfilerCore) -> None:
        super().__init__()
        registry = self.registry
        self._core = core
        self.calls = Counter("catenary_profile_calls", "Finished calls reported.", ("model",), registry=registry)
        self.correction = Gauge(
            "catenary_profile_correction",
            "Measured over profiled duration.",
            ("model",),
            registry=registry,
        )
        self.error = Gauge(
            "catenary_profile_error",
            "Median of |predicted - measured| / measured of recent calls, after the correction.",
            ("model",),
            registry=registry,
        )
        self.measured = Gauge(
            "catenary_profile_measured_timestamp_seconds",
            "When the profile in force was measured; 0: it is assumed.",
            ("model",),
            registry=registry,
        )
        self.measuring = Gauge("catenary_profile_measuring", "1 while it is measured.", ("model",), registry=registry)

    def reported(self, calls: Iterable[FinishedCall]) -> None:
        """Count calls of configured models."""
        for model, number in Tally(call.model for call in calls).items():
            if model in self._core.digests:
                self.calls.labels(model).inc(number)

    async def follow(self) -> None:
        """For ever."""
        while True:
            self.refresh()
            await asyncio.sleep(REFRESH_S)

    def refresh(self) -> None:
        for model in self._core.digests:
            record = self._core.record(model)
            if record is not None:
                self.correction.labels(model).set(record.profile.correction)
                self.error.labels(model).set(record.online_error)
                self.measured.labels(model).set(record.measured_unix_s)
            self.measuring.labels(model).set(model in self._core.measuring)
