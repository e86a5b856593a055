from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest
from redis.asyncio import Redis

from catenary.runtime.embedded import EmbeddedStore
from catenary.runtime.store.connection import connect
from catenary.runtime.store.errors import StoreError, StoreFull, StoreUnavailable
from catenary.runtime.store.runs import RunStore
from catenary.runtime.store.writer import StoreWriter


async def test_the_writes_of_one_turn_go_out_in_one_pipeline(redis: Redis, writer: StoreWriter) -> None:
    await writer.submit("PING")
    pipelines, commands = writer.num_pipelines, writer.num_commands
    replies = await asyncio.gather(*(writer.submit("INCR", "n") for _ in range(100)))
    assert replies == list(range(1, 101))
    assert writer.num_pipelines - pipelines == 1
    assert writer.num_commands - commands == 100


async def test_a_wrong_command_fails_alone(writer: StoreWriter) -> None:
    good, wrong, after = writer.submit("SET", "a", 1), writer.submit("INCR", "a", "b"), writer.submit("GET", "a")
    assert await good == b"OK"
    with pytest.raises(StoreError, match="wrong number of arguments"):
        await wrong
    assert await after == b"1"


async def test_a_server_that_forgets_the_scripts_gets_them_again(redis: Redis, writer: StoreWriter) -> None:
    runs = RunStore(redis, writer, retention_s=60, max_runs=10)
    await runs.create("a", "g0", 1, "d", b"h")
    await redis.execute_command("SCRIPT", "FLUSH")
    assert all(await asyncio.gather(runs.append("a", 1, [b"1"]), runs.append("a", 1, [b"2"])))
    assert await runs.events("a") == [b"1", b"2"]
    await redis.execute_command("SCRIPT", "FLUSH")
    assert (await runs.create("b", "g0", 1, "d", b"h")).created


async def test_writes_past_the_limit_are_refused_at_once(redis: Redis) -> None:
    writer = StoreWriter(redis, limit=2)
    futures = [writer.submit("SET", f"k{i}", i) for i in range(3)]
    with pytest.raises(StoreUnavailable, match="2 writes wait"):
        await futures[2]
    assert await asyncio.gather(*futures[:2]) == [b"OK", b"OK"]
    await writer.close()


async def test_closing_sends_what_waits_and_refuses_the_rest(redis: Redis) -> None:
    writer = StoreWriter(redis)
    waiting = writer.submit("SET", "k", "v")
    await writer.close()
    assert await waiting == b"OK"
    with pytest.raises(StoreUnavailable, match="closed"):
        await writer.submit("SET", "k", "w")


async def test_a_full_store_refuses_instead_of_evicting(own_store: EmbeddedStore) -> None:
    async with connect(own_store.url) as redis, StoreWriter(redis) as writer:
        await redis.config_set("maxmemory", "4mb")
        writes = [writer.submit("SET", f"k{i}", b"x" * 100_000) for i in range(100)]
        with pytest.raises(StoreFull, match="memory limit"):
            await asyncio.gather(*writes)
        assert await redis.exists("k0") == 1


async def test_a_silent_store_fails_the_write_in_time(own_store: EmbeddedStore) -> None:
    async with connect(own_store.url) as redis, StoreWriter(redis, timeout_s=0.3) as writer:
        await writer.submit("PING")
        assert own_store.pid is not None
        os.kill(own_store.pid, signal.SIGSTOP)
        began_s = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await writer.submit("SET", "k", "v")
        assert time.monotonic() - began_s < 1.0
        assert not writer.connected
        os.kill(own_store.pid, signal.SIGCONT)
        await _connected(writer)
        assert await writer.submit("SET", "k", "w") == b"OK"


async def test_a_killed_store_keeps_what_it_acknowledged_and_the_writer_comes_back(own_store: EmbeddedStore) -> None:
    async with connect(own_store.url) as redis, StoreWriter(redis, timeout_s=5.0) as writer:
        runs = RunStore(redis, writer, retention_s=60, max_runs=1_000)
        acknowledged: set[str] = set()
        tasks = [asyncio.create_task(_create_until_failure(runs, acknowledged, n)) for n in range(8)]
        await asyncio.sleep(0.3)
        assert own_store.pid is not None
        os.kill(own_store.pid, signal.SIGKILL)
        await asyncio.gather(*tasks)
        assert acknowledged
        assert not writer.connected
        waiting = writer.submit("SET", "written", "while down")
        await asyncio.to_thread(time.sleep, 0.1)
        own_store.start()
        assert await waiting == b"OK"
        for run_id in acknowledged:
            stored = await runs.get(run_id)
            assert stored is not None
            assert stored.num_events == 1


async def test_an_idle_writer_notices_that_the_store_is_gone(own_store: EmbeddedStore) -> None:
    async with connect(own_store.url) as redis, StoreWriter(redis) as writer:
        await _connected(writer)
        own_store.stop()
        await _connected(writer, False)


async def test_a_store_that_never_was_fails_the_write_in_time(tmp_path: Path) -> None:
    async with connect(f"unix://{tmp_path}/none.sock") as redis, StoreWriter(redis, timeout_s=0.3) as writer:
        with pytest.raises(StoreUnavailable, match="unreachable"):
            await writer.submit("SET", "k", "v")


async def _create_until_failure(runs: RunStore, acknowledged: set[str], task: int) -> None:
    for i in range(100):
        run_id = f"{task}-{i}"
        try:
            await runs.create(run_id, "g0", 1, "d", b"h")
            if await runs.append(run_id, 1, [b"1"], final=True):
                acknowledged.add(run_id)
        except StoreUnavailable:
            return
        await asyncio.sleep(0.005)


async def _connected(writer: StoreWriter, expected: bool = True) -> None:
    deadline_s = time.monotonic() + 3
    while writer.connected is not expected:
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.01)
