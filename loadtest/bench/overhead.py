"""Overhead of Catenary and of Ray Serve on engines that take no time, in turn, medians of the rounds.

python -m bench.overhead [--rounds 5] [--seconds 1] [--clients 1 16 64] [--calls 1 3] [--resume] [--out DIR]

Writes ``overhead.json`` anew after each system of each round, and the rounds themselves to ``raw/overhead.json``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.ray_system import NUM_CPUS, TUNED, free_port, ray_environment
from bench.versions import ROOT, git_hash, machine

CATENARY, RAY = "catenary", {"ray_fixed": {}, "ray_tuned": TUNED}
PATHS = ("handle", "grpc", "http")
NOOP = ROOT / "profiles" / "emulated" / "noop.json"
TIMEOUT_S = 600.0

Key = tuple[str, str, int, int]
Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Part:
    """What one system gave in one round, counted from 0."""

    git: str
    round: int
    system: str
    found: Sequence[tuple[Key, Figures]]


def catenary_round(args: argparse.Namespace) -> dict[Key, Figures]:
    """loadtest/overhead.py with its own cluster; every figure of its rows but the counts of clients and calls."""
    found: dict[Key, Figures] = {}
    for calls in args.calls:
        command = [sys.executable, str(ROOT / "loadtest" / "overhead.py"), "--json", "--repeats", "1"]
        command += ["--seconds", str(args.seconds), "--calls", str(calls), "--clients", *map(str, args.clients)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=TIMEOUT_S)
        for row in json.loads(done.stdout.splitlines()[-1]):
            used = row["cpu_ms_per_run"]
            figures = {name: row[name] for name in ("per_s", "p50_ms", "p99_ms", "rss_mb")}
            figures |= {name: row[name] for name in ("token_events_per_run", "store_commands_per_run")}
            figures["control_plane_mb"] = row["rss_mb"] - row["rss_mb_by_service"]["worker"]
            figures["cpu_ms"] = sum(value for name, value in used.items() if name != "client")
            found[CATENARY, "grpc", round(row["clients"]), calls] = figures
    return found


def ray_round(system: str, args: argparse.Namespace) -> dict[Key, Figures]:
    jobs = [
        {"path": path, "clients": clients, "calls": calls}
        for calls in args.calls
        for clients in args.clients
        for path in PATHS
    ]
    spec = {
        "models": {"noop": _noop_profile()},
        "replicas": {"noop": 1},
        "jobs": jobs,
        "seconds": args.seconds,
        "grpc_port": free_port(),
        "http_port": free_port(),
        "num_cpus": NUM_CPUS,
    }
    with tempfile.TemporaryDirectory(prefix="ray-overhead-") as folder:
        path = Path(folder) / "spec.json"
        path.write_text(json.dumps({**spec, "folder": str(Path(folder) / "ray")}))
        with (Path(folder) / "log").open("w") as log:
            host = subprocess.Popen(
                [str(args.ray_python), "-m", "bench.ray_serve.overhead_host", str(path)],
                stdout=subprocess.PIPE, stderr=log, text=True, env=ray_environment(RAY[system]),
            )  # fmt: skip
            found = _listen(system, host)
        if host.wait(TIMEOUT_S) != 0:
            raise SystemExit(f"{system} ended with {host.returncode}:\n{(Path(folder) / 'log').read_text()[-2000:]}")
    return found


def _listen(system: str, host: subprocess.Popen[str]) -> dict[Key, Figures]:
    """Processor time and memory are those of the host's descendants; the host itself is the client."""
    found: dict[Key, Figures] = {}
    before: dict[int, float] = {}
    for line in host.stdout or ():
        message = json.loads(line) if line.startswith("{") else {}
        if "begin" in message:
            before = _cpu_s(host.pid)
        elif "end" in message:
            job = message.pop("end")
            used = sum(seconds - before.get(pid, 0.0) for pid, seconds in _cpu_s(host.pid).items())
            runs = message.pop("requests")
            figures = {**message, "rss_mb": _rss_mb(host.pid), "cpu_ms": used * 1e3 / runs}
            found[system, job["path"], job["clients"], job["calls"]] = figures
    return found


