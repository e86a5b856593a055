"""Who hears what of a run, and when."""

from __future__ import annotations

import asyncio

from catenary.v1 import run_pb2
from catenary_gateway.feeds import Feed, Subscription
from catenary_gateway.presence import Presence


def numbered(sequence: int, kind: str = "call_started") -> run_pb2.RunEvent:
    event = run_pb2.RunEvent(sequence=sequence)
    getattr(event, kind).SetInParent()
    return event


def tokens(text: str, offset: int = 1) -> run_pb2.RunEvent:
    return run_pb2.RunEvent(call_tokens=run_pb2.CallTokens(text=text, offset=offset))


async def heard(subscription: Subscription) -> list[str]:
    """Numbers and texts, once the feed is closed."""
    texts: list[str] = []
    while batch := await subscription.next():
        texts += [str(event.sequence or event.call_tokens.text) for event in batch]
    return texts


async def test_a_numbered_event_is_told_once_it_is_stored_and_tokens_overtake_it() -> None:
    feed = Feed()
    subscription = feed.subscribe(10, True)
    feed.hold(numbered(1))
    feed.hold(numbered(2))
    feed.publish_tokens(tokens("a"))
    feed.release(1)
    feed.close()
    assert await heard(subscription) == ["a", "1"]
    assert [event.sequence for event in feed.events] == [1]


async def test_tokens_wait_behind_an_event_that_voids_earlier_ones() -> None:
    feed = Feed()
    subscription = feed.subscribe(10, True)
    feed.hold(numbered(1, "call_restarted"))
    feed.publish_tokens(tokens("a"))
    feed.hold(numbered(2))
    feed.release(1)
    feed.publish_tokens(tokens("b"))
    feed.release(2)
    feed.close()
    assert await heard(subscription) == ["1", "a", "b", "2"]


async def test_events_wait_for_each_other_as_long_as_the_crowd_of_the_moment_asks_for() -> None:
    crowd_gap_s = 60.0
    feed = Feed()
    subscription = feed.subscribe(10, True, gap_s=lambda: crowd_gap_s)
    feed.publish_tokens(tokens("a"))
    assert len(await subscription.next()) == 1
    feed.publish_tokens(tokens("b"))
    crowd_gap_s = 0.0
    feed.publish_tokens(tokens("c"))
    async with asyncio.timeout(1):
        assert len(await subscription.next()) == 2


async def test_the_first_token_of_a_call_waits_for_nothing() -> None:
    feed = Feed()
    subscription = feed.subscribe(10, True, gap_s=lambda: 60.0)
    feed.publish_tokens(tokens("a"))
    assert len(await subscription.next()) == 1
    feed.publish_tokens(tokens("b"))
    feed.publish_tokens(tokens("c", offset=0))
    async with asyncio.timeout(1):
        assert len(await subscription.next()) == 2


async def test_a_run_is_cancelled_when_nobody_comes_back_in_time() -> None:
    cancelled: list[tuple[str, str]] = []
    presence = Presence(0.05, lambda run_id, reason: cancelled.append((run_id, reason)))
    presence.left("left", Feed())
    presence.left("detached", Feed(detached=True))
    presence.left("ended", Feed(closed=True))
    watched, back = Feed(), Feed()
    watched.subscribe(10, False)
    presence.left("watched", watched)
    presence.left("back", back)
    back.subscribe(10, False)
    assert cancelled == []
    await asyncio.sleep(0.1)
    assert cancelled == [("left", "no client came back within 0.05 s")]


async def test_a_gateway_that_stops_cancels_nothing() -> None:
    cancelled: list[str] = []
    presence = Presence(0.05, lambda run_id, reason: cancelled.append(run_id))
    presence.stopping = True
    presence.left("run", Feed())
    assert cancelled == []
