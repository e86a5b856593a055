"""Runs that arrive: drawn from a scenario's distributions with one seed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from catenary.model.compiled import CompiledWorkflow
from catenary.model.workflow import Limits
from catenary.simulation.job import BYTES_PER_TOKEN, Answer, Job
from catenary.simulation.sections import InputSection, Lengths, OutputSection, Phase, WorkSection


def generate_jobs(work: WorkSection, max_items: Mapping[str, int], seed: int) -> list[Job]:
    """Jobs in order of arrival. ``max_items``: how many answers a map call needs at most; 1 for the others."""
    random = Random(seed)
    jobs = []
    tenants = list(work.tenants), list(work.tenants.values())
    for number, (arrival, phase) in enumerate(_arrivals(work, random)):
        inputs = {name: _input(section, random) for name, section in work.inputs.items()}
        answers = {
            name: tuple(_answer(section, phase.outputs.get(name), random) for _ in range(max_items.get(name, 1)))
            for name, section in work.outputs.items()
        }
        tenant = random.choices(*tenants)[0] if work.tenants else "default"
        jobs.append(Job(f"run-{number:06d}", arrival, inputs, answers, tenant=tenant))
    return jobs


def most_items(workflow: CompiledWorkflow, limits: Limits) -> dict[str, int]:
    """How many items each map call has at most."""
    return {one.call.name: one.call.max_items or limits.max_items for one in workflow.calls if one.call.for_each}


def duration_s(work: WorkSection) -> float:
    return sum(phase.duration_s for phase in work.phases)


def _arrivals(work: WorkSection, random: Random) -> Iterator[tuple[float, Phase]]:
    start = 0.0
    for phase in work.phases:
        end = start + phase.duration_s
        now = start + _gap(work, phase, random)
        while now < end:
            yield now, phase
            now += _gap(work, phase, random)
        start = end


def _gap(work: WorkSection, phase: Phase, random: Random) -> float:
    mean = 1 / (work.rate * phase.load)
    if work.arrivals == "poisson":
        return random.expovariate(1 / mean)
    shape = 1 / work.gap_cv**2
    return random.gammavariate(shape, mean / shape)


def _input(section: InputSection, random: Random) -> Any:
    if section.items is None:
        return "x" * (BYTES_PER_TOKEN * _length(section.tokens, None, random))
    low, high = section.items
    return ["x" * (BYTES_PER_TOKEN * _length(section.tokens, None, random)) for _ in range(random.randint(low, high))]


def _answer(section: OutputSection, median: float | None, random: Random) -> Answer:
    tokens = _length(section.tokens, median, random)
    marked = bool(section.mark) and random.random() < section.mark_probability
    return Answer(tokens, section.mark if marked else "")


def _length(lengths: Lengths, median: float | None, random: Random) -> int:
    drawn = round(random.lognormvariate(math.log(median or lengths.median), lengths.sigma))
    return min(max(drawn, lengths.min), lengths.max)
