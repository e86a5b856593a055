"""Sizes of memory."""

from __future__ import annotations

GIB = 1 << 30


def gib(num_bytes: int) -> str:
    return f"{num_bytes / GIB:.1f} GiB"