def read_parts(path: Path) -> list[Part]:
    """Those of this commit."""
    parts = [Part(**values) for values in json.loads(path.read_text())] if path.is_file() else []
    return [one for one in parts if one.git == git_hash()]


def medians(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """One row per (system, path, clients, calls): the median of each figure, and the least and most runs per second."""
    found: dict[Key, list[Figures]] = defaultdict(list)
    for one in parts:
        for (system, path, clients, calls), figures in one.found:
            found[system, path, clients, calls].append(figures)
    return [_row(key, figures) for key, figures in found.items()]


def _row(key: Key, figures: Sequence[Figures]) -> dict[str, Any]:
    system, path, clients, calls = key
    values = {name: round(statistics.median(one[name] for one in figures), 3) for name in figures[0]}
    per_s = [one["per_s"] for one in figures]
    spread = {"per_s_min": round(min(per_s), 3), "per_s_max": round(max(per_s), 3)}
    return {"system": system, "path": path, "clients": clients, "calls": calls, **values, **spread}


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        f"{'system':<10} {'path':<7} {'calls':>5} {'clients':>7} {'per s':>8} {'p50 ms':>8} {'p99 ms':>8} "
        f"{'CPU ms':>7} {'RSS MB':>7}  proof"
    ]
    for row in sorted(rows, key=lambda row: (row["calls"], row["clients"], row["system"], row["path"])):
        proof = ""
        if "token_events_per_run" in row:
            proof = (
                f"{row['token_events_per_run']:.0f} token events, {row['store_commands_per_run']:.0f} store commands, "
                f"{row['control_plane_mb']:.0f} MB without the worker"
            )
        lines.append(
            f"{row['system']:<10} {row['path']:<7} {row['calls']:>5} {row['clients']:>7} {row['per_s']:>8.1f} "
            f"{row['p50_ms']:>8.2f} {row['p99_ms']:>8.2f} {row['cpu_ms']:>7.2f} {row['rss_mb']:>7.0f}  {proof}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.overhead", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--resume", action="store_true", help="keep what was measured at this commit")
    parser.add_argument("--out", type=Path, default=ROOT / "loadtest" / "results")
    parser.add_argument("--ray-python", type=Path, default=ROOT / ".venv-ray" / "bin" / "python")
    args = parser.parse_args()
    raw = args.out / "raw" / "overhead.json"
    raw.parent.mkdir(parents=True, exist_ok=True)
    parts = read_parts(raw) if args.resume else []
    for number, system in itertools.product(range(args.rounds), (CATENARY, *RAY)):
        if any((one.round, one.system) == (number, system) for one in parts):
            continue
        found = catenary_round(args) if system == CATENARY else ray_round(system, args)
        parts.append(Part(git_hash(), number, system, list(found.items())))
        print(f"round {number + 1} of {args.rounds}: {system} done", file=sys.stderr)
        raw.write_text(json.dumps([asdict(one) for one in parts]) + "\n")
        (args.out / "overhead.json").write_text(json.dumps(medians(parts), indent=1) + "\n")
    print(table(medians(parts)))
    print(f"catenary {git_hash()}, ray 2.60; {machine()}; median of {args.rounds}")


def _noop_profile() -> dict[str, Any]:
    profile = json.loads(NOOP.read_text())
    names = ("prefill_base_s", "prefill_token_s", "step_base_s", "step_seq_s")
    return {**{name: profile[name] for name in names}, "max_num_seqs": 256}


def _family(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def _cpu_s(pid: int) -> dict[int, float]:
    found = {}
    for process in _family(pid):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        found[process.pid] = times.user + times.system
    return found


def _rss_mb(pid: int) -> float:
    total = 0
    for process in _family(pid):
        try:
            total += process.memory_info().rss
        except psutil.Error:
            continue
    return total / 2**20


if __name__ == "__main__":
    main()
