"""What the processes of a measurement use: processor and memory of each, sampled once a second."""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass, field

import psutil

from catenary.runtime.clock import now

INTERVAL_S = 1.0
BUSY_CORE = 0.95
"""A process of one event loop that uses more than this share of a core is behind."""
BUSY_MACHINE = 0.95
SATURATED_SHARE = 0.1
"""A run is saturated when so many of its samples show a busy core or machine."""

_SERVICES = re.compile(r"catenary_(gateway|router|worker|profiler|provisioner)|(valkey-server)")
_RAY = re.compile(r"ray::(?:ServeReplica:[^:]*:(?P<deployment>\w+)|(?P<actor>\w+))")


@dataclass(frozen=True, slots=True)
class Sample:
    """``cores``: cores in use, by process, over the last interval; ``machine``: share of all cores, 0..1, whoever used
    them; ``rss_mb`` of the system's processes together, without the load generator."""

    at_s: float
    machine: float
    cores: dict[str, float]
    rss_mb: float

    @property
    def is_saturated(self) -> bool:
        return self.machine > BUSY_MACHINE or any(used > BUSY_CORE for used in self.cores.values())


@dataclass(slots=True)
class Watch:
    """Follows this process and all its descendants; ``run`` samples until it is cancelled."""

    samples: list[Sample] = field(default_factory=list)
    _known: dict[int, psutil.Process] = field(default_factory=dict)
    _names: dict[int, str] = field(default_factory=dict)

    async def run(self, start: float) -> None:
        """``start``: the moment on this process's clock that ``at_s`` counts from."""
        self._used(self._family())
        before, total_before = self._used(self._family()), _machine_s()
        at = now()
        while True:
            await asyncio.sleep(INTERVAL_S)
            used, total = self._used(self._family()), _machine_s()
            took, at = now() - at, now()
            cores = {self._names[pid]: (seconds - before[pid]) / took for pid, seconds in used.items() if pid in before}
            busy, idle = total[0] - total_before[0], total[1] - total_before[1]
            self.samples.append(Sample(at - start, busy / max(1e-9, busy + idle), cores, self._rss_mb()))
            before, total_before = used, total

    def _family(self) -> dict[int, psutil.Process]:
        me = psutil.Process()
        alive = {process.pid: process for process in (me, *me.children(recursive=True))}
        for pid, process in alive.items():
            if pid not in self._known:
                self._known[pid] = process
                self._names[pid] = self._free_name(process_name(process))
        self._known = {pid: process for pid, process in self._known.items() if pid in alive}
        return self._known

    def _used(self, family: dict[int, psutil.Process]) -> dict[int, float]:
        used = {}
        for pid, process in family.items():
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            used[pid] = times.user + times.system
        return used

    def _rss_mb(self) -> float:
        total = 0
        for pid, process in self._known.items():
            try:
                total += 0 if pid == os.getpid() else process.memory_info().rss
            except psutil.Error:
                continue
        return total / 2**20

    def _free_name(self, name: str) -> str:
        taken = set(self._names.values())
        return (
            name if name not in taken else next(f"{name}#{n}" for n in range(2, 10_000) if f"{name}#{n}" not in taken)
        )


def process_name(process: psutil.Process) -> str:
    """Short and the same in every run: the service, the Ray deployment or the program."""
    if process.pid == os.getpid():
        return "generator"
    try:
        words = process.cmdline()
    except psutil.Error:
        return "ended"
    line = " ".join(words)
    if found := _RAY.search(line):
        return f"ray {found['deployment'] or found['actor']}"
    if found := _SERVICES.search(line):
        name = found[1] or "valkey"
        return f"{name} {words[words.index('--id') + 1]}" if name == "worker" and "--id" in words else name
    if "bench.ray_serve.host" in line:
        return "ray driver"
    programs = [os.path.basename(word) for word in words[:3] if word and not word.startswith("-")]
    return next((name for name in reversed(programs) if "python" not in name), programs[0] if programs else "unknown")


def _machine_s() -> tuple[float, float]:
    """Seconds that all cores were busy and idle since the machine started."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    return sum(times[:8]) - idle, idle
