"""Workflows, workers and profiles in the store."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from catenary.runtime.store.errors import StoreFull
from catenary.runtime.store.experience import ExperienceStore
from catenary.runtime.store.profiles import ProfileStore
from catenary.runtime.store.specs import SpecStore
from catenary.runtime.store.workers import WorkerEntry, WorkerRegistry
from catenary.v1 import experience_pb2, profile_pb2


async def test_a_workflow_is_found_by_version_and_as_the_newest(redis: Redis) -> None:
    specs = SpecStore(redis)
    assert await specs.put("review", "v1", b"one") is True
    assert await specs.put("review", "v2", b"two") is True
    assert await specs.get("review") == ("v2", b"two")
    assert await specs.get("review", "v1") == ("v1", b"one")
    assert await specs.get("review", "v3") is None
    assert await specs.get("other") is None


async def test_registering_a_version_again_makes_it_the_newest_and_creates_nothing(redis: Redis) -> None:
    specs = SpecStore(redis)
    await specs.put("review", "v1", b"one")
    await specs.put("review", "v2", b"two")
    assert await specs.put("review", "v1", b"one") is False
    assert await specs.get("review") == ("v1", b"one")


async def test_a_workflow_over_the_bound_is_refused(redis: Redis) -> None:
    specs = SpecStore(redis, max_specs=1)
    await specs.put("a", "v1", b"one")
    with pytest.raises(StoreFull, match="1 workflow versions"):
        await specs.put("b", "v1", b"one")
    assert await specs.put("a", "v1", b"one") is False


async def test_workers_are_listed_until_they_stop_publishing(redis: Redis) -> None:
    workers = WorkerRegistry(redis)
    await workers.publish("w1", "host:2", 1, ttl_s=5.0)
    await workers.publish("w0", "host:1", 4, ttl_s=0.1)
    assert await workers.list() == [WorkerEntry("w0", "host:1", 4), WorkerEntry("w1", "host:2", 1)]
    await asyncio.sleep(0.15)
    assert await workers.list() == [WorkerEntry("w1", "host:2", 1)]
    assert await redis.smembers("catenary:{workers}:index") == {b"w1"}


async def test_an_earlier_incarnation_can_neither_publish_nor_remove(redis: Redis) -> None:
    workers = WorkerRegistry(redis)
    assert await workers.publish("w0", "new:1", 2, ttl_s=5.0) is True
    assert await workers.publish("w0", "old:1", 1, ttl_s=5.0) is False
    await workers.remove("w0", 1)
    assert await workers.list() == [WorkerEntry("w0", "new:1", 2)]
    await workers.remove("w0", 2)
    assert await workers.list() == []


async def test_profiles_are_versioned_by_model_accelerator_and_settings(redis: Redis) -> None:
    profiles = ProfileStore(redis)
    for settings in ("s1", "s1", "s2"):
        await profiles.put(profile_pb2.Profile(model="m", accelerator="cpu", settings_digest=settings))
    assert [(p.settings_digest, p.version) for p in await profiles.list()] == [("s1", 2), ("s2", 1)]


async def test_the_profile_measured_last_is_the_models(redis: Redis) -> None:
    profiles = ProfileStore(redis)
    for accelerator, second in (("cpu", 20), ("gpu", 10)):
        profile = profile_pb2.Profile(model="m", accelerator=accelerator)
        profile.measure_time.FromSeconds(second)
        await profiles.put(profile)
    found = await profiles.get("m")
    assert found is not None
    assert found.accelerator == "cpu"
    assert await profiles.get("other") is None


async def test_a_profile_over_the_bound_is_refused(redis: Redis) -> None:
    profiles = ProfileStore(redis, max_profiles=1)
    await profiles.put(profile_pb2.Profile(model="a"))
    with pytest.raises(StoreFull):
        await profiles.put(profile_pb2.Profile(model="b"))
    assert (await profiles.put(profile_pb2.Profile(model="a"))).version == 2


async def test_a_gateway_finds_the_experience_that_it_has_put_and_a_new_one_the_newest(redis: Redis) -> None:
    first, second, new = (ExperienceStore(redis, name) for name in ("g0", "g1", "g2"))
    assert await new.get() == experience_pb2.Experience()
    for store, call in ((first, "a"), (second, "b")):
        await store.put(experience_of(call))
    assert [(await store.get()).calls[0].call for store in (first, second, new)] == ["a", "b", "b"]
    await first.put(experience_of("c"))
    assert (await new.get()).calls[0].call == "c"


async def test_experience_is_stored_once_and_what_has_expired_is_none(redis: Redis) -> None:
    content = experience_of("a" * 1_000)
    await ExperienceStore(redis, "g0").put(content)
    keys = sorted(await redis.keys("catenary:{experience}:*"))
    assert [await redis.strlen(key) for key in keys] == [len(content), len("g0")]
    await redis.delete(keys[0])
    for name in ("g0", "g1"):
        assert await ExperienceStore(redis, name).get() == experience_pb2.Experience()


def experience_of(call: str) -> bytes:
    return experience_pb2.Experience(calls=[experience_pb2.CallLengths(call=call)]).SerializeToString()
