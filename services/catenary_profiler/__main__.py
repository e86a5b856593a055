"""``python -m catenary_profiler --config FILE``."""

from catenary.runtime.service import main
from catenary_profiler.shell import build

if __name__ == "__main__":
    main("profiler", build)
