"""Runs that arrive, read from a CSV file.

Columns: ``arrival_s``, ``{input}_tokens`` for each text input, ``{call}_tokens`` for each call (its output length,
which only engines see) and optionally ``own_latency_s``.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from pathlib import Path

from catenary.simulation.job import BYTES_PER_TOKEN, Answer, Job
from catenary.simulation.scenario import ScenarioError

MAX_TOKENS = 1_000_000
MAX_S = 1e7


def read_trace(path: Path, inputs: Collection[str], calls: Collection[str]) -> list[Job]:
    """Jobs in order of arrival.

    Raises:
        ScenarioError: the file cannot be read, lacks a column, or holds a value that is no number or out of bounds.
    """
    try:
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            needed = ["arrival_s", *(f"{name}_tokens" for name in (*inputs, *calls))]
            missing = [name for name in needed if name not in columns]
            if missing:
                raise ScenarioError(f"{path}: column {', '.join(missing)} is missing; found: {', '.join(columns)}")
            jobs = [_job(reader.line_num, number, row, inputs, calls) for number, row in enumerate(reader)]
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ScenarioError(f"{path}: {error}") from error
    return sorted(jobs, key=lambda job: job.arrival_s)


def _job(line: int, number: int, row: Mapping[str, str], inputs: Collection[str], calls: Collection[str]) -> Job:
    def value(column: str, least: float, most: float) -> float:
        found = float(row[column] or "nan")
        if not least <= found <= most:
            raise ValueError(f"line {line}: {column}: must be in {least:g}..{most:g}, is {row[column]!r}")
        return found

    sizes = {name: round(value(f"{name}_tokens", 0, MAX_TOKENS)) for name in inputs}
    lengths = {name: round(value(f"{name}_tokens", 1, MAX_TOKENS)) for name in calls}
    return Job(
        run_id=f"run-{number:06d}",
        arrival_s=value("arrival_s", 0.0, MAX_S),
        inputs={name: "x" * (BYTES_PER_TOKEN * size) for name, size in sizes.items()},
        answers={name: (Answer(length),) for name, length in lengths.items()},
        own_latency_s=value("own_latency_s", 0.0, MAX_S) if row.get("own_latency_s") else 0.0,
    )
