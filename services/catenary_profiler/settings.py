"""What holds for a model while no profile of it is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from catenary.model.profile import EngineProfile
from catenary.model.profile_point import ProfileRecord
from catenary.runtime.config import Config, ConfigError, ModelConfig
from catenary.runtime.wire.profile import ProfileError, find_profile_file, load_record_file


def fallback_records(config: Config, config_path: Path | None) -> dict[str, ProfileRecord]:
    """By model, the profile in the file that its configuration names, or else the assumed one.

    Raises:
        ConfigError: a file named there cannot be used.
    """
    return {name: _fallback(name, model, config_path) for name, model in config.models.items()}


def _fallback(name: str, model: ModelConfig, config_path: Path | None) -> ProfileRecord:
    record = ProfileRecord(EngineProfile(name))
    if model.profile:
        try:
            record = load_record_file(find_profile_file(model.profile, config_path))
        except ProfileError as error:
            raise ConfigError(f"models.{name}.profile: {error}") from error
    profile = replace(record.profile, model=name, max_num_seqs=model.max_num_seqs, max_model_len=model.max_model_len)
    return replace(record, profile=profile)
