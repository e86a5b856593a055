"""The profiler."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from catenary.runtime.config.section import Address, Seconds, Section


class ProfilerConfig(Section):
    """The profiler."""

    address: Address = "127.0.0.1:7452"
    """Where it serves."""
    profiles_dir: Path = Path("profiles")
    """Folder of the profile files."""
    max_correction: float = Field(default=2.0, ge=1, le=10)
    """Bound on the factor that finished calls correct a profile by."""
    acquire_timeout_s: Seconds = 60.0
    """How long it waits for a replica to be set aside."""
    call_timeout_s: Seconds = 300.0
    """How long one measured call may take."""
    metrics_port: int = Field(default=0, ge=0, le=65_535)
    """Where Prometheus scrapes it; 0: nowhere."""
