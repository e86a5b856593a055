"""A gateway that plays scripts over real gRPC: each stream that a client opens takes the next one."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import grpc

from catenary.model import run as ev
from catenary.model.outcome import Outcome, State
from catenary.model.workflow import CallRef
from catenary.runtime.rpc import GrpcServer, abort
from catenary.runtime.wire.run import event_to_proto, record_to_proto
from catenary.v1 import gateway_service_pb2 as pb
from catenary.v1 import gateway_service_pb2_grpc, run_pb2

RUN = "run-1"
TEXT = {"outline": "a b c", "facts": "d e"}


class Break:
    """Ends a stream with a status, as a dying gateway does, or without one."""

    def __init__(self, code: grpc.StatusCode | None = grpc.StatusCode.UNAVAILABLE, reason: str = "") -> None:
        self.code = code
        self.reason = reason

    async def carry_out(self, context: Any) -> None:
        if self.code is not None and self.reason:
            await abort(context, self.code, "told to", self.reason)
        elif self.code is not None:
            await context.abort(self.code, "connection lost")


class Hold:
    """Keeps a stream open without events until the client goes."""


Step = run_pb2.RunEvent | Break | Hold


def event(sequence: int, body: ev.RunEventBody) -> run_pb2.RunEvent:
    return event_to_proto(ev.RunEvent(RUN, sequence, body))


def admitted(deadline_s: float = 8.0) -> ev.RunAdmitted:
    return ev.RunAdmitted(deadline_s, 4.0, 0.9, deadline_s - 4.0, "v1")


def refused() -> ev.RunRefused:
    return ev.RunRefused(Outcome.REJECTED_INFEASIBLE, "it takes 9 s and has 1 s", ev.Quote(11.0, 0.5))


def started(name: str, index: int | None = None) -> ev.CallStarted:
    return ev.CallStarted(CallRef(name, index), 1, "w0", "small", 12, 3.0)


def tokens(name: str, offset: int, text: str, num: int = 1) -> ev.CallTokens:
    return ev.CallTokens(CallRef(name), 1, offset, num, text)


def record(name: str, **changes: Any) -> ev.CallRecord:
    figures: dict[str, Any] = {
        "worker": "w0",
        "state": State.FINISHED,
        "outcome": Outcome.SUCCEEDED,
        "queue_s": 0.1,
        "ttft_s": 0.2,
        "duration_s": 1.5,
        "slack_before_s": 4.0,
        "slack_after_s": 3.5,
        "prompt_tokens": 12,
        "output_tokens": len(TEXT.get(name, "").split()),
        "attempts": 1,
        "text": TEXT.get(name, ""),
        "predicted_s": 1.2,
        **changes,
    }
    return ev.CallRecord(CallRef(name, figures.pop("index", None)), "small", **figures)


def finished(name: str, **changes: Any) -> ev.CallFinished:
    return ev.CallFinished(record(name, **changes))


def ended(
    outcome: Outcome = Outcome.SUCCEEDED, met: bool = True, e2e_s: float = 3.0, reason: str = ""
) -> ev.RunFinished:
    output = {"text": TEXT["outline"]} if outcome is Outcome.SUCCEEDED else None
    return ev.RunFinished(outcome, met, e2e_s, output, reason)


def numbered(*bodies: ev.RunEventBody, first: int = 1) -> list[run_pb2.RunEvent]:
    """The events of a run; tokens have no number."""
    found, sequence = [], first - 1
    for body in bodies:
        is_numbered = not isinstance(body, ev.CallTokens)
        sequence += is_numbered
        found.append(event(sequence if is_numbered else 0, body))
    return found


def good_run() -> list[run_pb2.RunEvent]:
    """Two calls side by side, in time."""
    return numbered(
        admitted(),
        started("outline"),
        started("facts"),
        tokens("outline", 0, "a "),
        tokens("facts", 0, "d "),
        tokens("outline", 1, "b "),
        tokens("outline", 2, "c"),
        tokens("facts", 1, "e"),
        finished("outline"),
        finished("facts", start_s=0.2, worker="w1"),
        ended(),
    )


class FakeGateway(gateway_service_pb2_grpc.GatewayServiceServicer):
    """Runs in a thread of its own. ``requests`` holds what clients sent, ``left`` counts streams that they broke."""

    def __init__(self) -> None:
        self.scripts: list[Sequence[Step]] = []
        self.requests: list[Any] = []
        self.left = threading.Semaphore(0)
        self.address = ""
        self.refusal: tuple[grpc.StatusCode, str, str] | None = None

    def sent(self, kind: type) -> list[Any]:
        return [request for request in self.requests if isinstance(request, kind)]

    async def SubmitWorkflow(self, request: Any, context: Any) -> AsyncIterator[pb.SubmitWorkflowResponse]:
        await self._note(request, context)
        async for step in self._play(context):
            yield pb.SubmitWorkflowResponse(events=[step])

    async def WatchRun(self, request: Any, context: Any) -> AsyncIterator[pb.WatchRunResponse]:
        await self._note(request, context)
        async for step in self._play(context):
            yield pb.WatchRunResponse(events=[step])

    async def RegisterWorkflow(self, request: Any, context: Any) -> pb.RegisterWorkflowResponse:
        await self._note(request, context)
        return pb.RegisterWorkflowResponse(name=request.workflow.name, version="v1", created=True)

    async def GetRun(self, request: Any, context: Any) -> pb.GetRunResponse:
        await self._note(request, context)
        return pb.GetRunResponse(run=self.run(request.run_id))

    async def ListRuns(self, request: Any, context: Any) -> pb.ListRunsResponse:
        await self._note(request, context)
        runs = [self.run("run-2"), self.run("run-1")]
        for run in runs:
            del run.calls[:]
        return pb.ListRunsResponse(runs=runs, next_page_token="next")

    async def CancelRun(self, request: Any, context: Any) -> pb.CancelRunResponse:
        await self._note(request, context)
        run = self.run(request.run_id)
        run.outcome, run.met = run_pb2.OUTCOME_CANCELLED, False
        return pb.CancelRunResponse(run=run)

    async def ListModels(self, request: Any, context: Any) -> pb.ListModelsResponse:
        await self._note(request, context)
        model = pb.ModelStatus(name="small", source="hf://org/small", max_model_len=2048, replicas_awake=1)
        return pb.ListModelsResponse(models=[model])

    async def ExplainWorkflow(self, request: Any, context: Any) -> pb.ExplainWorkflowResponse:
        await self._note(request, context)
        call = pb.CallShare(name="outline", model="small", predicted_s=2.0, share_s=5.0, slack_s=1.0)
        return pb.ExplainWorkflowResponse(
            predicted_s=2.0, predicted_q90_s=3.0, deadline_s=5.0, calls=[call], basis="small: measured"
        )

    @staticmethod
    def run(run_id: str) -> run_pb2.Run:
        run = run_pb2.Run(
            run_id=run_id,
            workflow="review",
            state=run_pb2.STATE_FINISHED,
            outcome=run_pb2.OUTCOME_SUCCEEDED,
            met=True,
            deadline_s=8.0,
            e2e_s=3.0,
            predicted_s=4.0,
            calls=[record_to_proto(record("outline"))],
        )
        run.submit_time.FromSeconds(1_700_000_000)
        run.output.string_value = "done"
        return run

    async def _note(self, request: Any, context: Any) -> None:
        self.requests.append(request)
        if self.refusal is not None:
            await abort(context, *self.refusal)

    async def _play(self, context: Any) -> AsyncIterator[run_pb2.RunEvent]:
        broken = True
        try:
            for step in self.scripts.pop(0):
                if isinstance(step, run_pb2.RunEvent):
                    yield step
                elif isinstance(step, Hold):
                    await asyncio.Event().wait()
                else:
                    broken = False
                    await step.carry_out(context)
                    return
            broken = False
        finally:
            if broken:
                self.left.release()


def dead_address() -> str:
    """An address at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextmanager
def serving(gateway: FakeGateway, address: str = "127.0.0.1:0") -> Iterator[FakeGateway]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> GrpcServer:
        server = GrpcServer(address)
        add = gateway_service_pb2_grpc.add_GatewayServiceServicer_to_server
        server.add(add, gateway, "catenary.v1.GatewayService")
        await server.start()
        await server.set_serving(True)
        return server

    server = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    gateway.address = server.address
    try:
        yield gateway
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(0), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
