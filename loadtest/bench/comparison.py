"""Systems in turn under the same pieces of load, each from a fresh start."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import grpc
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.measure import measure
from bench.pieces import Piece, work_of
from bench.ray_system import RayError
from bench.row import Load, Row, row
from bench.simulated import simulated_missed
from bench.systems import SYSTEMS
from bench.versions import git_hash, machine
from bench.work import Work
from catenary.runtime.cluster import ClusterError

CONSOLE = Console(stderr=True)


@dataclass(frozen=True, slots=True)
class Job:
    """One row to measure."""

    system: str
    work: Work

    def is_of(self, one: Row) -> bool:
        return (one.system, one.trace) == (self.system, self.work.label)


def jobs_of(pieces: Sequence[Piece], only: Sequence[str] | None, traces: Path | None, out: Path) -> list[Job]:
    works = [(piece, work_of(piece, traces, out / "raw")) for piece in pieces]
    return [Job(name, work) for piece, work in works for name in piece.systems if not only or name in only]


def missing(jobs: Sequence[Job], rows: Sequence[Row]) -> list[Job]:
    """Those without a row of this very commit."""
    return [job for job in jobs if not any(job.is_of(one) and one.git == git_hash() for one in rows)]


async def compare(jobs: Sequence[Job], out: Path, ray_python: Path, keep: bool) -> None:
    """Write ``ray.json`` anew after each measurement, so that what is done is kept. ``keep``: rows that were there
    before stay, those of the same system and trace excepted. A system that does not start has no row."""
    rows = read_rows(out / "ray.json") if keep else []
    for place, job in enumerate(jobs, start=1):
        work = job.work
        CONSOLE.print(f"[bold]{place}/{len(jobs)} {job.system}[/bold], {work.label}, {len(work.arrivals)} runs")
        try:
            measured = await _one(job, out / "raw", ray_python)
        except (ClusterError, RayError, grpc.aio.AioRpcError) as error:
            CONSOLE.print(f"[bold red]{job.system} does not start[/bold red]: {error}")
            continue
        rows = [*(one for one in rows if not job.is_of(one)), measured]
        CONSOLE.print(_line(measured))
        write_rows(out / "ray.json", rows)


def add_simulated(jobs: Sequence[Job], out: Path) -> None:
    """What the simulator says for the rows of ``jobs``, after all measurements: it takes a core."""
    for job in jobs:
        rows = read_rows(out / "ray.json")
        if any(job.is_of(one) for one in rows):
            missed = simulated_missed(job.system, job.work)
            _write(out / "ray.json", [replace(one, simulated_missed=missed) if job.is_of(one) else one for one in rows])


async def _one(job: Job, raw: Path, ray_python: Path) -> Row:
    work = job.work
    system = SYSTEMS[job.system](work, ray_python)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=CONSOLE, transient=True) as bar:
        task = bar.add_task(job.system, total=len(work.arrivals))
        found = await measure(system, work, raw / f"{job.system}-{work.label}", lambda _: bar.advance(task))
    load = Load(str(work.workflow["name"]), work.label, _objective(work))
    return replace(row(job.system, system.version, load, found), git=git_hash())


def read_rows(path: Path) -> list[Row]:
    return [Row(**values) for values in json.loads(path.read_text())] if path.is_file() else []


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    _write(path, rows)
    about = {"git": git_hash(), "machine": machine(), "ended": datetime.now(UTC).isoformat(timespec="seconds")}
    path.with_suffix(".about.json").write_text(json.dumps(about, indent=1) + "\n")


def _write(path: Path, rows: Sequence[Row]) -> None:
    """Whole or not at all: what is there may have taken hours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps([asdict(one) for one in rows], indent=1) + "\n")
    fresh.replace(path)


def _objective(work: Work) -> str:
    objective = work.scenario.objective
    return f"own x {objective.own:g}" if objective.own else f"{objective.fixed_s:g} s"


def _line(one: Row) -> str:
    mark = " [bold red]SATURATED: not about scheduling[/bold red]" if one.saturated else ""
    return (
        f"  missed {100 * one.missed:.1f} %, refused {100 * one.refused:.1f} %, good {one.goodput_per_s:.1f}/s, "
        f"p50 {one.p50_s:.2f} s, p99 {one.p99_s:.2f} s, busiest {one.busiest} {100 * one.busiest_cores:.0f} %{mark}"
    )
