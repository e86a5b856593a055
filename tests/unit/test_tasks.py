"""Ends of tasks."""

import asyncio
import gc

import pytest

from catenary.runtime.tasks import cancel, run_until


class Work:
    """Waits for ever; when cancelled it takes until ``may_end`` to tidy up."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.may_end = asyncio.Event()
        self.ended = False

    async def run(self) -> None:
        try:
            self.started.set()
            await asyncio.Event().wait()
        finally:
            await self.may_end.wait()
            self.ended = True


async def fails() -> None:
    raise ValueError("broken")


async def test_cancelled_tasks_have_ended_when_cancel_returns() -> None:
    works = [Work(), Work()]
    tasks = [asyncio.create_task(work.run()) for work in works]
    for work in works:
        await work.started.wait()
        asyncio.get_running_loop().call_later(0.01, work.may_end.set)

    await cancel(*tasks)

    assert all(work.ended for work in works)
    assert all(task.cancelled() for task in tasks)


async def test_a_caller_that_is_cancelled_while_it_waits_for_the_end_notices() -> None:
    work = Work()
    task = asyncio.create_task(work.run())
    await work.started.wait()
    caller = asyncio.create_task(cancel(task))
    await asyncio.sleep(0)

    caller.cancel()
    work.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await caller

    assert task.done()


async def test_what_a_task_raises_at_being_cancelled_does_not_stop_its_owner() -> None:
    async def spoiled() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("spoiled")

    task = asyncio.create_task(spoiled())
    await asyncio.sleep(0)

    await cancel(task)

    assert task.done()


async def test_an_error_that_nobody_has_read_stays_to_be_told() -> None:
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(str(context["exception"])))
    task = asyncio.create_task(fails())
    await asyncio.sleep(0)

    await cancel(task)
    del task
    gc.collect()

    assert told == ["broken"]


async def test_work_that_ends_is_not_stopped() -> None:
    stopping = asyncio.Event()

    assert await run_until(stopping, asyncio.sleep(0))
    assert not stopping.is_set()


async def test_work_ends_before_run_until_returns_when_it_is_to_stop() -> None:
    stopping, work = asyncio.Event(), Work()
    waiting = asyncio.create_task(run_until(stopping, work.run()))
    await work.started.wait()

    stopping.set()
    await asyncio.sleep(0.01)
    assert not waiting.done()
    work.may_end.set()

    assert not await waiting
    assert work.ended


async def test_what_the_work_raises_reaches_who_runs_it() -> None:
    with pytest.raises(ValueError, match="broken"):
        await run_until(asyncio.Event(), fails())


async def test_work_is_cancelled_with_whom_it_runs_for() -> None:
    work = Work()
    waiting = asyncio.create_task(run_until(asyncio.Event(), work.run()))
    await work.started.wait()

    waiting.cancel()
    work.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert work.ended
