"""What of a model's configuration a profile depends on."""

from __future__ import annotations

import hashlib
import json

from catenary.runtime.config import EngineKind, ModelConfig

PROFILED_SETTINGS = {"source", "engine", "max_model_len", "max_num_seqs", "max_num_batched_tokens", "engine_args"}


def settings_digest(model: ModelConfig) -> str:
    """16 hexadecimal digits; equal for settings under which an engine behaves alike."""
    included = PROFILED_SETTINGS | ({"profile"} if model.engine is EngineKind.EMULATED else set())
    values = model.model_dump(mode="json", include=included)
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
