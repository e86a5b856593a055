"""Where profiles are kept: the store, and one JSON file each."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog
from redis.exceptions import RedisError

from catenary.core.profiler import ProfilerCore
from catenary.model.profile_point import ProfileRecord
from catenary.runtime.store.errors import StoreError
from catenary.runtime.store.profiles import ProfileStore
from catenary.runtime.wire.profile import (
    ProfileError,
    load_record_file,
    profile_file_name,
    record_from_proto,
    record_to_proto,
    save_record_file,
)

MAX_FILES = 1_000
CORRECTION_INTERVAL_S = 5.0


class ProfileArchive:
    """Keeps ``core``, the store and the files of ``folder`` in step; where one fails, the others go on."""

    def __init__(self, core: ProfilerCore, store: ProfileStore, folder: Path) -> None:
        self._core = core
        self._store = store
        self._folder = folder
        self._log = structlog.get_logger()

    async def load(self) -> None:
        """Adopt what is stored, then the files that are newer, which go into the store as well."""
        for record in await self._stored():
            self._core.adopt(record)
        for record in await asyncio.to_thread(self._filed):
            if self._core.adopt(record):
                self._core.adopt(await self._put(record))

    async def keep(self, record: ProfileRecord) -> ProfileRecord:
        """Store and file a new measurement and adopt it; returns it under the version that the store gave it."""
        stored = await self._put(record)
        self._core.adopt(stored)
        try:
            path = self._folder / profile_file_name(stored.profile)
            await asyncio.to_thread(save_record_file, path, stored)
        except OSError as error:
            self._log.warning("profile not filed", folder=str(self._folder), error=str(error))
        return stored

    async def follow_corrections(self) -> None:
        """Put corrections that moved into the store, for ever."""
        while True:
            await asyncio.sleep(CORRECTION_INTERVAL_S)
            await self.store_corrections()

    async def store_corrections(self) -> None:
        """Put corrections that moved into the store, where routers and gateways read them."""
        for record in self._core.corrected():
            await self._update(record)

    async def _update(self, record: ProfileRecord) -> None:
        try:
            await self._store.update(record_to_proto(record))
        except (RedisError, StoreError, OSError) as error:
            self._log.warning("correction not stored", model=record.profile.model, error=str(error))

    async def _stored(self) -> list[ProfileRecord]:
        try:
            messages = await self._store.list()
        except (RedisError, StoreError, OSError) as error:
            self._log.warning("stored profiles not read", error=str(error))
            return []
        records = []
        for message in messages:
            try:
                records.append(record_from_proto(message))
            except ProfileError as error:
                self._log.warning("stored profile not read", model=message.model, error=str(error))
        return records

    async def _put(self, record: ProfileRecord) -> ProfileRecord:
        try:
            return record_from_proto(await self._store.put(record_to_proto(record)))
        except (RedisError, StoreError, OSError) as error:
            self._log.warning("profile not stored", model=record.profile.model, error=str(error))
            return record

    def _filed(self) -> list[ProfileRecord]:
        records = []
        for path in sorted(self._folder.glob("*--*.json"))[:MAX_FILES]:
            try:
                records.append(load_record_file(path))
            except ProfileError as error:
                self._log.warning("profile file not read", error=str(error))
        return records
