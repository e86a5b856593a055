"""A run while it happens: the text of its calls as it comes, each call in its own colour."""

from __future__ import annotations

from rich.console import Console

from catenary.cli.line_view import LineView
from catenary.cli.live_view import LiveView
from catenary.cli.palette import Palette


def run_view(console: Console, palette: Palette) -> LiveView | LineView:
    """On a terminal calls stream side by side; elsewhere each line carries its call's name."""
    return LiveView(console, palette) if console.is_terminal else LineView(console, palette)
