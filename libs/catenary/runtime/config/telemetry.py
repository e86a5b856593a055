"""Traces and logs."""

from __future__ import annotations

from typing import Literal

from catenary.runtime.config.section import Section


class TelemetryConfig(Section):
    """Traces and logs."""

    otlp_endpoint: str = ""
    """host:port or URL of an OTLP collector (gRPC); empty: no traces are exported."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is logged."""
    log_dir: str = ""
    """Folder of the log files; empty: standard error."""
