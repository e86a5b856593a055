"""Calls straight to a worker, past gateway and router: what the engine and its worker take by themselves."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import grpc

from catenary.v1 import worker_service_pb2 as pb
from catenary.v1.worker_service_pb2_grpc import WorkerServiceStub
from catenary.v1.workflow_pb2 import SamplingParams

FIRST_TOKEN_ID, LAST_TOKEN_ID = 256, 999


@dataclass(frozen=True, slots=True)
class Served:
    """One call; ``submit`` is a point of time.monotonic(), the times are the worker's own, in seconds."""

    submit: float
    prompt_tokens: int
    output_tokens: int
    queue_s: float
    ttft_s: float
    duration_s: float


class DirectWorker:
    """One Generate stream to a replica that is set aside while entered; ``serve`` runs one greedy call."""

    def __init__(self, channel: grpc.aio.Channel, model: str) -> None:
        self._stub = WorkerServiceStub(channel)
        self._stream = self._stub.Generate()
        self._writing = asyncio.Lock()
        self._model = model
        self._holder = f"direct-{time.monotonic_ns()}"
        self._numbers = itertools.count()
        self._random = random.Random(self._holder)
        self._waiting: dict[str, asyncio.Future[pb.CallEnd]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._reserve(True)
        await self._stream.write(pb.GenerateRequest(gateway_id=self._holder))
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.cancel()
        if self._reading is not None:
            await asyncio.gather(self._reading, return_exceptions=True)
        await self._reserve(False)

    async def _reserve(self, reserved: bool) -> None:
        request = pb.ReserveReplicaRequest(model=self._model, reserved=reserved, holder=self._holder)
        await self._stub.ReserveReplica(request, timeout=10)

    async def _read(self) -> None:
        async for response in self._stream:
            for end in response.ends:
                if (waiting := self._waiting.pop(end.call_id, None)) is not None:
                    waiting.set_result(end)

    async def serve(self, prompt_tokens: int, output_tokens: int, at: float = 0.0) -> Served:
        """Raises RuntimeError where the call ends otherwise than by its length."""
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        call_id = f"{self._holder}/{next(self._numbers)}"
        ended: asyncio.Future[pb.CallEnd] = asyncio.get_running_loop().create_future()
        self._waiting[call_id] = ended
        start = pb.StartCall(
            call_id=call_id,
            attempt=1,
            run_epoch=1,
            model=self._model,
            prompt_token_ids=self._random.choices(range(FIRST_TOKEN_ID, LAST_TOKEN_ID + 1), k=prompt_tokens),
            sampling=SamplingParams(
                max_tokens=output_tokens, min_tokens=output_tokens, ignore_eos=True, temperature=0.0
            ),
        )
        submit = time.monotonic()
        async with self._writing:
            await self._stream.write(pb.GenerateRequest(starts=[start]))
        end = await ended
        if end.finish_reason != pb.FINISH_REASON_LENGTH or end.output_tokens != output_tokens:
            raise RuntimeError(f"{call_id}: {pb.FinishReason.Name(end.finish_reason)}: {end.error}")
        return Served(
            submit, prompt_tokens, output_tokens, end.queue_us * 1e-6, end.ttft_us * 1e-6, end.duration_us * 1e-6
        )
