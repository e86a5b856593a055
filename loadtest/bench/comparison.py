"""Systems in turn under the same pieces of load, each from a fresh start."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.measure import measure
from bench.pieces import Piece, work_of
from bench.row import Load, Row, row
from bench.simulated import simulated_missed
from bench.systems import SYSTEMS
from bench.versions import git_hash, machine
from bench.work import Work

CONSOLE = Console(stderr=True)


async def compare(
    pieces: Sequence[Piece], only: Sequence[str] | None, traces: Path | None, out: Path, ray_python: Path, keep: bool
) -> list[Row]:
    """Write ``ray.json`` anew after each measurement, so that what is done is kept. ``keep``: rows that were there
    before stay, those of the same system and trace excepted."""
    rows = read_rows(out / "ray.json") if keep else []
    raw = out / "raw"
    jobs = [
        (piece, work, name)
        for piece in pieces
        for work in [work_of(piece, traces, raw)]
        for name in piece.systems
        if not only or name in only
    ]
    for place, (_, work, name) in enumerate(jobs, start=1):
        CONSOLE.print(f"[bold]{place}/{len(jobs)} {name}[/bold], {work.name}, {work.label}, {len(work.arrivals)} runs")
        rows = [one for one in rows if (one.system, one.trace) != (name, work.label)]
        rows.append(await _one(name, work, raw, ray_python))
        CONSOLE.print(_line(rows[-1]))
        write_rows(out / "ray.json", rows)
    return rows


async def _one(name: str, work: Work, raw: Path, ray_python: Path) -> Row:
    system = SYSTEMS[name](work, ray_python)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=CONSOLE, transient=True) as bar:
        task = bar.add_task(name, total=len(work.arrivals))
        found = await measure(system, work, raw / f"{name}-{work.label}", lambda _: bar.advance(task))
    simulated = simulated_missed(name, work)
    load = Load(str(work.workflow["name"]), work.label, _objective(work))
    return row(name, system.version, load, found, simulated)


def read_rows(path: Path) -> list[Row]:
    return [Row(**values) for values in json.loads(path.read_text())] if path.is_file() else []


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(one) for one in rows], indent=1) + "\n")
    about = {"git": git_hash(), "machine": machine(), "ended": datetime.now(UTC).isoformat(timespec="seconds")}
    path.with_suffix(".about.json").write_text(json.dumps(about, indent=1) + "\n")


def _objective(work: Work) -> str:
    objective = work.scenario.objective
    return f"own x {objective.own:g}" if objective.own else f"{objective.fixed_s:g} s"


def _line(one: Row) -> str:
    mark = " [bold red]SATURATED: not about scheduling[/bold red]" if one.saturated else ""
    return (
        f"  missed {100 * one.missed:.1f} %, refused {100 * one.refused:.1f} %, good {one.goodput_per_s:.1f}/s, "
        f"p50 {one.p50_s:.2f} s, p99 {one.p99_s:.2f} s, busiest {one.busiest} {100 * one.busiest_cores:.0f} %{mark}"
    )
