"""Memory of NVIDIA accelerators, read in this process."""

from __future__ import annotations

from typing import Any, Self


class NvmlDevices:
    """A set of devices through NVIDIA's management library: a reading takes some 60 us on an H100, ``nvidia-smi`` 20 ms
    and a process of its own."""

    def __init__(self, nvml: Any, handles: list[Any]) -> None:
        self._nvml = nvml
        self._handles = handles

    @classmethod
    def open(cls, indices: str) -> Self | None:
        """None where the library or its Python binding (nvidia-ml-py) is missing, or a device has no plain index."""
        try:
            import pynvml
        except ImportError:
            return None
        try:
            pynvml.nvmlInit()
            return cls(pynvml, [pynvml.nvmlDeviceGetHandleByIndex(int(index)) for index in indices.split(",")])
        except (ValueError, pynvml.NVMLError):
            return None

    def read(self) -> tuple[str, int, int]:
        """Name of the first device; bytes in all and free, of the set together."""
        memory = [self._nvml.nvmlDeviceGetMemoryInfo(handle) for handle in self._handles]
        name = self._nvml.nvmlDeviceGetName(self._handles[0])
        text = name.decode() if isinstance(name, bytes) else str(name)
        return text, sum(one.total for one in memory), sum(one.free for one in memory)
