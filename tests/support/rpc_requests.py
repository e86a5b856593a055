"""A valid request of every RPC, as the start of damaged ones."""

from __future__ import annotations

from typing import NamedTuple

from google.protobuf.message import Message
from whole_cluster import chain

from catenary.model.profile import EngineProfile
from catenary.runtime.wire.profile import profile_to_proto
from catenary.v1 import dispatch_pb2, profiler_service_pb2, provisioner_service_pb2, router_service_pb2
from catenary.v1 import gateway_service_pb2 as pb
from catenary.v1 import worker_service_pb2 as worker_pb2

MODEL = "slow"
ENGINE = "noop"
LAST_EPOCH = 2**64 - 1


class Rpc(NamedTuple):
    """``kind``: unary or stream of requests, unary or stream of responses. ``before`` is sent ahead of each request, so
    that the valid ones among them have something to do. ``server``: other than the one that ``service`` names."""

    service: str
    method: str
    request: Message
    kind: str = "unary_unary"
    before: tuple[str, Message] | None = None
    server: str = ""

    @property
    def path(self) -> str:
        return f"/catenary.v1.{self.service}Service/{self.method}"


def offer() -> dispatch_pb2.DispatchCallsRequest:
    request = dispatch_pb2.DispatchCallsRequest(gateway_id="fuzz")
    request.offers.add(call_id="run/a", attempt=1, model="fast", prompt_tokens=3, max_tokens=2)
    return request


def start() -> worker_pb2.GenerateRequest:
    """Of the last epochs that there are: a damaged request that names them does not make the others stale."""
    request = worker_pb2.GenerateRequest(gateway_id="fuzz")
    epochs = {"run_epoch": LAST_EPOCH, "router_epoch": LAST_EPOCH}
    sampling = {"max_tokens": 2}
    request.starts.add(call_id="run/a", attempt=1, model=ENGINE, prompt_token_ids=[1, 2], sampling=sampling, **epochs)
    request.aborts.add(call_id="run/b", attempt=1, run_epoch=LAST_EPOCH)
    return request


def reported() -> profiler_service_pb2.ReportCallsRequest:
    request = profiler_service_pb2.ReportCallsRequest()
    request.calls.add(model=MODEL, worker_id="w2", prompt_tokens=3, output_tokens=2, service_s=0.1, predicted_s=0.1)
    return request


def exported() -> profiler_service_pb2.ImportProfileRequest:
    profile = profile_to_proto(EngineProfile(MODEL, accelerator="Test CPU", engine="emulated", origin="measured"))
    profile.measure_time.FromSeconds(1_700_000_000)
    profile.points.add(kind="decode", prompt_tokens=16, output_tokens=4, batch=1, measured_s=0.1, repeats=3)
    profile.prefill_curve.add(tokens=100, seconds=0.01)
    return profiler_service_pb2.ImportProfileRequest(profile=profile)


GATEWAY = (
    Rpc("Gateway", "SubmitWorkflow", chain(tokens=2), "unary_stream"),
    Rpc("Gateway", "RegisterWorkflow", pb.RegisterWorkflowRequest(workflow=chain().workflow)),
    Rpc("Gateway", "ExplainWorkflow", pb.ExplainWorkflowRequest(workflow=chain().workflow)),
    Rpc("Gateway", "GetRun", pb.GetRunRequest(run_id="short")),
    Rpc("Gateway", "ListRuns", pb.ListRunsRequest(page_size=10, workflow="chain")),
    Rpc("Gateway", "CancelRun", pb.CancelRunRequest(run_id="short", reason="enough")),
    Rpc("Gateway", "WatchRun", pb.WatchRunRequest(run_id="short", after_sequence=1), "unary_stream"),
    Rpc("Gateway", "ListModels", pb.ListModelsRequest()),
)
ROUTER = (
    Rpc("Router", "GetPools", router_service_pb2.GetPoolsRequest()),
    Rpc("Router", "DispatchCalls", offer(), "stream_stream"),
)
SLEEP = worker_pb2.SleepModelRequest(model=ENGINE, level=1, mode=worker_pb2.SLEEP_MODE_FREEZE)
RELEASED = worker_pb2.ReserveReplicaRequest(model=ENGINE)
WORKER = (
    Rpc("Worker", "Generate", start(), "stream_stream"),
    Rpc("Worker", "PrefetchModel", worker_pb2.PrefetchModelRequest(model=ENGINE)),
    Rpc("Worker", "SleepModel", SLEEP, before=("WakeModel", worker_pb2.WakeModelRequest(model=ENGINE))),
    Rpc("Worker", "WakeModel", worker_pb2.WakeModelRequest(model=ENGINE), before=("SleepModel", SLEEP)),
    Rpc(
        "Worker",
        "ReserveReplica",
        worker_pb2.ReserveReplicaRequest(model=ENGINE, reserved=True, holder="fuzz"),
        before=("ReserveReplica", RELEASED),
    ),
    Rpc(
        "Worker",
        "LoadModel",
        worker_pb2.LoadModelRequest(model=ENGINE),
        before=("UnloadModel", worker_pb2.UnloadModelRequest(model=ENGINE)),
    ),
    Rpc(
        "Worker",
        "UnloadModel",
        worker_pb2.UnloadModelRequest(model=ENGINE),
        before=("LoadModel", worker_pb2.LoadModelRequest(model=ENGINE)),
    ),
    Rpc("Worker", "WatchSnapshots", worker_pb2.WatchSnapshotsRequest(watcher_id="fuzz"), "unary_stream"),
    Rpc("Worker", "Drain", worker_pb2.DrainRequest(), server="LeavingWorker"),
)
PROFILER = (
    Rpc("Profiler", "GetProfile", profiler_service_pb2.GetProfileRequest(model=MODEL)),
    Rpc("Profiler", "ListProfiles", profiler_service_pb2.ListProfilesRequest()),
    Rpc("Profiler", "ReportCalls", reported()),
    Rpc("Profiler", "ImportProfile", exported()),
    Rpc("Profiler", "RunProfile", profiler_service_pb2.RunProfileRequest(model=MODEL, quick=True), "unary_stream"),
)
PROVISIONER = (
    Rpc("Provisioner", "GetPlan", provisioner_service_pb2.GetPlanRequest()),
    Rpc("Provisioner", "AcquireReplica", provisioner_service_pb2.AcquireReplicaRequest(model=MODEL, holder="fuzz")),
    Rpc(
        "Provisioner",
        "ReleaseReplica",
        provisioner_service_pb2.ReleaseReplicaRequest(model=MODEL, worker_id="w2", holder="fuzz"),
        before=("AcquireReplica", provisioner_service_pb2.AcquireReplicaRequest(model=MODEL, holder="fuzz")),
    ),
)
RPCS = (*GATEWAY, *ROUTER, *WORKER, *PROFILER, *PROVISIONER)
