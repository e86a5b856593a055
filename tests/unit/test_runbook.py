"""The runbook and the services name the same metrics."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from catenary.core.profiler import ProfilerCore
from catenary_gateway.metrics import GatewayMetrics
from catenary_profiler.metrics import ProfilerMetrics
from catenary_provisioner.metrics import ProvisionerMetrics
from catenary_router.metrics import RouterMetrics
from catenary_worker.metrics import WorkerMetrics

RUNBOOK = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text()
TABLE, ALERTS = RUNBOOK.split("## Alerts", 1)
SUFFIX = re.compile(r"_(bucket|sum|count)$")


def names(registry: CollectorRegistry) -> set[str]:
    """As a query names them: counters end in _total."""
    return {metric.name + "_total" * (metric.type == "counter") for metric in registry.collect()}


@pytest.fixture(scope="module")
def measured() -> set[str]:
    services = (
        GatewayMetrics(),
        RouterMetrics(),
        WorkerMetrics(),
        ProvisionerMetrics(),
        ProfilerMetrics(ProfilerCore({}, {})),
    )
    return {name for service in services for name in names(service.registry)}


def test_every_metric_is_in_the_runbook_and_nothing_else(measured: set[str]) -> None:
    assert set(re.findall(r"catenary_\w+", TABLE)) == measured


def test_alerts_ask_for_metrics_that_exist(measured: set[str]) -> None:
    asked = {SUFFIX.sub("", name) for name in re.findall(r"catenary_\w+", ALERTS)}
    assert asked - measured == set()
