"""The blocking client: the asynchronous one on an event loop of its own, in one background thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from catenary.client.client import DEFAULT_ADDRESS, Client
from catenary.client.handle import RunHandle
from catenary.client.records import Explanation, ModelStatus, Registration, Run, RunPage
from catenary.client.request import RunOptions, WorkflowLike
from catenary.client.stream import Reattach
from catenary.model.run import RunEventBody
from catenary.runtime.tasks import cancel

Result = TypeVar("Result")


class _LoopThread:
    """An event loop that runs in a thread until it is stopped."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="catenary-client", daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        return self._loop.is_closed()

    def wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run ``work`` there and wait; an interrupted wait cancels it."""
        if self.closed:
            work.close()
            raise RuntimeError("the client is closed")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        if self.closed:
            return
        self.wait(self._end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @staticmethod
    async def _end_tasks() -> None:
        await cancel(*(task for task in asyncio.all_tasks() if task is not asyncio.current_task()))


class SyncRunHandle:
    """Iterate it for the events, or call ``result()``. Leaving a run that is not detached cancels it."""

    def __init__(self, handle: RunHandle, loop: _LoopThread) -> None:
        self._handle = handle
        self._loop = loop

    @property
    def run_id(self) -> str:
        return self._handle.run_id

    @property
    def run(self) -> Run:
        """The run as far as the events read so far tell."""
        return self._handle.run

    def __iter__(self) -> Iterator[RunEventBody]:
        return self

    def __next__(self) -> RunEventBody:
        event = self._loop.wait(self._next())
        if event is None:
            raise StopIteration
        return event

    def result(self) -> Run:
        """Wait for the run's end; a refused or failed run is a result, too."""
        return self._loop.wait(self._handle.result())

    def cancel(self, reason: str = "") -> Run:
        return self._loop.wait(self._handle.cancel(reason))

    def close(self) -> None:
        self._loop.wait(self._handle.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _next(self) -> RunEventBody | None:
        return await anext(self._handle, None)


class SyncClient:
    """As ``Client``, for code without an event loop. Its methods may be called from any thread."""

    def __init__(
        self,
        addresses: str | Sequence[str] = DEFAULT_ADDRESS,
        *,
        timeout_s: float = 30.0,
        reattach: Reattach | None = None,
    ) -> None:
        self._client = Client(addresses, timeout_s=timeout_s, reattach=reattach)
        self._loop = _LoopThread()

    def register(self, workflow: WorkflowLike) -> Registration:
        return self._loop.wait(self._client.register(workflow))

    def submit(
        self, workflow: WorkflowLike, inputs: Mapping[str, Any] | None = None, **options: Unpack[RunOptions]
    ) -> SyncRunHandle:
        return SyncRunHandle(self._loop.wait(self._client.submit(workflow, inputs, **options)), self._loop)

    def run(
        self, workflow: WorkflowLike, inputs: Mapping[str, Any] | None = None, **options: Unpack[RunOptions]
    ) -> Run:
        return self._loop.wait(self._client.run(workflow, inputs, **options))

    def watch(self, run_id: str, *, after_sequence: int = 0, tokens: bool = False) -> SyncRunHandle:
        watching = self._client.watch(run_id, after_sequence=after_sequence, tokens=tokens)
        return SyncRunHandle(self._loop.wait(watching), self._loop)

    def get(self, run_id: str) -> Run:
        return self._loop.wait(self._client.get(run_id))

    def list(self, *, page_size: int = 100, page_token: str = "", workflow: str = "", tenant: str = "") -> RunPage:
        return self._loop.wait(
            self._client.list(page_size=page_size, page_token=page_token, workflow=workflow, tenant=tenant)
        )

    def cancel(self, run_id: str, reason: str = "") -> Run:
        return self._loop.wait(self._client.cancel(run_id, reason))

    def models(self) -> tuple[ModelStatus, ...]:
        return self._loop.wait(self._client.models())

    def explain(self, workflow: WorkflowLike, inputs: Mapping[str, Any] | None = None) -> Explanation:
        return self._loop.wait(self._client.explain(workflow, inputs))

    def close(self) -> None:
        if not self._loop.closed:
            self._loop.wait(self._client.close())
            self._loop.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
