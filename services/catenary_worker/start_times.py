"""How long engines took to start on this machine, for the progress that the next start shows."""

from __future__ import annotations

import re
from pathlib import Path


class StartTimes:
    """One small file per model and accelerator below ``folder``."""

    def __init__(self, folder: Path, accelerator: str) -> None:
        self._folder = folder
        self._accelerator = re.sub(r"[^a-z0-9]+", "-", accelerator.lower())

    def last(self, model: str) -> float:
        """Seconds of the last start; 0 where none is known."""
        try:
            return max(0.0, float(self._path(model).read_text()))
        except (OSError, ValueError):
            return 0.0

    def note(self, model: str, start_s: float) -> None:
        """Remember a start; a folder that cannot be written only costs the progress figure."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._path(model).write_text(f"{start_s:.2f}\n")
        except OSError:
            return

    def _path(self, model: str) -> Path:
        return self._folder / f"{model}--{self._accelerator}"
