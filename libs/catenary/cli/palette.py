"""One colour per call name, in the order in which calls appear; figures as people read them."""

from __future__ import annotations

_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "bright_red", "bright_cyan", "bright_magenta")


class Palette:
    def __init__(self) -> None:
        self._colours: dict[str, str] = {}

    def colour(self, name: str) -> str:
        return self._colours.setdefault(name, _COLOURS[len(self._colours) % len(_COLOURS)])


def seconds(value: float) -> str:
    """Three figures: 0.123, 1.23, 12.3, 123."""
    size = abs(value)
    digits = 3 if size < 1 else 2 if size < 10 else 1 if size < 100 else 0
    return f"{value:.{digits}f}"


def signed(value: float) -> str:
    return f"{'+' if value >= 0 else '-'}{seconds(abs(value))}"
