"""A real worker process and a gateway's side of its Generate stream."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import yaml

from catenary.runtime.rpc import channel
from catenary.v1 import worker_service_pb2 as pb
from catenary.v1.worker_service_pb2_grpc import WorkerServiceStub
from catenary.v1.workflow_pb2 import SamplingParams


class WorkerProcess:
    """``python -m catenary_worker`` with its address once it is ready."""

    def __init__(self, config: dict[str, Any], folder: Path) -> None:
        path = folder / "catenary.yaml"
        path.write_text(yaml.safe_dump(config))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CATENARY_")}
        command = [
            sys.executable,
            "-m",
            "catenary_worker",
            "--config",
            str(path),
            "--worker",
            config["workers"][0]["id"],
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        self.address = self._ready()

    @property
    def pid(self) -> int:
        return self.process.pid

    def terminate(self) -> None:
        self.process.terminate()

    async def ended(self, timeout_s: float = 30) -> int:
        """The exit code."""
        return await asyncio.to_thread(self.process.wait, timeout_s)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _ready(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("ready "):
                return line.split()[1]
        raise AssertionError("the worker ended before it was ready")


@contextlib.contextmanager
def worker_process(config: dict[str, Any], folder: Path) -> Iterator[WorkerProcess]:
    """A worker of ``config``; it is ended with SIGKILL where the test has not ended it."""
    worker = WorkerProcess(config, folder)
    try:
        yield worker
    finally:
        worker.kill()


class Call:
    """What came back for one call. ``first`` is set by its first token, or by its end where it has none."""

    def __init__(self) -> None:
        self.text = ""
        self.token_ids: list[int] = []
        self.offsets: list[int] = []
        self.first = asyncio.Event()
        self.end: asyncio.Future[pb.CallEnd] = asyncio.get_running_loop().create_future()

    async def ended(self, timeout_s: float = 30) -> pb.CallEnd:
        return await asyncio.wait_for(asyncio.shield(self.end), timeout_s)


class GatewaySide:
    """A Generate stream with its calls by (call_id, attempt)."""

    def __init__(self, stub: WorkerServiceStub, gateway_id: str) -> None:
        self._stream = stub.Generate()
        self._gateway_id = gateway_id
        self._reader = asyncio.create_task(self._read())
        self.calls: dict[tuple[str, int], Call] = {}
        self.num_messages = 0

    async def start(self, call_id: str, prompt: list[int] | None = None, **fields: Any) -> Call:
        """Start one call; ``sampling`` and other fields of StartCall as keywords."""
        return (await self.start_many([call_id], prompt, **fields))[0]

    async def start_many(self, call_ids: list[str], prompt: list[int] | None = None, **fields: Any) -> list[Call]:
        defaults = {"attempt": 1, "run_epoch": 1, "model": "m", "sampling": SamplingParams(max_tokens=16)}
        starts = [
            pb.StartCall(**{**defaults, "call_id": call_id, "prompt_token_ids": prompt or [1] * 64, **fields})
            for call_id in call_ids
        ]
        for start in starts:
            self.calls[start.call_id, start.attempt] = Call()
        await self._stream.write(pb.GenerateRequest(gateway_id=self._gateway_id, starts=starts))
        return [self.calls[start.call_id, start.attempt] for start in starts]

    async def abort(self, call_id: str, attempt: int = 1, run_epoch: int = 1) -> None:
        abort = pb.AbortCall(call_id=call_id, attempt=attempt, run_epoch=run_epoch)
        await self._stream.write(pb.GenerateRequest(aborts=[abort]))

    async def half_close(self) -> None:
        await self._stream.done_writing()

    async def until_closed(self) -> None:
        await asyncio.wait_for(asyncio.shield(self._reader), 20)

    async def close(self) -> None:
        self._stream.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        with contextlib.suppress(grpc.RpcError, asyncio.CancelledError):
            async for response in self._stream:
                self.num_messages += 1
                for delta in response.deltas:
                    call = self.calls[delta.call_id, delta.attempt]
                    call.text += delta.text
                    call.offsets.append(delta.offset)
                    call.token_ids += delta.token_ids
                    call.first.set()
                for end in response.ends:
                    call = self.calls[end.call_id, end.attempt]
                    call.end.set_result(end)
                    call.first.set()


@contextlib.asynccontextmanager
async def gateway_side(address: str, gateway_id: str = "g0") -> AsyncIterator[GatewaySide]:
    async with channel(address) as connection:
        side = GatewaySide(WorkerServiceStub(connection), gateway_id)
        try:
            yield side
        finally:
            await side.close()


async def until_awake(address: str, model: str = "m", timeout_s: float = 30) -> None:
    async with channel(address) as connection:
        await snapshot_where(WorkerServiceStub(connection), state_is(pb.REPLICA_STATE_AWAKE, model), timeout_s)


async def snapshot_where(stub: WorkerServiceStub, condition: Any, timeout_s: float = 30, **watch: Any) -> Any:
    """The first snapshot for which ``condition`` holds."""
    async with asyncio.timeout(timeout_s):
        stream = stub.WatchSnapshots(pb.WatchSnapshotsRequest(watcher_id="test", **watch))
        try:
            async for response in stream:
                if condition(response.snapshot):
                    return response.snapshot
        finally:
            stream.cancel()
    raise AssertionError("the snapshots ended")


def state_is(state: int, model: str = "m") -> Any:
    return lambda snapshot: any(r.model == model and r.state == state for r in snapshot.replicas)
