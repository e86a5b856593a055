"""Events on their way to a store that loses, refuses or fences."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

from catenary.runtime.store.errors import StoreBehind, StoreError
from catenary.runtime.store.runs import RunStore
from catenary_gateway.journal import RunJournal

RUN = "r"


class ForgetfulStore:
    """Answers appends as told, in turn; then all succeed."""

    def __init__(self, *answers: StoreError | bool) -> None:
        self.answers = list(answers)
        self.appended: list[tuple[int, list[bytes]]] = []

    def append(
        self,
        run_id: str,
        epoch: int,
        events: Sequence[bytes],
        header: bytes | None = None,
        final: bool = False,
        num_stored: int | None = None,
        owner: str = "",
    ) -> asyncio.Future[bool]:
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        answer = self.answers.pop(0) if self.answers else True
        if isinstance(answer, StoreError):
            future.set_exception(answer)
        else:
            future.set_result(answer)
            self.appended.append((num_stored or 0, list(events)))
        return future


class Opened:
    def __init__(self, *answers: StoreError | bool) -> None:
        self.store = ForgetfulStore(*answers)
        self.stored: list[int] = []
        self.fenced: list[str] = []
        self.restored: list[tuple[int, int]] = []
        self.journal = RunJournal(
            cast(RunStore, self.store),
            "g:1",
            100,
            lambda _, last: self.stored.append(last),
            self.fenced.append,
            self.restore,
        )
        self.journal.open(RUN, 3, num_stored=1)

    def restore(self, run_id: str, epoch: int, num_events: int) -> asyncio.Future[bool]:
        self.restored.append((epoch, num_events))
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        future.set_result(True)
        return future


async def test_a_store_that_lost_events_gets_them_again_before_the_next_ones() -> None:
    opened = Opened(True, StoreBehind("BEHIND 1 events are stored"))
    opened.journal.append(RUN, b"2")
    assert await opened.journal.flush(1.0)
    opened.journal.append(RUN, b"3")
    assert await opened.journal.flush(1.0)
    assert opened.restored == [(3, 2)]
    assert opened.store.appended == [(1, [b"2"]), (2, [b"3"])]
    assert opened.stored == [2, 3]


async def test_the_end_of_a_run_waits_for_what_was_lost() -> None:
    opened = Opened(StoreBehind("BEHIND epoch none is stored"))
    ended = asyncio.Event()
    opened.journal.finish(RUN, b"2", b"header", ended.set)
    async with asyncio.timeout(1.0):
        await ended.wait()
    assert opened.restored == [(3, 1)]


async def test_an_answer_for_a_run_that_was_forgotten_changes_nothing() -> None:
    opened = Opened(False)
    opened.journal.append(RUN, b"2")
    await asyncio.sleep(0.02)
    assert opened.fenced == [RUN]
    opened.journal.open(RUN, 4, num_stored=0)
    opened.journal.append(RUN, b"1")
    assert await opened.journal.flush(1.0)
    assert opened.stored == [1]
