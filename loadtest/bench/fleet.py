"""Real engines that several systems start from one description, and the work for them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.arrival import Arrival
from bench.pieces import SCENARIOS
from bench.work import Work
from catenary.simulation.scenario import load_scenario


@dataclass(frozen=True, slots=True)
class Fleet:
    """``models`` and ``workers``: sections of Catenary's configuration; every model of a worker is awake there. Ray
    Serve starts a replica for each, with the same arguments. ``inputs`` draws those of a run. ``rates`` in runs per
    second and ``deadline_s`` are what is measured where nothing else is asked for. ``label`` begins the names of the
    traces."""

    label: str
    models: Mapping[str, Mapping[str, Any]]
    workers: Sequence[Mapping[str, Any]]
    workflow: Mapping[str, Any]
    inputs: Callable[[random.Random], dict[str, Any]]
    rates: tuple[float, ...]
    deadline_s: float

    def with_seats(self, num_seats: int) -> Fleet:
        """The same engines with so many seats each; one that comes with a profile keeps it."""
        models = {name: {**model, "max_num_seqs": num_seats} for name, model in self.models.items()}
        return replace(self, models=models, label=f"{self.label}_{num_seats}_seats")

    @property
    def replicas(self) -> dict[str, int]:
        return {model: sum(model in worker["models"] for worker in self.workers) for model in self.models}

    def worker_of(self, model: str) -> Mapping[str, Any]:
        """The first that serves it."""
        return next(worker for worker in self.workers if model in worker["models"])

    def share_of_device(self, model: str) -> float:
        """Of one accelerator, for a replica: what Ray Serve is told; 0 on a CPU."""
        device = self.worker_of(model).get("device", "cpu")
        beside = sum(len(worker["models"]) for worker in self.workers if worker.get("device", "cpu") == device)
        return 0.0 if device == "cpu" else int(100 / beside) / 100

    def work(self, rate: float, deadline_s: float, seconds: float, seed: int = 1) -> Work:
        """Poisson arrivals."""
        draw = random.Random(seed)
        arrivals: list[Arrival] = []
        at_s = draw.expovariate(rate)
        while at_s < seconds:
            arrivals.append(Arrival(len(arrivals), at_s, self.inputs(draw), deadline_s, 0.0, 0))
            at_s += draw.expovariate(rate)
        scenario = load_scenario(SCENARIOS / "chain_own.yaml")
        scenario = scenario.model_copy(update={"replicas": self.replicas})
        within = "" if deadline_s == self.deadline_s else f"_within_{deadline_s:g}s"
        label = f"{self.label}_{rate:g}_per_s{within}_seed{seed}"
        return Work(scenario, None, seed, label, self.workflow, arrivals, seconds)
