from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from catenary.runtime.store.errors import StoreBehind, StoreFull
from catenary.runtime.store.runs import CreateResult, RunStore, StoredRun
from catenary.runtime.store.writer import StoreWriter


@pytest.fixture
def runs(redis: Redis, writer: StoreWriter) -> RunStore:
    return RunStore(redis, writer, retention_s=60.0, max_runs=100)


async def test_a_created_run_is_there(runs: RunStore) -> None:
    assert await runs.create("r", "g0", 1, "digest", b"header") == CreateResult(True, "digest", "g0", 1)
    assert await runs.get("r") == StoredRun("r", b"header", "g0", 1, "digest", 0, False)


async def test_creating_twice_tells_what_is_stored_and_changes_nothing(runs: RunStore) -> None:
    await runs.create("r", "g0", 1, "digest", b"header")
    assert await runs.create("r", "g1", 5, "other", b"x") == CreateResult(False, "digest", "g0", 1)
    stored = await runs.get("r")
    assert stored is not None
    assert stored.header == b"header"


async def test_of_two_creations_at_once_one_wins(runs: RunStore) -> None:
    results = await asyncio.gather(*(runs.create("r", f"g{i}", i, f"d{i}", b"h") for i in range(1, 9)))
    assert sum(result.created for result in results) == 1
    assert len({result.owner for result in results}) == 1


async def test_an_unknown_run_is_none(runs: RunStore) -> None:
    assert await runs.get("nobody") is None
    assert await runs.events("nobody") == []


async def test_events_come_back_in_order_after_a_sequence(runs: RunStore) -> None:
    await runs.create("r", "g0", 1, "d", b"h")
    await asyncio.gather(runs.append("r", 1, [b"1", b"2"]), runs.append("r", 1, [b"3"], header=b"new"))
    assert await runs.events("r") == [b"1", b"2", b"3"]
    assert await runs.events("r", after=2) == [b"3"]
    assert await runs.events("r", after=3) == []
    stored = await runs.get("r")
    assert stored is not None
    assert (stored.header, stored.num_events, stored.final) == (b"new", 3, False)


async def test_an_older_owner_is_fenced_off(runs: RunStore) -> None:
    await runs.create("r", "g0", 1, "d", b"h")
    assert await runs.take_over("r", "g1", 1, 2) is True
    assert await runs.append("r", 1, [b"stale"], header=b"stale", final=True) is False
    assert await runs.append("r", 2, [b"1"]) is True
    stored = await runs.get("r")
    assert stored == StoredRun("r", b"h", "g1", 2, "d", 1, False)
    assert await runs.events("r") == [b"1"]


async def test_of_two_take_overs_one_wins(runs: RunStore) -> None:
    await runs.create("r", "g0", 1, "d", b"h")
    first, second = await asyncio.gather(runs.take_over("r", "g1", 1, 2), runs.take_over("r", "g2", 1, 3))
    assert (first, second) == (True, False)


async def test_an_append_to_no_run_is_refused(runs: RunStore) -> None:
    assert await runs.append("nobody", 1, [b"1"]) is False


async def test_a_repeated_append_stores_each_event_once(runs: RunStore) -> None:
    await runs.create("r", "g0", 1, "d", b"h")
    await runs.append("r", 1, [b"1", b"2"], num_stored=0)
    assert await runs.append("r", 1, [b"1", b"2"], num_stored=0) is True
    assert await runs.append("r", 1, [b"2", b"3"], num_stored=1) is True
    assert await runs.events("r") == [b"1", b"2", b"3"]


async def test_a_gap_in_the_events_is_an_error(runs: RunStore) -> None:
    await runs.create("r", "g0", 1, "d", b"h")
    with pytest.raises(StoreBehind, match="BEHIND 0 events are stored, the next one follows 2"):
        await runs.append("r", 1, [b"3"], num_stored=2)


@pytest.mark.parametrize("lost", ["events", "run", "take-over"])
async def test_what_a_store_has_lost_of_a_run_its_owner_brings_back(redis: Redis, runs: RunStore, lost: str) -> None:
    await runs.create("r", "g0", 1, "d", b"h", b"request", [b"1"])
    await runs.take_over("r", "g1", 1, 2)
    await runs.append("r", 2, [b"2"], num_stored=1)
    key = "catenary:{runs}:run:r"
    if lost == "events":
        await redis.ltrim(f"{key}:events", 0, 0)
    elif lost == "run":
        await redis.flushdb()
    else:
        await redis.hset(key, mapping={"owner": "g0", "epoch": "1"})
    with pytest.raises(StoreBehind):
        await runs.append("r", 2, [b"3"], num_stored=2)
    assert await runs.restore("r", "g1", 2, "d", b"h", b"request", [b"1", b"2"], 5.0) is True
    assert await runs.append("r", 2, [b"3"], num_stored=2) is True
    assert await runs.events("r") == [b"1", b"2", b"3"]
    assert await runs.get("r") == StoredRun("r", b"h", "g1", 2, "d", 3, False)
    assert await runs.owned("g1") == ["r"]
    assert [run.run_id for run in (await runs.list())[0]] == ["r"]
    unfinished = await runs.unfinished("r")
    assert unfinished is not None
    assert unfinished.request == b"request"


