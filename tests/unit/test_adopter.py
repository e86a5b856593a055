"""What the store says a gateway owns and what it drives are made one."""

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
    """A store with the run "r", not ended, which ``appears`` after so many looks; ``failures`` of its reads come
    first."""

    def __init__(self, failures: int = 0, owner: str = OWNER, appears: int = 0, takes_s: float = 0.0) -> None:
        self.epoch = 1
        self.failures = failures
        self.owner = owner
        self.appears = appears
        self.takes_s = takes_s

    async def owners(self) -> list[str]:
        await asyncio.sleep(self.takes_s)
        return [self.owner]

    async def owned(self, owner: str, count: int) -> list[str]:
        self.appears -= 1
        return ["r"] if owner == self.owner and self.appears < 0 else []

    async def owners_of(self, run_ids: list[str]) -> list[str | None]:
        return [self.owner if run_id == "r" else None for run_id in run_ids]

    async def get(self, run_id: str) -> StoredRun | None:
        return StoredRun("r", b"", self.owner, self.epoch, "d", 1, False) if run_id == "r" else None

    async def take_over(self, run_id: str, owner: str, epoch: int, new_epoch: int) -> bool:
        taken, self.epoch, self.owner = self.epoch == epoch, new_epoch, owner
        return taken

    async def unfinished(self, run_id: str) -> Unfinished:
        self.failures -= 1
        if self.failures >= 0:
            raise StoreUnavailable("no answer")
        return Unfinished(b"request", [b"1"], 0.0)


class Claim:
    """A gateway's claim on its runs; the other owner is at ``address``, which the store tells after ``takes_s``."""

    owner = OWNER

    def __init__(self, held: bool = True, address: str | None = "127.0.0.1:1", takes_s: float = 0.0) -> None:
        self.held = held
        self._address = address
        self._takes_s = takes_s

    def is_predecessor(self, owner: str) -> bool:
        return False

    async def address_of(self, owner: str) -> str | None:
        await asyncio.sleep(self._takes_s)
        return self._address


class Outcome:
    """``taken``: runs with their epochs; ``fenced``: runs that another owner has."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, int]] = []
        self.fenced: list[str] = []


async def looked(store: OneRun, driven: set[str], held: bool = True, claim: Claim | None = None) -> Outcome:
    """What becomes of the runs within 200 ms of looking every 10 ms."""
    outcome = Outcome()

    async def take(stored: StoredRun, unfinished: Unfinished, epoch: int) -> None:
        outcome.taken.append((stored.run_id, epoch))
        driven.add(stored.run_id)

    def fenced(run_id: str) -> None:
        outcome.fenced.append(run_id)
        driven.discard(run_id)

    adopter = Adopter(
        cast(Ownership, claim or Claim(held)), cast(RunStore, store), take, driven, lambda: sorted(driven), fenced
    )
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(adopter.run(), 0.2)
    return outcome


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.01)
    monkeypatch.setattr(module, "AUDIT_S", 0.02)
    monkeypatch.setattr(module, "SETTLE_S", 0.05)
    monkeypatch.setattr(module, "STALL_S", 0.02)


async def test_a_run_that_the_store_has_after_all_is_taken_on_once() -> None:
    assert (await looked(OneRun(), set())).taken == [("r", 2)]


async def test_a_creation_that_reaches_the_store_late_is_found() -> None:
    assert (await looked(OneRun(appears=4), set())).taken == [("r", 2)]


async def test_a_run_that_this_gateway_drives_is_left_alone() -> None:
    outcome = await looked(OneRun(), {"r"})
    assert (outcome.taken, outcome.fenced) == ([], [])


async def test_a_take_over_whose_answer_is_lost_is_made_again() -> None:
    assert (await looked(OneRun(failures=2), set())).taken == [("r", 4)]


@pytest.mark.parametrize("held", [True, False])
async def test_a_run_that_another_owner_has_is_given_up_at_any_time(held: bool) -> None:
    outcome = await looked(OneRun(owner="h:1"), {"r"}, held)
    assert (outcome.taken, outcome.fenced) == ([], ["r"])


async def test_nothing_is_taken_on_while_the_lease_is_not_held() -> None:
    assert (await looked(OneRun(), set(), held=False)).taken == []


async def test_a_run_that_the_store_has_lost_is_driven_on() -> None:
    outcome = await looked(OneRun(appears=1000), {"lost"})
    assert (outcome.taken, outcome.fenced) == ([], [])


@pytest.mark.parametrize(("owners_s", "address_s", "taken"), [(0.0, 0.0, [("r", 2)]), (0.0, 0.04, []), (0.04, 0.0, [])])
async def test_an_owner_counts_as_gone_where_a_store_that_answers_at_once_says_so(
    owners_s: float, address_s: float, taken: list[tuple[str, int]]
) -> None:
    store = OneRun(owner="h:1", takes_s=owners_s)
    outcome = await looked(store, set(), claim=Claim(address=None, takes_s=address_s))
    assert outcome.taken == taken
