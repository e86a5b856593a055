"""The accelerator set of a worker: its name and its memory."""

from __future__ import annotations

import asyncio
import shutil

import psutil

_QUERY = ("--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits")
_MIB = 1 << 20


class Accelerator:
    """Figures of a device ("cpu", or indices such as "0,1"), as of the last ``refresh``. Zero bytes mean unknown.

    Memory of a set is that of its members together; of a CPU it is the machine's.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self.name = device if device == "cpu" else f"accelerator {device}"
        self.total_bytes = 0
        self.free_bytes = 0

    @property
    def is_cpu(self) -> bool:
        return self._device == "cpu"

    async def refresh(self) -> None:
        if self.is_cpu:
            memory = psutil.virtual_memory()
            self.total_bytes, self.free_bytes = memory.total, memory.available
        elif shutil.which("nvidia-smi"):
            await self._ask_nvidia()

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
