"""Runs built from a public trace of single requests (Azure LLM inference traces 2023, CC-BY-4.0).

Arrivals keep the trace's gaps, stretched to the load wanted; each run's prompt is a request's context, and its outputs
are generated lengths drawn from the trace. Lengths are clipped to what the scenario's models were measured for.
"""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path
from random import Random

from catenary.policy.prediction import engine_work_s
from catenary.simulation.parts import true_profiles
from catenary.simulation.scenario import Scenario

PROMPT = (32, 1024)
OUTPUT = (8, 400)


def write_trace(source: Path, scenario: Scenario, load: float, seconds: float, seed: int, target: Path) -> None:
    """A CSV file for ``catenary simulate --trace``: a stretch of ``source`` that begins at a random place and lasts
    ``seconds`` once the busiest pool is at ``load``. The scenario has one text input and no maps."""
    random = Random(seed)
    requests = _read(source)
    calls = list(scenario.workflow["calls"])
    (prompt,) = scenario.work.inputs
    outputs = [generated for _, _, generated in requests]
    per_run_s = _work_s(scenario, requests, outputs, random)
    rate = load / per_run_s
    count = round(rate * seconds)
    first = random.randrange(len(requests) - count)
    chosen = requests[first : first + count]
    begin, end = chosen[0][0], chosen[-1][0]
    with target.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["arrival_s", f"{prompt}_tokens", *(f"{name}_tokens" for name in calls)])
        for at, context, _ in chosen:
            lengths = [random.choice(outputs) for _ in calls]
            writer.writerow([f"{(at - begin) / (end - begin) * seconds:.4f}", context, *lengths])


def _read(source: Path) -> list[tuple[float, int, int]]:
    """Arrival (s), prompt and output tokens of each request."""
    with source.open(newline="") as file:
        return [
            (
                datetime.fromisoformat(row["TIMESTAMP"][:26]).timestamp(),
                _clip(int(row["ContextTokens"]), PROMPT),
                _clip(int(row["GeneratedTokens"]), OUTPUT),
            )
            for row in csv.DictReader(file)
        ]


def _work_s(
    scenario: Scenario, requests: list[tuple[float, int, int]], outputs: list[int], random: Random, samples: int = 500
) -> float:
    """Seconds of the busiest pool that a mean run takes, each prompt that of the run and the outputs before it."""
    profiles = true_profiles(scenario)
    total = dict.fromkeys(scenario.replicas, 0.0)
    for _ in range(samples):
        prompt = random.choice(requests)[1]
        for call in scenario.workflow["calls"].values():
            tokens = random.choice(outputs)
            total[call["model"]] += engine_work_s(profiles[call["model"]], prompt, tokens)
            prompt += tokens
    return max(work_s / scenario.replicas[model] for model, work_s in total.items()) / samples


def _clip(value: int, bounds: tuple[int, int]) -> int:
    return min(max(value, bounds[0]), bounds[1])
