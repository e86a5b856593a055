"""Colours of the systems in plots, and how a figure is kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

mpl.use("Agg")

COLOURS = {
    "ray_fixed": "#b2182b",
    "ray_tuned": "#ef8a62",
    "ray_split": "#fdb863",
    "ray_auto": "#8c510a",
    "ray_auto_default": "#bf812d",
    "ray_slack": "#c994c7",
    "catenary": "#2166ac",
    "catenary_split": "#053061",
    "catenary_shared": "#1b7837",
    "catenary_auto": "#5aae61",
    "catenary_blind": "#92c5de",
}
GREY = "#666666"


def colour(row: Mapping[str, Any]) -> str:
    return COLOURS.get(row["system"], GREY)


def save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, dpi=110)
    return path
