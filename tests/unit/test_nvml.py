"""Memory of accelerators through NVIDIA's library, against a stand-in for it."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from catenary_worker.accelerator import Accelerator
from catenary_worker.nvml import NvmlDevices


class NvmlError(Exception):
    pass


def library(num_devices: int) -> Any:
    def handle(index: int) -> int:
        if index >= num_devices:
            raise NvmlError
        return index

    return SimpleNamespace(
        NVMLError=NvmlError,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByIndex=handle,
        nvmlDeviceGetMemoryInfo=lambda device: SimpleNamespace(total=100, free=60 - device),
        nvmlDeviceGetName=lambda device: b"A card",
    )


async def test_memory_of_a_set_is_that_of_its_devices_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", library(2))
    accelerator = Accelerator("0,1")
    await accelerator.refresh()
    assert (accelerator.name, accelerator.total_bytes, accelerator.free_bytes) == ("A card", 200, 119)


@pytest.mark.parametrize("indices", ["2", "GPU-0a1b"])
def test_a_device_that_the_library_does_not_find_is_asked_for_otherwise(
    indices: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", library(2))
    assert NvmlDevices.open(indices) is None


def test_without_the_binding_there_is_nothing_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert NvmlDevices.open("0") is None
