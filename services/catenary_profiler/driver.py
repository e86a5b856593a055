"""Drives one engine directly: batches of prompts with exact token counts, timed by the worker."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import TracebackType
from typing import Self

import grpc

from catenary.model.profile_point import GridPoint, PointKind
from catenary.runtime import clock
from catenary.runtime.wire.enums import finish_reason_from_proto
from catenary.v1 import worker_service_pb2 as pb
from catenary.v1.worker_service_pb2_grpc import WorkerServiceStub
from catenary.v1.workflow_pb2 import SamplingParams
from catenary_profiler.failure import ProfileFailed

FIRST_TOKEN_ID, LAST_TOKEN_ID = 256, 999
ABORT_TIMEOUT_S = 5.0
STEP_GAP = 0.25


@dataclass(frozen=True, slots=True)
class Sample:
    """Seconds of what the point measures, in how many iterations, and a call's way to the worker and back."""

    seconds: float
    steps: int
    transport_s: float


class EngineDriver:
    """One Generate stream to the worker of a replica that is set aside; one batch at a time.

    Prompts are random token ids of ordinary tokens, new for each batch, so that no prefix is cached.
    """

    def __init__(self, channel: grpc.aio.Channel, model: str, holder: str, timeout_s: float) -> None:
        self._stream = WorkerServiceStub(channel).Generate()
        self._model = model
        self._holder = holder
        self._timeout_s = timeout_s
        self._random = random.Random(holder)
        self._num_batches = 0
        self._waiting: set[str] = set()
        self._responses: asyncio.Queue[pb.GenerateResponse | grpc.RpcError | None] = asyncio.Queue()
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._stream.write(pb.GenerateRequest(gateway_id=self._holder))
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._waiting:
                await self.abort()
        finally:
            self._stream.cancel()
            if self._reading is not None:
                await asyncio.gather(self._reading, return_exceptions=True)

    async def abort(self) -> None:
        """Abort the calls under way and wait a little for their ends."""
        aborts = [pb.AbortCall(call_id=call_id, attempt=1, run_epoch=1) for call_id in self._waiting]
        with contextlib.suppress(grpc.RpcError, asyncio.InvalidStateError, TimeoutError):
            async with asyncio.timeout(ABORT_TIMEOUT_S):
                await self._stream.write(pb.GenerateRequest(aborts=aborts))
                while self._waiting and isinstance(response := await self._responses.get(), pb.GenerateResponse):
                    self._waiting.difference_update(end.call_id for end in response.ends)

    async def _read(self) -> None:
        """A task of its own, for a cancelled read would end the stream before the calls on it are aborted."""
        try:
            async for response in self._stream:
                self._responses.put_nowait(response)
            self._responses.put_nowait(None)
        except grpc.RpcError as error:
            self._responses.put_nowait(error)

    async def measure(self, point: GridPoint) -> Sample:
        """Run the batch of ``point`` to its end.

        Raises:
            ProfileFailed: a call ended otherwise than by its length, the worker went away or took too long.
        """
        async with self.failing(point):
            sent_s = clock.now()
            await self.send(point)
            ends = await self._ends(point)
            whole_s = clock.now() - sent_s
        longest_s = max(end.duration_us for end in ends) * 1e-6
        return Sample(_seconds(point, ends), _steps(point, ends), max(0.0, whole_s - longest_s))

    @contextlib.asynccontextmanager
    async def failing(self, point: GridPoint) -> AsyncIterator[None]:
        """Raises ProfileFailed where the worker goes away while ``point`` is measured, or that takes too long."""
        try:
            async with asyncio.timeout(self._timeout_s):
                yield
        except TimeoutError:
            raise ProfileFailed(
                grpc.StatusCode.DEADLINE_EXCEEDED,
                f"{point.label}: took more than profiler.call_timeout_s = {self._timeout_s:g} s",
                "TIMEOUT",
            ) from None
        except (grpc.RpcError, asyncio.InvalidStateError) as error:
            raise _worker_gone(point, error) from error

    async def send(self, point: GridPoint) -> list[str]:
        """Start the calls of ``point``; their ids."""
        starts = self._starts(point)
        calls = [start.call_id for start in starts]
        self._waiting.update(calls)
        await self._stream.write(pb.GenerateRequest(starts=starts))
        return calls

    async def next(self, point: GridPoint) -> pb.GenerateResponse:
        """What the worker says next; the calls that it ends are checked."""
        response = await self._responses.get()
        if not isinstance(response, pb.GenerateResponse):
            raise _worker_gone(point, response)
        for end in response.ends:
            if end.call_id in self._waiting:
                self._waiting.remove(end.call_id)
                _check(point, end)
        return response

    def _starts(self, point: GridPoint) -> list[pb.StartCall]:
        self._num_batches += 1
        count = point.output_tokens
        sampling = SamplingParams(max_tokens=count, min_tokens=count, ignore_eos=True)
        return [
            pb.StartCall(
                call_id=f"{self._holder}/batch{self._num_batches}[{index}]",
                attempt=1,
                run_epoch=1,
                model=self._model,
                prompt_token_ids=self._random.choices(range(FIRST_TOKEN_ID, LAST_TOKEN_ID + 1), k=point.prompt_tokens),
                sampling=sampling,
            )
            for index in range(point.batch)
        ]

    async def _ends(self, point: GridPoint) -> list[pb.CallEnd]:
        ends: list[pb.CallEnd] = []
        while self._waiting:
            ends += (await self.next(point)).ends
        return ends


def _check(point: GridPoint, end: pb.CallEnd) -> None:
    if end.finish_reason == pb.FINISH_REASON_LENGTH and end.output_tokens == point.output_tokens:
        return
    raise ProfileFailed(
        grpc.StatusCode.ABORTED,
        f"{point.label}: a call ended with {finish_reason_from_proto(end.finish_reason)} after {end.output_tokens} of "
        f"{point.output_tokens} tokens: {end.error or 'no reason given'}",
        "ENGINE",
    )


def _worker_gone(point: GridPoint, error: BaseException | None) -> ProfileFailed:
    details = error.details() if isinstance(error, grpc.aio.AioRpcError) else "the stream ended"
    return ProfileFailed(
        grpc.StatusCode.UNAVAILABLE, f"{point.label}: the worker went away while it was measured: {details}", "WORKER"
    )


def _seconds(point: GridPoint, ends: Sequence[pb.CallEnd]) -> float:
    """Of a decode batch, the step of the call that began last: the others' prefill does not fall into it."""
    last = max(ends, key=lambda end: end.ttft_us)
    if point.kind is PointKind.DECODE:
        return (last.duration_us - last.ttft_us) * 1e-6 / max(1, point.output_tokens - 1)
    return last.ttft_us * 1e-6


def _steps(point: GridPoint, ends: Sequence[pb.CallEnd]) -> int:
    """Iterations in which first tokens came. An iteration is longer than the first one's time to the first token, or
    not much shorter; calls of the same one differ by the moments of their arrival only."""
    if point.kind is PointKind.DECODE:
        return 1
    times = sorted(end.ttft_us for end in ends)
    return 1 + sum(later - earlier > STEP_GAP * times[0] for earlier, later in pairwise(times))
