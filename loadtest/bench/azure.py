"""Real arrivals for the chain, from a public trace of single requests.

    python -m bench.azure TRACE.csv OUT.csv [--load 1.0] [--seconds 60] [--begin 0] [--seed 1]

TRACE has the columns TIMESTAMP, ContextTokens and GeneratedTokens, as in the Azure LLM inference traces (Azure Public
Dataset, CC-BY-4.0). Arrival times are kept and scaled to the load; each run takes its prompt and its three outputs from
requests of the trace drawn with the seed, clipped to what the scenario's engines take.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench.pieces import SCENARIOS
from catenary.policy.prediction import engine_work_s
from catenary.simulation.cluster import true_profiles
from catenary.simulation.scenario import Scenario, load_scenario

PROMPT = (32, 4096)
OUTPUT = (8, 400)


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the trace: seconds from its first, and tokens."""

    at_s: float
    context_tokens: int
    generated_tokens: int


@dataclass(frozen=True, slots=True)
class ChainRun:
    arrival_s: float
    prompt_tokens: int
    a_tokens: int
    b_tokens: int
    c_tokens: int


def read_requests(path: Path) -> list[Request]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    times = [datetime.fromisoformat(row["TIMESTAMP"]) for row in rows]
    return [
        Request((time - times[0]).total_seconds(), int(row["ContextTokens"]), int(row["GeneratedTokens"]))
        for time, row in zip(times, rows, strict=True)
    ]


def chain_runs(
    requests: Sequence[Request], scenario: Scenario, load: float, seconds: float, seed: int
) -> list[ChainRun]:
    """Runs of ``seconds``: at ``load`` 1.0 the mean work of the busiest pool is what its replicas can do."""
    draw = random.Random(seed)
    drawn = [_lengths(requests, draw) for _ in requests]
    rate = load * capacity_per_s(drawn, scenario)
    scale = len(requests) / requests[-1].at_s / rate
    runs = [ChainRun(round(one.at_s * scale, 4), *lengths) for one, lengths in zip(requests, drawn, strict=True)]
    return [run for run in runs if run.arrival_s < seconds]


def capacity_per_s(drawn: Sequence[tuple[int, int, int, int]], scenario: Scenario) -> float:
    """Runs a second that the scenario's busiest pool can do."""
    profiles = true_profiles(scenario)
    work = {"A": 0.0, "B": 0.0, "C": 0.0}
    for prompt, a, b, c in drawn:
        for model, context, output in (("A", prompt, a), ("B", prompt + a, b), ("C", prompt + a + b, c)):
            work[model] += engine_work_s(profiles[model], context, output) / len(drawn)
    return min(scenario.replicas[model] / seconds for model, seconds in work.items())


def _lengths(requests: Sequence[Request], draw: random.Random) -> tuple[int, int, int, int]:
    prompt, *outputs = (draw.choice(requests) for _ in range(4))
    a, b, c = (_clipped(one.generated_tokens, OUTPUT) for one in outputs)
    return _clipped(prompt.context_tokens, PROMPT), a, b, c


def _clipped(tokens: int, bounds: tuple[int, int]) -> int:
    return min(max(tokens, bounds[0]), bounds[1])


def _rows(runs: Sequence[ChainRun]) -> Iterator[tuple[object, ...]]:
    yield "arrival_s", "prompt_tokens", "a_tokens", "b_tokens", "c_tokens"
    for run in runs:
        yield run.arrival_s, run.prompt_tokens, run.a_tokens, run.b_tokens, run.c_tokens


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.azure", description=__doc__.splitlines()[0])
    parser.add_argument("trace", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--load", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--begin", type=int, default=0, help="requests of the trace to leave out")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    requests = read_requests(args.trace)[args.begin :]
    first_s = requests[0].at_s
    requests = [Request(one.at_s - first_s, one.context_tokens, one.generated_tokens) for one in requests]
    runs = chain_runs(requests, load_scenario(SCENARIOS / "chain_own.yaml"), args.load, args.seconds, args.seed)
    with args.out.open("w", newline="") as file:
        csv.writer(file).writerows(_rows(runs))
    print(f"{len(runs)} runs, {len(runs) / args.seconds:.2f} a second")


if __name__ == "__main__":
    main()
