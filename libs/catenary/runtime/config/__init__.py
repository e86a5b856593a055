"""The configuration of all services: one YAML file, each value overridable by an environment variable.

``CATENARY_ROUTER__QUEUE_LIMIT=100`` overrides ``router.queue_limit``; lists and mappings are given as JSON.
"""

from __future__ import annotations

from catenary.runtime.config.load import CONFIG_VARIABLE, ConfigError, load_config
from catenary.runtime.config.model import EngineKind, ModelConfig
from catenary.runtime.config.root import ENV_PREFIX, Config
from catenary.runtime.config.telemetry import TelemetryConfig
from catenary.runtime.config.worker import WorkerConfig

__all__ = [
    "CONFIG_VARIABLE",
    "ENV_PREFIX",
    "Config",
    "ConfigError",
    "EngineKind",
    "ModelConfig",
    "TelemetryConfig",
    "WorkerConfig",
    "load_config",
]
