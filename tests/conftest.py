"""Fixtures for all tests: a real store in a temporary folder."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from catenary.runtime.embedded import EmbeddedStore
from catenary.runtime.store.connection import connect
from catenary.runtime.store.writer import StoreWriter


def pytest_configure() -> None:
    """A background job of a shell ignores SIGINT, and so would everything that the tests start and interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_configuration_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CATENARY_") and not name.startswith("CATENARY_TEST")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One Valkey server for the session. Tests that stop theirs start one of their own."""
    store = EmbeddedStore(tmp_path_factory.mktemp("store"), max_memory_mb=128)
    yield store.start()
    store.stop()


@pytest.fixture
async def redis(store_url: str) -> AsyncIterator[Redis]:
    """A client of an empty store."""
    client = connect(store_url)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
async def writer(redis: Redis) -> AsyncIterator[StoreWriter]:
    async with StoreWriter(redis, timeout_s=5.0) as store_writer:
        yield store_writer


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    """A server that the test may kill and start again."""
    store = EmbeddedStore(tmp_path / "store", max_memory_mb=64)
    store.start()
    yield store
    store.stop()
