"""The models of one node: a folder for each, made once, the least recently used ones removed for new ones."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_DONE = "catenary-model.txt"
_LOCK = ".lock"
_PARTIAL = ".partial"
_GOING = ".going"


@dataclass(slots=True)
class HeldModel:
    """A model's folder that stays until ``release``, or until this process ends."""

    folder: Path
    lock: IO[bytes] | None = None

    def release(self) -> None:
        if self.lock is not None:
            self.lock.close()
            self.lock = None


class ModelCache:
    """Processes share it: a folder is made under an exclusive lock, used under a shared one, removed under neither's.

    ``max_bytes`` 0: no bound. The newest model stays even where it alone is larger.
    """

    def __init__(self, folder: Path, max_bytes: int = 0) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    def make(self, name: str, source: str, build: Callable[[Path], None]) -> Path:
        """The model's folder, filled by ``build`` where it is not there yet; what ``build`` raises leaves nothing."""
        folder = self._folder / name
        if self._use(folder):
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(_beside(folder, _LOCK)):
            if self._use(folder):
                return folder
            partial = _beside(folder, _PARTIAL)
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            try:
                build(partial)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise
            (partial / _DONE).write_text(f"{source}\n")
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
        self.shrink(keep=folder)
        return folder

    def find(self, name: str) -> Path | None:
        """The model's folder where it is there; this is no use of it."""
        folder = self._folder / name
        return folder if (folder / _DONE).is_file() else None

    def hold(self, folder: Path) -> HeldModel | None:
        """Keep ``folder`` from being removed; None where it just was. Other folders than the cache's need no hold."""
        if folder.parent != self._folder:
            return HeldModel(folder)
        lock = _beside(folder, _LOCK).open("ab")
        fcntl.flock(lock, fcntl.LOCK_SH)
        if self._use(folder):
            return HeldModel(folder, lock)
        lock.close()
        return None

    def shrink(self, keep: Path | None = None) -> list[Path]:
        """Remove models that nobody holds, the least recently used first, until the rest fits; returns them."""
        if not self._max_bytes or not self._folder.is_dir():
            return []
        models = sorted((path for path in self._folder.iterdir() if (path / _DONE).is_file()), key=_used_at)
        total = sum(map(size_bytes, models))
        removed = []
        for folder in models:
            if total <= self._max_bytes:
                break
            num_bytes = size_bytes(folder)
            if folder != keep and _removed(folder):
                total -= num_bytes
                removed.append(folder)
        return removed

    def _use(self, folder: Path) -> bool:
        """Whether the model is there; it then counts as used now."""
        try:
            os.utime(folder / _DONE)
        except FileNotFoundError:
            return False
        except OSError:
            return (folder / _DONE).is_file()
        return True


def size_bytes(folder: Path) -> int:
    """Of all files below ``folder``; links count as what they point to."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _used_at(folder: Path) -> float:
    try:
        return (folder / _DONE).stat().st_mtime
    except OSError:
        return 0.0


def _removed(folder: Path) -> bool:
    """False where somebody holds or makes it."""
    with _beside(folder, _LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        going = _beside(folder, _GOING)
        shutil.rmtree(going, ignore_errors=True)
        folder.rename(going)
        shutil.rmtree(going, ignore_errors=True)
        return True


def _beside(folder: Path, suffix: str) -> Path:
    return folder.with_name(folder.name + suffix)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on ``path`` between processes; the kernel frees it when the holder dies."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
