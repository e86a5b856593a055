"""How much of a file the system's page cache holds. Linux only; elsewhere everything counts as held."""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path

_MAP_FAILED = ctypes.c_void_p(-1).value


def cached_bytes(file: Path) -> int:
    """Bytes of ``file`` in the page cache, by ``mincore``, which reads nothing.

    All of them where the system does not say: it does so of files that the user owns or may write.
    """
    size = file.stat().st_size
    libc = _libc()
    if libc is None or not size:
        return size
    with file.open("rb") as opened:
        start = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, opened.fileno(), 0)
    if start == _MAP_FAILED:
        return size
    try:
        pages = ctypes.create_string_buffer(-(-size // mmap.PAGESIZE))
        if libc.mincore(start, size, pages):
            return size
        return min(size, (len(pages) - pages.raw.count(b"\0")) * mmap.PAGESIZE)
    finally:
        libc.munmap(start, size)


def forget(file: Path) -> None:
    """Have the page cache drop what it holds of ``file`` and nobody maps or writes."""
    if hasattr(os, "posix_fadvise"):
        with file.open("rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _libc() -> ctypes.CDLL | None:
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "mincore"):
        return None
    size, address = ctypes.c_size_t, ctypes.c_void_p
    libc.mmap.argtypes = (address, size, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
    libc.mmap.restype = address
    libc.munmap.argtypes = (address, size)
    libc.mincore.argtypes = (address, size, ctypes.c_char_p)
    return libc
