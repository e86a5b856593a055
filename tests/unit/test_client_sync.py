"""The blocking client against a scripted gateway."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from fake_gateway import FakeGateway, Hold, dead_address, good_run, numbered, refused

from catenary.client import CallTokens, CatenaryError, RunFinished, SyncClient
from catenary.model.outcome import Outcome


def test_every_question_is_answered_as_by_the_asynchronous_client(gateway: FakeGateway) -> None:
    gateway.scripts = [good_run()]
    with SyncClient(gateway.address) as client:
        assert client.run("review").output == {"text": "a b c"}
        assert [run.run_id for run in client.list().runs] == ["run-2", "run-1"]
        assert client.explain("review").predicted_s == 2.0
        assert [model.name for model in client.models()] == ["small"]
        assert client.get("mine").run_id == "mine"
        assert client.cancel("mine").outcome is Outcome.CANCELLED


def test_a_run_can_be_iterated(gateway: FakeGateway) -> None:
    gateway.scripts = [good_run()]
    with SyncClient(gateway.address) as client, client.submit("review", tokens=True) as handle:
        events = list(handle)
        assert handle.result().succeeded
    texts = [event.text for event in events if isinstance(event, CallTokens) and event.ref.name == "outline"]
    assert texts == ["a ", "b ", "c"]
    assert isinstance(events[-1], RunFinished)


def test_a_refused_run_is_a_result(gateway: FakeGateway) -> None:
    gateway.scripts = [numbered(refused())]
    with SyncClient(gateway.address) as client:
        assert client.run("review").outcome is Outcome.REJECTED_INFEASIBLE


def test_leaving_a_run_breaks_its_stream(gateway: FakeGateway) -> None:
    gateway.scripts = [[*good_run()[:2], Hold()]]
    with SyncClient(gateway.address) as client:
        client.submit("review").close()
        assert gateway.left.acquire(timeout=5)


def test_closing_the_client_leaves_its_runs(gateway: FakeGateway) -> None:
    gateway.scripts = [[good_run()[0], Hold()]]
    client = SyncClient(gateway.address)
    client.submit("review")
    client.close()
    assert gateway.left.acquire(timeout=5)


def test_many_threads_may_share_a_client(gateway: FakeGateway) -> None:
    gateway.scripts = [good_run() for _ in range(16)]
    with SyncClient(gateway.address) as client, ThreadPoolExecutor(16) as pool:
        runs = list(pool.map(lambda _: client.run("review"), range(16)))
    assert all(run.succeeded for run in runs)
    assert len({run.run_id for run in runs}) == 16


def test_it_says_where_no_gateway_is() -> None:
    dead = dead_address()
    with SyncClient(dead) as client, pytest.raises(CatenaryError, match=f"no gateway at {dead}"):
        client.models()


def test_a_closed_client_says_so_and_leaves_no_thread() -> None:
    before = threading.active_count()
    client = SyncClient(dead_address())
    client.close()
    client.close()
    assert threading.active_count() == before
    with pytest.raises(RuntimeError, match="the client is closed"):
        client.models()
