"""JSON lines on standard error or in ``log_dir``: event, level, time, service, run_id and trace_id."""

from __future__ import annotations

import logging
import logging.handlers
import sys
from pathlib import Path

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor

from catenary.runtime.config import TelemetryConfig

_MAX_FILE_BYTES = 16 << 20
_NUM_FILES = 4


def configure_logging(service: str, config: TelemetryConfig) -> None:
    """Send structlog's and the standard library's records to one place as JSON.

    A line's run comes from ``structlog.contextvars.bind_contextvars(run_id=...)``, its trace from the current span.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _adds(service),
        structlog.processors.format_exc_info,
    ]
    handler = _handler(service, config.log_dir)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(config.log_level.upper())
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(config.log_level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _adds(service: str) -> Processor:
    def add(_logger: object, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            event.setdefault("trace_id", format(span.trace_id, "032x"))
        return event

    return add


def _handler(service: str, log_dir: str) -> logging.Handler:
    if not log_dir:
        return logging.StreamHandler(sys.stderr)
    folder = Path(log_dir)
    folder.mkdir(parents=True, exist_ok=True)
    return logging.handlers.RotatingFileHandler(
        folder / f"{service}.log", maxBytes=_MAX_FILE_BYTES, backupCount=_NUM_FILES - 1
    )
