"""Catenary on this machine: every service a process, the real gRPC API, the store with its append-only file on."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import grpc
import yaml
from google.protobuf import struct_pb2

from bench.arrival import Arrival, CallFigures, Ending
from bench.system import Capacity
from bench.versions import catenary_version
from bench.work import Work, profiles, switch_times
from catenary.model.spec import parse_workflow
from catenary.runtime.cluster import Cluster
from catenary.runtime.rpc import channel
from catenary.runtime.wire.workflow import workflow_to_proto
from catenary.v1 import gateway_service_pb2 as pb
from catenary.v1 import gateway_service_pb2_grpc as rpc
from catenary.v1 import run_pb2
from catenary.v1.provisioner_service_pb2 import PlannedWorker
from catenary.v1.worker_service_pb2 import REPLICA_STATE_AWAKE, REPLICA_STATE_DRAINING, REPLICA_STATE_LOADING

BLIND: dict[str, Any] = {
    "gateway": {"admission": "none", "shed_crowded": False},
    "router": {"ordering": "fcfs", "routing": "least_loaded", "shed_lost": False, "triage": False},
}


AWAKE_TIMEOUT_S, AWAKE_POLL_S = 10.0, 0.1


def one_model_each(replicas: Mapping[str, int]) -> list[list[str]]:
    """A worker per replica."""
    return [[model] for model, count in replicas.items() for _ in range(count)]


def shared(replicas: Mapping[str, int], num_accelerators: int) -> list[list[str]]:
    """Workers on which every model is resident, one awake on each; ``replicas`` says which are awake at first."""
    models = list(replicas)
    first = [model for (model,) in one_model_each(replicas)]
    order = [first[number % len(first)] for number in range(num_accelerators)]
    return [[awake, *(model for model in models if model != awake)] for awake in order]


class CatenarySystem:
    """``workers``: the models of each. ``settings`` are merged into the configuration, section by section."""

    def __init__(
        self,
        name: str,
        work: Work,
        workers: Sequence[Sequence[str]],
        settings: Mapping[str, Any],
        stream_tokens: bool = False,
    ) -> None:
        self.name = name
        self.version = catenary_version()
        self._work = work
        self._workers = workers
        self._settings = settings
        self._stream_tokens = stream_tokens
        self._in_use = len(workers)
        self._stack = AsyncExitStack()
        self._workflow = workflow_to_proto(parse_workflow(dict(work.workflow)))

    async def __aenter__(self) -> Self:
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="catenary-bench-"))
        os.environ.setdefault("CATENARY_TELEMETRY__LOG_LEVEL", "warning")
        config = self._write_config(Path(folder))
        try:
            self.cluster = await self._stack.enter_async_context(Cluster(config))
            connection = await self._stack.enter_async_context(channel(self.cluster.addresses.gateway))
        except BaseException:
            await self._stack.aclose()
            raise
        self._stub = rpc.GatewayServiceStub(connection)
        await self._all_awake()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def submit(self, arrival: Arrival, run_id: str) -> Ending:
        request = pb.SubmitWorkflowRequest(
            run_id=run_id, workflow=self._workflow, tenant=arrival.tenant, stream_tokens=self._stream_tokens
        )
        request.inputs.CopyFrom(_struct(arrival.inputs))
        request.deadline.FromNanoseconds(round(arrival.deadline_s * 1e9))
        calls: list[CallFigures] = []
        token_events = 0
        try:
            async for response in self._stub.SubmitWorkflow(request):
                for event in response.events:
                    kind = event.WhichOneof("event")
                    if kind == "call_tokens":
                        token_events += 1
                    elif kind == "call_finished":
                        calls.append(_figures(event.call_finished.call))
                    elif kind == "run_refused":
                        return Ending(_outcome(event.run_refused.outcome), event.run_refused.reason)
                    elif kind == "run_finished":
                        finished = event.run_finished
                        return Ending(_outcome(finished.outcome), finished.reason, tuple(calls), token_events)
        except grpc.aio.AioRpcError as error:
            return Ending("FAILED", f"{error.code().name}: {error.details()}", tuple(calls))
        return Ending("FAILED", "the stream ended early", tuple(calls))

    async def capacity(self) -> Capacity:
        plan = await self.cluster.plan()
        if plan is not None:
            self._in_use = sum(map(_is_in_use, plan.workers))
        return Capacity(self._in_use, len(self._workers))

    async def _all_awake(self) -> None:
        """The gateway hears of replicas after the provisioner. A fleet that stays smaller shows in its rows."""
        for _ in range(round(AWAKE_TIMEOUT_S / AWAKE_POLL_S)):
            models = (await self._stub.ListModels(pb.ListModelsRequest())).models
            if sum(model.replicas_awake for model in models) == len(self._workers):
                return
            await asyncio.sleep(AWAKE_POLL_S)

    def _write_config(self, folder: Path) -> Path:
        models = {}
        switching = switch_times(self._work) if any(len(one) > 1 for one in self._workers) else {}
        for name, coefficients in profiles(self._work).items():
            fixed = {"model": name, "accelerator": "emulated", "engine": "emulated", "origin": "emulated"}
            (folder / f"{name}.json").write_text(json.dumps({**fixed, **switching.get(name, {}), **coefficients}))
            section = self._work.scenario.models[name]
            models[name] = {
                "engine": "emulated",
                "profile": str(folder / f"{name}.json"),
                "max_num_seqs": section.max_num_seqs,
                "max_model_len": 8192,
                "lookahead": section.lookahead,
                "default_output_tokens": section.default_output_tokens,
            }
        config: dict[str, Any] = {
            "models": models,
            "workers": [
                {"id": f"w{number}", "models": list(models), **({"one_awake": True} if len(models) > 1 else {})}
                for number, models in enumerate(self._workers)
            ],
            "store": {"data_dir": str(folder / "store")},
            **{name: {"address": "127.0.0.1:0"} for name in ("gateway", "router", "profiler", "provisioner")},
        }
        for name, values in self._settings.items():
            config[name] = {**config.get(name, {}), **values} if isinstance(values, Mapping) else values
        path = folder / "catenary.yaml"
        path.write_text(yaml.safe_dump(config))
        return path


def _is_in_use(worker: PlannedWorker) -> bool:
    """Whether an engine of it takes calls, starts, wakes up or goes to sleep."""
    states = (REPLICA_STATE_LOADING, REPLICA_STATE_AWAKE, REPLICA_STATE_DRAINING)
    return any(replica.state in states or replica.ready_in_s > 0 for replica in worker.snapshot.replicas)


def _struct(values: Mapping[str, Any]) -> struct_pb2.Struct:
    message = struct_pb2.Struct()
    message.update(values)
    return message


def _figures(call: run_pb2.CallRecord) -> CallFigures:
    name = f"{call.name}[{call.index}]" if call.HasField("index") else call.name
    return CallFigures(name, call.queue_s, call.duration_s, call.output_tokens, call.slack_before_s, call.slack_after_s)


def _outcome(value: int) -> str:
    return run_pb2.Outcome.Name(value).removeprefix("OUTCOME_")
