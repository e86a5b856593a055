"""Which profile holds for a configured model: the stored one, else its file, else an assumption that says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from redis.asyncio import Redis

from catenary.model.profile import EngineProfile
from catenary.runtime.config import Config, EngineKind, ModelConfig
from catenary.runtime.profile_settings import settings_digest
from catenary.runtime.store.profiles import ProfileStore
from catenary.runtime.wire.profile import ProfileError, find_profile_file, load_profile_file, profile_from_proto
from catenary.v1.profile_pb2 import Profile


async def load_profiles(config: Config, redis: Redis, config_path: Path | None) -> dict[str, EngineProfile]:
    """One profile per configured model, with the seats and the context that the configuration gives it.

    Raises:
        ProfileError: a named profile file cannot be used.
        RedisError: the store gives no answer.
    """
    digests = {name: settings_digest(model) for name, model in config.models.items()}
    stored = {
        profile.model: profile
        for profile in sorted(
            await ProfileStore(redis).list(),
            key=lambda profile: (profile.measure_time.ToNanoseconds(), profile.version),
        )
        if profile.settings_digest in ("", digests.get(profile.model))
    }
    profiles = {}
    for name, model in config.models.items():
        message = stored.get(name)
        measured = _readable(message) if message is not None and model.engine is EngineKind.VLLM else None
        profile = measured or file_or_assumed_profile(name, model, config_path)
        profiles[name] = replace(
            profile, model=name, max_num_seqs=model.max_num_seqs, max_model_len=model.max_model_len
        )
    return profiles


def _readable(message: Profile) -> EngineProfile | None:
    """None for one that only a later release can read."""
    try:
        return profile_from_proto(message)
    except ProfileError:
        return None


def file_or_assumed_profile(name: str, model: ModelConfig, config_path: Path | None) -> EngineProfile:
    """Raises ProfileError where the named file cannot be used."""
    if model.profile:
        return load_profile_file(find_profile_file(model.profile, config_path))
    return EngineProfile(model=name)
