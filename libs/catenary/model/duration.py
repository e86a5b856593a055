"""Durations as users write them: ``8s``, ``500ms``, ``2m``, ``1h`` or a number of seconds."""

from __future__ import annotations

import math
import re

from catenary.model.problem import shown

_FORM = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?(ms|s|m|h)\Z")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(value: object) -> float:
    """Seconds, rounded to the nanosecond that the wire carries.

    Raises:
        ValueError: the value is no duration.
    """
    if isinstance(value, str):
        match = _FORM.match(value.strip())
        if match:
            return round(float(match[1]) * _SECONDS[match[2]], 9)
    elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15 and math.isfinite(value):
        return round(float(value), 9)
    raise ValueError(f"must be a duration such as 8s, 500ms or 2m, or a number of seconds, is {shown(value)}")
