"""What a child process writes: kept in a bounded file, with its last lines at hand for error messages."""

from __future__ import annotations

import sys
from collections import deque
from pathlib import Path
from typing import BinaryIO

MAX_FILE_BYTES = 8 << 20
MAX_LINE_BYTES = 16 << 10
TAIL_CHARS = 1500
_TAIL_LINES = 12


class OutputLog:
    """Takes chunks of output. Without a path they go to standard error; with one, to a file and its one predecessor."""

    def __init__(self, path: Path | None, max_bytes: int = MAX_FILE_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._written = 0
        self._partial = b""
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._file: BinaryIO | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab")
            self._written = self._file.tell()

    @property
    def path(self) -> Path | None:
        return self._path

    def feed(self, chunk: bytes) -> list[str]:
        """Keep ``chunk`` and return the lines that it completes; longer lines than MAX_LINE_BYTES are split."""
        self._write(chunk)
        *complete, partial = (self._partial + chunk).replace(b"\r", b"\n").split(b"\n")
        if len(partial) > MAX_LINE_BYTES:
            complete.append(partial)
            partial = b""
        self._partial = partial
        lines = [line.decode(errors="replace") for line in complete if line.strip()]
        self._tail.extend(line[:500] for line in lines)
        return lines

    def tail(self) -> str:
        """The last lines, oldest first, at most TAIL_CHARS."""
        return "\n".join(self._tail)[-TAIL_CHARS:]

    def close(self) -> None:
        if self._partial.strip():
            self._tail.append(self._partial.decode(errors="replace")[:500])
            self._partial = b""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, chunk: bytes) -> None:
        if self._path is None:
            sys.stderr.buffer.write(chunk)
            sys.stderr.buffer.flush()
            return
        if self._file is None:
            return
        if self._written + len(chunk) > self._max_bytes:
            self._rotate(self._path)
        self._file.write(chunk)
        self._file.flush()
        self._written += len(chunk)

    def _rotate(self, path: Path) -> None:
        if self._file is not None:
            self._file.close()
        path.replace(path.with_name(path.name + ".1"))
        self._file = path.open("wb")
        self._written = 0
