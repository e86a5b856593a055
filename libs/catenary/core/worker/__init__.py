"""The model-worker's state machine."""

from catenary.core.worker.core import WorkerCore

__all__ = ["WorkerCore"]
