"""Catenary beside Ray Serve on real vLLM engines, which both start from the same description (bench/fleet.py).

    python -m bench.real_engines [--engines cpu|gpu] [--systems ray_fixed catenary] [--rates 0.8 1.2:12] [--seconds 40]
                                 [--seeds 1 2]

``cpu``: two small engines on two cores (bench/essays.py). ``gpu``: three on one card (bench/shapes.py). Rows go to
``vllm.json`` or ``vllm_gpu.json``, raw lines to ``raw/``; rows of other systems, rates and seeds stay. Ray's replicas
take vLLM from the environment that this runs in.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Self

import yaml
from rich.console import Console

from bench.arrival import Arrival, Finished
from bench.catenary_system import CatenarySystem
from bench.comparison import read_rows, write_rows
from bench.essays import cpu_fleet
from bench.fleet import Fleet
from bench.generator import offer
from bench.measure import under_load
from bench.ray_system import TUNED, RaySettings, RaySystem
from bench.row import Load, Row, row
from bench.shapes import gpu_fleet
from bench.system import System
from bench.table import text
from bench.versions import ROOT, git_hash
from bench.work import Work
from catenary.cli.demo_profiles import profile_models

FLEETS: Mapping[str, Callable[[], Fleet]] = {"cpu": cpu_fleet, "gpu": gpu_fleet}
SYSTEMS = ("ray_fixed", "ray_tuned", "catenary")
START_TIMEOUT_S = 600.0
WARM_UP_RUNS, WARM_UP_GAP_S = 10, 0.5
CACHE_DIR = "~/.cache/catenary"


class RealCatenary(CatenarySystem):
    """With vLLM workers; measures the profiles of models that come without one."""

    def __init__(self, name: str, work: Work, fleet: Fleet) -> None:
        super().__init__(name, work, [worker["models"] for worker in fleet.workers], {})
        self._fleet = fleet

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        if not all(model.get("profile") for model in self._fleet.models.values()):
            await profile_models(self.cluster, Console(stderr=True))
        return self

    async def _all_awake(self) -> None:
        """The cluster has waited for it."""

    def _write_config(self, folder: Path) -> Path:
        config: dict[str, Any] = {
            "models": {name: dict(model) for name, model in self._fleet.models.items()},
            "cache_dir": CACHE_DIR,
            "workers": [dict(worker) for worker in self._fleet.workers],
            "store": {"data_dir": str(folder / "store")},
            **{name: {"address": "127.0.0.1:0"} for name in ("gateway", "router", "profiler", "provisioner")},
        }
        config["profiler"]["profiles_dir"] = str(folder / "profiles")
        path = folder / "catenary.yaml"
        path.write_text(yaml.safe_dump(config))
        return path


class RealRay(RaySystem):
    """With the same engine in each replica, in the order in which calls come."""

    start_timeout_s = START_TIMEOUT_S

    def __init__(self, name: str, work: Work, fleet: Fleet, python: Path) -> None:
        super().__init__(name, work, RaySettings(fleet.replicas, TUNED if name == "ray_tuned" else {}), python)
        self._fleet = fleet

    def _engines(self) -> Mapping[str, Any]:
        fleet = self._fleet
        common = {"cache_dir": CACHE_DIR, "cores": str(self._folder / "cores"), "packages": str(folder_of("vllm"))}
        return {
            name: {"vllm": {"model": dict(model), "worker": dict(fleet.worker_of(name)), **common}}
            for name, model in fleet.models.items()
        }

    def _gpu_shares(self) -> Mapping[str, float]:
        return {name: self._fleet.share_of_device(name) for name in self._fleet.models}


def folder_of(package: str) -> Path:
    """In which an installed package lies."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise SystemExit(f"{package} is not installed in this environment")
    return Path(found.origin).parent.parent


async def measured(name: str, fleet: Fleet, works: Sequence[Work], raw: Path, ray_python: Path) -> list[Row]:
    """One start, all rates in turn."""
    system: System = (
        RealCatenary(name, works[0], fleet) if name == "catenary" else RealRay(name, works[0], fleet, ray_python)
    )
    rows = []
    async with system:
        await offer(system, warm_up(works[0]), "warm-up", _nothing)
        for one in works:
            found = await under_load(system, one, raw / f"{name}-{one.label}", _nothing)
            load = Load(str(fleet.workflow["name"]), one.label, f"{one.arrivals[0].deadline_s:g} s")
            rows.append(replace(row(name, system.version, load, found), git=git_hash()))
    return rows


def loads(asked: Sequence[str] | None, fleet: Fleet) -> list[tuple[float, float]]:
    """Runs per second and deadline of each, in the fleet's where nothing is asked for."""
    pairs = [one.partition(":") for one in asked or map(str, fleet.rates)]
    return [(float(rate), float(deadline or fleet.deadline_s)) for rate, _, deadline in pairs]


def warm_up(first: Work) -> list[Arrival]:
    """A few runs before the first load; their ends are not counted."""
    return [replace(one, at_s=WARM_UP_GAP_S * place) for place, one in enumerate(first.arrivals[:WARM_UP_RUNS])]


def _nothing(finished: Finished) -> None:
    """Rows say it all."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.real_engines", description=__doc__)
    parser.add_argument("--engines", choices=sorted(FLEETS), default="cpu")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=["ray_fixed", "catenary"])
    parser.add_argument("--rates", nargs="+", metavar="RATE[:DEADLINE]", help="runs per second, seconds")
    parser.add_argument("--seats", type=int, help="of each engine; default: its description's")
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--out", type=Path, default=ROOT / "loadtest" / "results")
    parser.add_argument("--ray-python", type=Path, default=ROOT / ".venv-ray" / "bin" / "python")
    args = parser.parse_args()
    fleet = FLEETS[args.engines]()
    file = f"{fleet.label}.json"
    if args.seats:
        fleet = fleet.with_seats(args.seats)
    works = [fleet.work(*load, args.seconds, seed) for seed in args.seeds for load in loads(args.rates, fleet)]
    for name in args.systems:
        rows = asyncio.run(measured(name, fleet, works, args.out / "raw", args.ray_python))
        new = {(one.system, one.trace) for one in rows}
        path = args.out / file
        write_rows(path, [*(one for one in read_rows(path) if (one.system, one.trace) not in new), *rows])
        print(text([asdict(one) for one in rows]), end="", flush=True)


if __name__ == "__main__":
    main()
