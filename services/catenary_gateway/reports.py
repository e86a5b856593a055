"""Finished calls on their way to the profiler: once a second, best effort."""

from __future__ import annotations

import asyncio
from collections import deque

import grpc

from catenary.core.gateway.events import ReportCall
from catenary.runtime.rpc import channel
from catenary.v1 import profiler_service_pb2, profiler_service_pb2_grpc

INTERVAL_S = 1.0
TIMEOUT_S = 2.0
LIMIT = 1_000


class CallReports:
    """Keeps the last 1,000 calls that the profiler has not taken."""

    def __init__(self, profiler_address: str) -> None:
        self._address = profiler_address
        self._waiting: deque[ReportCall] = deque(maxlen=LIMIT)

    def put(self, report: ReportCall) -> None:
        self._waiting.append(report)

    async def run(self) -> None:
        async with channel(self._address) as connection:
            stub = profiler_service_pb2_grpc.ProfilerServiceStub(connection)
            while True:
                await asyncio.sleep(INTERVAL_S)
                if not self._waiting:
                    continue
                request = profiler_service_pb2.ReportCallsRequest(calls=[_to_proto(call) for call in self._waiting])
                self._waiting.clear()
                try:
                    await stub.ReportCalls(request, timeout=TIMEOUT_S)
                except grpc.RpcError:
                    continue


def _to_proto(call: ReportCall) -> profiler_service_pb2.FinishedCall:
    return profiler_service_pb2.FinishedCall(
        model=call.model,
        worker_id=call.worker_id,
        prompt_tokens=call.prompt_tokens,
        cached_tokens=call.cached_tokens,
        output_tokens=call.output_tokens,
        mean_batch=call.mean_batch,
        service_s=call.service_s,
        predicted_s=call.predicted_s,
    )
