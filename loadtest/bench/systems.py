"""The systems by name, each on the same number of the same engines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.catenary_system import BLIND, CatenarySystem, one_model_each, shared
from bench.ray_system import TUNED, RaySettings, RaySystem
from bench.system import System
from bench.work import Work

MAX_REPLICAS = 4
AUTOSCALING = {
    "min_replicas": 1,
    "max_replicas": MAX_REPLICAS,
    "target_ongoing_requests": 8,
    "upscale_delay_s": 3.0,
    "look_back_period_s": 5.0,
    "metrics_interval_s": 1.0,
}
"""Ray's defaults (30 s, 30 s, 10 s) answer a burst of 20 s after its end."""

SHARED: Mapping[str, Any] = {"policy": "risk", "interval_s": 0.5, "replica_price": 0.0}
AUTO: Mapping[str, Any] = {"policy": "risk", "interval_s": 0.25, "replica_price": 0.1}
"""The provisioner where every model is resident on each accelerator: as many as the scenario has replicas, all in use;
or as many as Ray's autoscaler may take, with a price on each that is awake."""

PLANNED: Mapping[str, Mapping[str, Any]] = {"catenary_shared": SHARED, "catenary_auto": AUTO}

SPLITS: Mapping[str, Mapping[str, int]] = {
    "chain": {"A": 1, "B": 2, "C": 3},
    "parallel": {"A": 1, "B": 2, "C": 2},
    "branch": {"A": 1, "B": 2, "C": 1},
    "map": {"A": 1, "B": 2},
}
"""The best fixed split of the scenario's accelerators, by workflow; `python -m bench split` searches it."""

Make = Callable[[Work, Path], System]


def _ray(name: str, work: Work, python: Path, settings: RaySettings) -> System:
    return RaySystem(name, work, settings, python)


def _fixed(name: str, work: Work, replicas: Mapping[str, int], settings: Mapping[str, Any]) -> System:
    return CatenarySystem(name, work, one_model_each(replicas), settings)


def _shared(name: str, work: Work) -> System:
    planned = PLANNED[name]
    settings = {**planned, "plan_interval_s": planned["interval_s"]}
    del settings["interval_s"]
    workers = shared(work.scenario.replicas, num_accelerators(name, work))
    return CatenarySystem(name, work, workers, {"provisioner": settings})


def num_accelerators(name: str, work: Work) -> int:
    """Of a system whose accelerators are shared by all models."""
    replicas = work.scenario.replicas
    return sum(replicas.values()) if name == "catenary_shared" else MAX_REPLICAS * len(replicas)


def _split(work: Work) -> Mapping[str, int]:
    return SPLITS.get(str(work.workflow["name"]), work.scenario.replicas)


SYSTEMS: Mapping[str, Make] = {
    "ray_fixed": lambda work, python: _ray("ray_fixed", work, python, RaySettings(work.scenario.replicas)),
    "ray_tuned": lambda work, python: _ray("ray_tuned", work, python, RaySettings(work.scenario.replicas, TUNED)),
    "ray_split": lambda work, python: _ray("ray_split", work, python, RaySettings(_split(work))),
    "ray_auto": lambda work, python: _ray(
        "ray_auto", work, python, RaySettings(work.scenario.replicas, TUNED, AUTOSCALING)
    ),
    "ray_auto_default": lambda work, python: _ray(
        "ray_auto_default", work, python, RaySettings(work.scenario.replicas, autoscaling=AUTOSCALING)
    ),
    "ray_slack": lambda work, python: _ray(
        "ray_slack", work, python, RaySettings(work.scenario.replicas, TUNED, slack=True)
    ),
    "catenary": lambda work, python: _fixed("catenary", work, work.scenario.replicas, {}),
    "catenary_split": lambda work, python: _fixed("catenary_split", work, _split(work), {}),
    "catenary_blind": lambda work, python: _fixed("catenary_blind", work, work.scenario.replicas, BLIND),
    "catenary_shared": lambda work, python: _shared("catenary_shared", work),
    "catenary_auto": lambda work, python: _shared("catenary_auto", work),
}

SIMULATED: Mapping[str, str] = {
    "ray_fixed": "fcfs",
    "ray_tuned": "fcfs",
    "ray_split": "fcfs",
    "ray_slack": "catenary",
    "ray_all_up": "fcfs",
    "catenary": "catenary",
    "catenary_split": "catenary",
    "catenary_blind": "fcfs",
    "catenary_shared": "catenary",
    "catenary_auto": "catenary",
}
"""Preset of the simulator's policies that stands for a system. ``ray_all_up``: as many replicas as ``ray_auto`` may
take, all up from the start: no autoscaler does better with them, first come, first served."""

ON_SPLIT = ("ray_split", "catenary_split")
