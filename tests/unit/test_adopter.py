"""Runs that nobody drives are taken on; those that this gateway drives are left alone."""

from __future__ import annotations

import asyncio
import contextlib
from typing import cast

import pytest

from catenary.runtime.store.errors import StoreUnavailable
from catenary.runtime.store.runs import RunStore, StoredRun, Unfinished
from catenary_gateway import adopter as module
from catenary_gateway.adopter import Adopter
from catenary_gateway.ownership import Ownership

OWNER = "g:1"


class OneRun:
    """A store with the run "r", not ended; ``failures`` of its reads come first."""

    def __init__(self, failures: int = 0) -> None:
        self.epoch = 1
        self.failures = failures

    async def owners(self) -> list[str]:
        return [OWNER]

    async def get(self, run_id: str) -> StoredRun | None:
        return StoredRun("r", b"", OWNER, self.epoch, "d", 1, False) if run_id == "r" else None

    async def take_over(self, run_id: str, owner: str, epoch: int, new_epoch: int) -> bool:
        taken, self.epoch = self.epoch == epoch, new_epoch
        return taken

    async def unfinished(self, run_id: str) -> Unfinished:
        self.failures -= 1
        if self.failures >= 0:
            raise StoreUnavailable("no answer")
        return Unfinished(b"request", [b"1"], 0.0)


class Alone:
    owner = OWNER
    held = True


async def adopted(store: OneRun, unsure: list[str], driven: set[str]) -> list[tuple[str, int]]:
    """Runs and epochs taken within 200 ms of looking every 10 ms."""
    taken: list[tuple[str, int]] = []

    async def take(stored: StoredRun, unfinished: Unfinished, epoch: int) -> None:
        taken.append((stored.run_id, epoch))
        driven.add(stored.run_id)

    found = Adopter(cast(Ownership, Alone()), cast(RunStore, store), take, driven.__contains__)
    for run_id in unsure:
        found.unsure(run_id)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(found.run(), 0.2)
    return taken


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.01)


async def test_a_run_that_the_store_has_after_all_is_taken_on_once() -> None:
    assert await adopted(OneRun(), ["r", "never stored"], set()) == [("r", 2)]


async def test_a_run_that_was_submitted_again_meanwhile_is_not_taken_from_itself() -> None:
    assert await adopted(OneRun(), ["r"], {"r"}) == []


async def test_a_take_over_whose_answer_is_lost_is_made_again() -> None:
    assert await adopted(OneRun(failures=2), ["r"], set()) == [("r", 4)]
