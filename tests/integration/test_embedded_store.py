from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from catenary.runtime.embedded import EmbeddedStore, EmbeddedStoreError
from catenary.runtime.store.connection import connect


async def test_settings_keep_every_write(own_store: EmbeddedStore) -> None:
    async with connect(own_store.url) as redis:
        found = await redis.config_get("*")
        assert found["appendonly"] == "yes"
        assert found["appendfsync"] == "everysec"
        assert found["maxmemory-policy"] == "noeviction"
        assert found["maxmemory"] == str(64 << 20)
        assert found["port"] == "0"


async def test_data_survives_stop_and_start(own_store: EmbeddedStore) -> None:
    async with connect(own_store.url) as redis:
        await redis.set("k", "v")
    own_store.stop()
    assert own_store.pid is None
    async with connect(own_store.start()) as redis:
        assert await redis.get("k") == b"v"


def test_a_folder_in_use_is_refused(own_store: EmbeddedStore) -> None:
    other = EmbeddedStore(Path(own_store.url.removeprefix("unix://")).parent, max_memory_mb=64)
    with pytest.raises(EmbeddedStoreError, match="another store runs in this folder"):
        other.start(timeout_s=0.2)


def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / ("x" * 100), max_memory_mb=64)
    url = store.start()
    assert len(url) < 100
    store.stop()
    assert not Path(url.removeprefix("unix://")).exists()


def test_a_broken_data_file_is_shown(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path, max_memory_mb=64)
    store.start()
    store.stop()
    for path in (tmp_path / "appendonlydir").iterdir():
        path.write_bytes(b"no append-only file")
    with pytest.raises(EmbeddedStoreError, match="ended with status"):
        store.start()


def test_the_server_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from catenary.runtime.embedded import EmbeddedStore;"
        "store = EmbeddedStore(Path(sys.argv[1]), 64); store.start(); print(store.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        server = psutil.Process(int(parent.stdout.readline()))
        os.kill(parent.pid, signal.SIGKILL)
    deadline_s = time.monotonic() + 5
    while server.is_running() and server.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    again = EmbeddedStore(tmp_path, max_memory_mb=64)
    again.start()
    again.stop()
