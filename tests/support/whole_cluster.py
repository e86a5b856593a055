"""A whole cluster on emulated engines for tests: real processes, real gRPC, a real store."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from catenary.v1 import gateway_service_pb2 as pb
from catenary.v1 import gateway_service_pb2_grpc as rpc
from catenary.v1 import run_pb2

PROFILES = {
    "fast": {"prefill_base_s": 0.001, "step_base_s": 0.002},
    "slow": {"prefill_base_s": 0.01, "step_base_s": 0.05},
}


def write_config(folder: Path, **sections: object) -> Path:
    """Models "fast" (2 ms a token) on w0 and w1, "slow" (50 ms a token) on w2."""
    models = {}
    for name, coefficients in PROFILES.items():
        profile = folder / f"{name}.json"
        fixed = {"model": name, "accelerator": "emulated", "engine": "emulated", "origin": "emulated"}
        profile.write_text(json.dumps({**fixed, "max_num_seqs": 8, **coefficients}))
        models[name] = {
            "engine": "emulated",
            "profile": str(profile),
            "max_num_seqs": 8,
            "default_output_tokens": 16,
        }
    config: dict[str, object] = {
        "models": models,
        "workers": [
            {"id": "w0", "models": ["fast"]},
            {"id": "w1", "models": ["fast"]},
            {"id": "w2", "models": ["slow"]},
        ],
        "store": {"data_dir": str(folder / "store")},
        "provisioner": {"address": "127.0.0.1:0", "backoff_s": 0.2},
        **{name: {"address": "127.0.0.1:0"} for name in ("gateway", "router", "profiler")},
        **sections,
    }
    path = folder / "catenary.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def chain(deadline_s: float = 30.0, model: str = "fast", tokens: int = 8) -> pb.SubmitWorkflowRequest:
    """Two calls, the second with the first one's text in its prompt."""
    request = pb.SubmitWorkflowRequest(stream_tokens=True)
    workflow = request.workflow
    workflow.name = "chain"
    workflow.slo.deadline.FromMilliseconds(round(deadline_s * 1000))
    for name, prompt in (("first", "say something"), ("second", "repeat {{ first.text }}")):
        call = workflow.calls.add(name=name)
        call.model.model = model
        call.model.prompt = prompt
        call.model.sampling.max_tokens = tokens
        call.model.sampling.ignore_eos = True
    workflow.output = "{{ second.text }}"
    return request


async def events_of(stub: rpc.GatewayServiceStub, request: pb.SubmitWorkflowRequest) -> list[run_pb2.RunEvent]:
    return [event async for response in stub.SubmitWorkflow(request) for event in response.events]


def kinds(events: list[run_pb2.RunEvent]) -> list[str]:
    return [str(event.WhichOneof("event")) for event in events]
