"""The weights of a model folder, and how they come into memory."""

from __future__ import annotations

from pathlib import Path

import psutil

from catenary_worker.page_cache import cached_bytes, forget

_CHUNK_BYTES = 16 << 20
_WARM_SHARE = 0.9


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


def cool(folder: Path) -> None:
    """Have the page cache drop the weights, as far as nobody maps them: for measuring what reading them takes."""
    for file in _files(folder):
        forget(file)


def are_cold(folder: Path) -> bool:
    """A load would read a notable part of them from disk."""
    return sum(map(cached_bytes, _files(folder))) < _WARM_SHARE * weights_bytes(folder)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))
