"""The accelerator set of a worker: its name and its memory."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path

import psutil

from catenary_worker.nvml import NvmlDevices

_QUERY = ("--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits")
_MIB = 1 << 20


class Accelerator:
    """Figures of a device ("cpu", or indices such as "0,1"), as of the last ``refresh``. Zero bytes mean unknown.

    Memory of a set is that of its members together; of a CPU it is the machine's.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self.name = cpu_name() if device == "cpu" else f"accelerator {device}"
        self.total_bytes = 0
        self.free_bytes = 0
        self._nvml: NvmlDevices | None = None
        self._tried_nvml = False

    @property
    def is_cpu(self) -> bool:
        return self._device == "cpu"

    async def refresh(self) -> None:
        if self.is_cpu:
            memory = psutil.virtual_memory()
            self.total_bytes, self.free_bytes = memory.total, memory.available
        elif (devices := self._devices()) is not None:
            self.name, self.total_bytes, self.free_bytes = devices.read()
        elif shutil.which("nvidia-smi"):
            await self._ask_nvidia()

    def _devices(self) -> NvmlDevices | None:
        if not self._tried_nvml:
            self._tried_nvml = True
            self._nvml = NvmlDevices.open(self._device)
        return self._nvml

    async def _ask_nvidia(self) -> None:
        process = await asyncio.create_subprocess_exec(
            "nvidia-smi",
            *_QUERY,
            f"--id={self._device}",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        output, _ = await process.communicate()
        rows = [line.split(", ") for line in output.decode(errors="replace").splitlines()]
        rows = [row for row in rows if len(row) == 3 and row[1].isdigit() and row[2].isdigit()]
        if rows:
            self.name = rows[0][0]
            self.total_bytes = sum(int(row[1]) for row in rows) * _MIB
            self.free_bytes = sum(int(row[2]) for row in rows) * _MIB


def cpu_name() -> str:
    """``cpu``, with the processor's name where the system tells it, and the cores that this process may use."""
    model = ""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    cores = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else psutil.cpu_count()
    return f"{' '.join(('cpu', model)).strip()}, {cores} cores"
