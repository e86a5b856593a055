from __future__ import annotations

import asyncio
import os
import signal
import time

from redis.asyncio import Redis

from catenary.runtime.embedded import EmbeddedStore
from catenary.runtime.store.connection import connect
from catenary.runtime.store.lease import Lease, LeaseInfo


def lease(redis: Redis, holder: str, ttl_s: float = 0.3, name: str = "router") -> Lease:
    return Lease(redis, name, holder, f"{holder}:1", ttl_s)


async def test_one_holder_at_a_time(redis: Redis) -> None:
    first, second = lease(redis, "a"), lease(redis, "b")
    assert await first.acquire() == 1
    assert await second.acquire() is None
    assert await Lease.read(redis, "router") == LeaseInfo("a", "a:1", 1)


async def test_acquiring_again_keeps_the_epoch(redis: Redis) -> None:
    holder = lease(redis, "a")
    assert [await holder.acquire(), await holder.acquire()] == [1, 1]


async def test_an_expired_lease_is_taken_over_with_a_higher_epoch(redis: Redis) -> None:
    first, second = lease(redis, "a", ttl_s=0.1), lease(redis, "b")
    await first.acquire()
    await asyncio.sleep(0.15)
    assert not first.valid
    assert await Lease.read(redis, "router") is None
    assert await second.acquire() == 2


async def test_the_epoch_rises_over_release_and_expiry_alike(redis: Redis) -> None:
    epochs = []
    for holder in ("a", "b", "a"):
        held = lease(redis, holder)
        epochs.append(await held.acquire())
        await held.release()
    assert epochs == [1, 2, 3]


async def test_a_restarted_process_of_the_same_name_waits_and_gets_a_new_epoch(redis: Redis) -> None:
    await lease(redis, "a", ttl_s=0.1).acquire()
    restarted = lease(redis, "a")
    assert await restarted.acquire() is None
    await asyncio.sleep(0.15)
    assert await restarted.acquire() == 2


async def test_leases_of_different_names_are_independent(redis: Redis) -> None:
    assert await lease(redis, "a", name="router").acquire() == 1
    assert await lease(redis, "b", name="provisioner").acquire() == 1


async def test_a_held_lease_outlives_its_time(redis: Redis) -> None:
    holder = lease(redis, "a", ttl_s=0.3)
    await holder.acquire()
    lost: list[str] = []
    task = asyncio.create_task(holder.hold(lambda: lost.append("a")))
    await asyncio.sleep(0.8)
    assert holder.valid
    assert not lost
    assert await lease(redis, "b").acquire() is None
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_holder_hears_that_its_lease_is_gone(redis: Redis) -> None:
    holder = lease(redis, "a", ttl_s=0.3)
    await holder.acquire()
    lost: list[str] = []
    task = asyncio.create_task(holder.hold(lambda: lost.append("a")))
    await redis.flushall()
    await asyncio.wait_for(task, 1)
    assert lost == ["a"]
    assert not holder.valid


async def test_releasing_ends_the_holding(redis: Redis) -> None:
    holder = lease(redis, "a", ttl_s=0.3)
    await holder.acquire()
    lost: list[str] = []
    task = asyncio.create_task(holder.hold(lambda: lost.append("a")))
    await holder.release()
    await asyncio.wait_for(task, 1)
    assert lost == ["a"]


async def test_a_late_release_leaves_the_next_holder_alone(redis: Redis) -> None:
    first, second = lease(redis, "a", ttl_s=0.1), lease(redis, "b")
    await first.acquire()
    await asyncio.sleep(0.15)
    await second.acquire()
    await first.release()
    assert await Lease.read(redis, "router") == LeaseInfo("b", "b:1", 2)


async def test_a_holder_that_the_store_cannot_hear_stops_within_the_leases_time(own_store: EmbeddedStore) -> None:
    async with connect(own_store.url) as redis:
        holder = lease(redis, "a", ttl_s=0.5)
        await holder.acquire()
        lost: list[str] = []
        assert own_store.pid is not None
        os.kill(own_store.pid, signal.SIGSTOP)
        began_s = time.monotonic()
        await asyncio.wait_for(holder.hold(lambda: lost.append("a")), 2)
        assert time.monotonic() - began_s < 0.7
        assert lost == ["a"]
        os.kill(own_store.pid, signal.SIGCONT)