async def test_of_two_owners_that_were_given_one_epoch_the_stored_one_stays(redis: Redis, runs: RunStore) -> None:
    """The power failed after g1 had taken the run over; g2 took it from g0 again before g1 wrote."""
    await runs.create("r", "g0", 1, "d", b"h", b"request", [b"1"])
    assert await runs.take_over("r", "g1", 1, 2) is True
    await redis.hset("catenary:{runs}:run:r", mapping={"owner": "g0", "epoch": "1"})
    assert await runs.take_over("r", "g2", 1, 2) is True
    assert await runs.append("r", 2, [b"of g1"], num_stored=1, owner="g1") is False
    assert await runs.restore("r", "g1", 2, "d", b"h", b"request", [b"1", b"of g1"], 5.0) is False
    assert await runs.append("r", 2, [b"of g2"], num_stored=1, owner="g2") is True
    assert await runs.events("r") == [b"1", b"of g2"]
    stored = await runs.get("r")
    assert stored is not None
    assert (stored.owner, stored.epoch) == ("g2", 2)


async def test_a_run_with_a_later_owner_or_an_end_is_not_brought_back(runs: RunStore) -> None:
    await runs.create("taken", "g0", 1, "d", b"h")
    await runs.take_over("taken", "g1", 1, 2)
    await runs.create("ended", "g0", 1, "d", b"h")
    await runs.append("ended", 1, [b"1"], final=True)
    for run_id in ("taken", "ended"):
        assert await runs.restore(run_id, "g0", 1, "d", b"h", b"", [b"1"], 5.0) is False


async def test_finished_runs_expire_and_leave_the_index(redis: Redis, writer: StoreWriter) -> None:
    runs = RunStore(redis, writer, retention_s=0.2, max_runs=2)
    for run_id in ("a", "b"):
        await runs.create(run_id, "g0", 1, "d", b"h")
        await runs.append(run_id, 1, [b"1"], final=True)
    assert [run.run_id for run in (await runs.list())[0]] == ["b", "a"]
    await asyncio.sleep(0.3)
    assert await runs.get("a") is None
    assert await runs.list() == ([], "")
    assert (await runs.create("c", "g0", 1, "d", b"h")).created
    assert sorted(await redis.keys("catenary:*")) == [
        b"catenary:{runs}:expiries",
        b"catenary:{runs}:index",
        b"catenary:{runs}:owned:g0",
        b"catenary:{runs}:owners",
        b"catenary:{runs}:run:c",
    ]
    assert await redis.zcard("catenary:{runs}:index") == 1


async def test_an_unfinished_run_does_not_expire_with_the_finished(redis: Redis, writer: StoreWriter) -> None:
    runs = RunStore(redis, writer, retention_s=0.1, max_runs=10)
    await runs.create("r", "g0", 1, "d", b"h")
    await runs.append("r", 1, [b"1"])
    await asyncio.sleep(0.2)
    assert await runs.events("r") == [b"1"]
    assert 0 < await redis.ttl("catenary:{runs}:run:r:events") <= 7 * 86_400


async def test_a_run_over_the_bound_is_refused_and_none_is_evicted(redis: Redis, writer: StoreWriter) -> None:
    runs = RunStore(redis, writer, retention_s=60, max_runs=2)
    await runs.create("a", "g0", 1, "d", b"h")
    await runs.create("b", "g0", 1, "d", b"h")
    with pytest.raises(StoreFull, match="2 runs are kept"):
        await runs.create("c", "g0", 1, "d", b"h")
    assert await runs.get("a") is not None
    assert not (await runs.create("a", "g0", 1, "d", b"h")).created


async def test_pages_go_from_new_to_old_without_repetition(runs: RunStore) -> None:
    await asyncio.gather(*(runs.create(f"r{i}", "g0", 1, "d", b"h") for i in range(7)))
    seen, cursor = [], ""
    for _ in range(3):
        page, cursor = await runs.list(cursor, count=3)
        seen.append([run.run_id for run in page])
        await runs.create(f"new{len(seen)}", "g0", 1, "d", b"h")
    assert seen == [["r6", "r5", "r4"], ["r3", "r2", "r1"], ["r0"]]
    assert cursor == ""


@pytest.mark.parametrize(("cursor", "count"), [("x", 1), ("", 0), ("", 1001)])
async def test_a_wrong_page_is_refused(runs: RunStore, cursor: str, count: int) -> None:
    with pytest.raises(ValueError, match=r"must be in|is none that"):
        await runs.list(cursor, count)


async def test_a_run_is_created_with_its_request_and_first_events(runs: RunStore) -> None:
    await runs.create("r", "g0", 1, "d", b"h", request=b"asked", events=[b"1"])
    assert await runs.append("r", 1, [b"2"], num_stored=1) is True
    unfinished = await runs.unfinished("r")
    assert unfinished is not None
    assert (unfinished.request, unfinished.events) == (b"asked", [b"1", b"2"])
    assert 0 <= unfinished.age_s < 5


async def test_unfinished_runs_are_listed_by_owner_until_they_end(runs: RunStore) -> None:
    for run_id, owner in (("a", "g0"), ("b", "g0"), ("c", "g1")):
        await runs.create(run_id, owner, 1, "d", b"h", request=b"asked")
    assert await runs.owners() == ["g0", "g1"]
    assert sorted(await runs.owned("g0")) == ["a", "b"]
    assert await runs.take_over("a", "g1", 1, 2) is True
    await runs.append("b", 1, [b"1"], final=True)
    assert await runs.owners() == ["g1"]
    assert sorted(await runs.owned("g1")) == ["a", "c"]
    assert await runs.unfinished("b") is None


async def test_a_run_that_has_ended_is_not_taken_over(runs: RunStore) -> None:
    await runs.create("r", "g0", 1, "d", b"h", request=b"asked")
    await runs.append("r", 1, [b"1"], final=True)
    assert await runs.take_over("r", "g1", 1, 2) is False


async def test_a_run_that_is_gone_leaves_its_owner(runs: RunStore, redis: Redis) -> None:
    await runs.create("r", "g0", 1, "d", b"h", request=b"asked")
    await redis.delete("catenary:{runs}:run:r")
    assert await runs.owned("g0") == []
    assert await runs.owners() == []
