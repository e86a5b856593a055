"""The weights of a worker's models: on this node's disk or not, in its page cache or not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from catenary.model.profile import EngineProfile
from catenary.model.sizes import GIB
from catenary.runtime.config import Config, EngineKind
from catenary.runtime.models import ModelSourceError, find_source, hold_source
from catenary_worker.daemon_thread import in_daemon_thread
from catenary_worker.emulated_weights import EmulatedWeights
from catenary_worker.engine_runner import CommandRefused
from catenary_worker.weights import are_cold, cool, warm


class ModelWeights:
    """Reading takes place in threads that the end of the worker does not wait for."""

    def __init__(self, config: Config, profiles: Mapping[str, EngineProfile]) -> None:
        self.emulated = EmulatedWeights()
        self.cache_dir = config.cache_dir.expanduser()
        self.cache_max_bytes = round(config.cache_max_gib * GIB)
        self._models = config.models
        self._profiles = profiles
        self._being_read: set[str] = set()

    async def prefetch(self, name: str, cold: bool) -> int:
        """Bytes of the model's weights once they are on this node's disk and, where they fit, in its page cache.
        ``cold``: what is there of them is dropped first.

        Raises:
            CommandRefused: the source cannot be used, or somebody else is having them read.
        """
        if name in self._being_read:
            raise CommandRefused(f"model {name!r}: its weights are being read; wait for that to end")
        self._being_read.add(name)
        try:
            if self._models[name].engine is EngineKind.EMULATED:
                return await self._emulated_prefetch(name, cold)
            return await in_daemon_thread(lambda: self._read(name, cold), f"weights of {name}")
        except ModelSourceError as error:
            raise CommandRefused(str(error)) from error
        finally:
            self._being_read.discard(name)

    async def are_cold(self, name: str) -> bool:
        """A load would read them from disk, or download them first."""
        if self._models[name].engine is EngineKind.EMULATED:
            return self.emulated.are_cold(self._profiles[name])
        return await in_daemon_thread(lambda: self._folder_is_cold(name), f"page cache of {name}")

    async def _emulated_prefetch(self, name: str, cold: bool) -> int:
        if cold:
            self.emulated.drop(name)
        profile = self._profiles[name]
        await asyncio.sleep(self.emulated.reading_s(profile))
        self.emulated.read(name)
        return profile.weights_bytes

    def _read(self, name: str, cold: bool) -> int:
        held = hold_source(self._models[name].source, self.cache_dir, self.cache_max_bytes)
        try:
            if cold:
                cool(held.folder)
            return warm(held.folder)
        finally:
            held.release()

    def _folder_is_cold(self, name: str) -> bool:
        folder: Path | None = find_source(self._models[name].source, self.cache_dir)
        try:
            return folder is None or are_cold(folder)
        except FileNotFoundError:  # removed just now
            return True
        except OSError:  # what cannot be looked at is not said to be cold
            return False
