"""The weights of a model folder, and how they come into memory."""

from __future__ import annotations

from pathlib import Path

import psutil

_CHUNK_BYTES = 16 << 20


def weights_bytes(folder: Path) -> int:
    """Size of the safetensors files."""
    return sum(file.stat().st_size for file in _files(folder))


def warm(folder: Path) -> int:
    """Read the weights once, so that the next load finds them in the page cache; returns their bytes.

    Where they are larger than the memory that is available, reading them would only push out something else.
    """
    num_bytes = weights_bytes(folder)
    if num_bytes > psutil.virtual_memory().available:
        return num_bytes
    buffer = bytearray(_CHUNK_BYTES)
    for file in _files(folder):
        with file.open("rb", buffering=0) as weights:
            while weights.readinto(buffer):
                pass
    return num_bytes


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))
