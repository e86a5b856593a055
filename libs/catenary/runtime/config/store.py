"""Where state is kept."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from catenary.runtime.config.section import Seconds, Section


class StoreConfig(Section):
    """Where state is kept."""

    url: str = "embedded"
    """"embedded" starts a Valkey server in `data_dir`; otherwise a redis://, rediss:// or unix:// address."""
    data_dir: Path = Path(".catenary/store")
    """Folder of the embedded server's data."""
    run_retention_s: Seconds = 86_400.0
    """How long a finished run is kept."""
    max_runs: int = Field(default=100_000, ge=1, le=10_000_000)
    """Runs that are kept; further ones are refused."""
    max_memory_mb: int = Field(default=512, ge=16, le=1_048_576)
    """Memory of the embedded server; writes past it are refused."""
    write_timeout_s: Seconds = 5.0
    """How long a write waits for its answer."""
