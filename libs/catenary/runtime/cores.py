"""Processor cores as text such as "0-3,6"."""

from __future__ import annotations

import re
from collections.abc import Iterable

ENGINE_CORES_VARIABLE = "CATENARY_ENGINE_CORES"
"""Where a worker is told on which cores the processes of its CPU engines run."""

_RUN = re.compile(r"\s*(\d+)(?:-(\d+))?\s*")


def cores_text(cores: Iterable[int]) -> str:
    runs: list[list[int]] = []
    for core in sorted(cores):
        if runs and core == runs[-1][-1] + 1:
            runs[-1].append(core)
        else:
            runs.append([core])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def cores_of(text: str) -> frozenset[int]:
    """Empty where the text names no cores, such as vLLM's "auto"."""
    runs = [_RUN.fullmatch(part) for part in text.split(",")]
    if not all(runs):
        return frozenset()
    bounds = [(int(run[1]), int(run[2] or run[1])) for run in runs if run]
    return frozenset(core for first, last in bounds for core in range(first, last + 1))
