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


def read_trace(path: Path, inputs: Collection[str], calls: Collection[str]) -> list[Job]:
    """Jobs in order of arrival.

    Raises:
        ScenarioError: the file cannot be read, lacks a column, or holds a value that is no number.
    """
    try:
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            needed = ["arrival_s", *(f"{name}_tokens" for name in (*inputs, *calls))]
            missing = [name for name in needed if name not in columns]
            if missing:
                raise ScenarioError(f"{path}: column {', '.join(missing)} is missing; found: {', '.join(columns)}")
            jobs = [_job(number, row, inputs, calls) for number, row in enumerate(reader)]
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: cannot be read: {error}") from error
    except ValueError as error:
        raise ScenarioError(f"{path}: {error}") from error
    return sorted(jobs, key=lambda job: job.arrival_s)


def _job(number: int, row: Mapping[str, str], inputs: Collection[str], calls: Collection[str]) -> Job:
    return Job(
        run_id=f"run-{number:06d}",
        arrival_s=float(row["arrival_s"]),
        inputs={name: "x" * (BYTES_PER_TOKEN * int(row[f"{name}_tokens"])) for name in inputs},
        answers={name: (Answer(int(row[f"{name}_tokens"])),) for name in calls},
        own_latency_s=float(row.get("own_latency_s") or 0.0),
    )
