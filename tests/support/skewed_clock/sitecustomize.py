"""First on a process's path, it puts its clocks off by SKEW_S: the wall clock, and the monotonic one as on a machine
that started at another time."""

import os
import time

_SKEW_S = float(os.environ.get("SKEW_S", "0"))
_wall, _wall_ns, _monotonic, _monotonic_ns = time.time, time.time_ns, time.monotonic, time.monotonic_ns

time.time = lambda: _wall() + _SKEW_S
time.time_ns = lambda: _wall_ns() + round(_SKEW_S * 1e9)
time.monotonic = lambda: _monotonic() + 1000 * _SKEW_S
time.monotonic_ns = lambda: _monotonic_ns() + round(1000 * _SKEW_S * 1e9)
