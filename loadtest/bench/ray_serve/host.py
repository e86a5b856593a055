"""Hosts the models and workflows on Ray Serve until its standard input ends; runs in Ray's own environment.

    python -m bench.ray_serve.host SPEC.json

Prints one JSON line once it is ready, and one with the replicas' states whenever they change.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import ray
from ray import serve
from ray.serve.config import AutoscalingConfig, RequestRouterConfig, gRPCOptions

from bench.ray_serve.engine import EngineReplica
from bench.ray_serve.slack import Slack
from bench.ray_serve.workflows import Workflows
from catenary.model.profile import EngineProfile

POLL_S = 0.5
FIXED_POLL_S = 5.0  # nothing changes there
MAX_ONGOING = 10_000
APPLICATION = "bench"


def model_deployment(name: str, spec: dict[str, Any]) -> Any:
    """One model: fixed replicas, or autoscaled ones. Requests are bounded by the engine's own queue."""
    options: dict[str, Any] = {
        "name": name,
        "max_ongoing_requests": MAX_ONGOING,
        "ray_actor_options": {"num_cpus": 0, "num_gpus": spec.get("gpu_shares", {}).get(name, 0)},
    }
    profile = spec["models"][name]
    if spec.get("autoscaling"):
        options["autoscaling_config"] = AutoscalingConfig(**spec["autoscaling"])
    else:
        options["num_replicas"] = spec["replicas"][name]
    if spec.get("slack"):
        options["request_router_config"] = RequestRouterConfig(
            request_router_class="bench.ray_serve.slack_router:SlackRouter",
            request_router_kwargs={"model": name, "profile": profile},
        )
    return serve.deployment(EngineReplica, **options).bind(name, profile)


def application(spec: dict[str, Any]) -> Any:
    handles = {name: model_deployment(name, spec) for name in spec["models"]}
    slack = None
    if spec.get("slack"):
        slack = Slack({name: EngineProfile(name, **profile) for name, profile in spec["models"].items()})
    options = {"name": "Workflows", "max_ongoing_requests": MAX_ONGOING, "ray_actor_options": {"num_cpus": 0}}
    return serve.deployment(Workflows, **options).bind(handles, slack)


def states(models: list[str]) -> dict[str, int]:
    """Replicas of the models by state."""
    found: dict[str, int] = {}
    for name, deployment in serve.status().applications[APPLICATION].deployments.items():
        if name in models:
            for state, count in deployment.replica_states.items():
                label = str(getattr(state, "value", state))
                found[label] = found.get(label, 0) + count
    return found


def begin(spec: dict[str, Any]) -> Any:
    """Start Ray and Serve in this process's session, and the application; returns its handle."""
    ray.init(
        address="local",
        num_cpus=spec["num_cpus"],
        num_gpus=spec.get("num_gpus", 0),
        include_dashboard=False,
        log_to_driver=False,
        _temp_dir=spec["folder"],
    )
    serve.start(
        http_options={"host": "127.0.0.1", "port": spec["http_port"]},
        grpc_options=gRPCOptions(
            port=spec["grpc_port"], grpc_servicer_functions=["bench.ray_serve.rpc.add_workflows_to_server"]
        ),
    )
    return serve.run(application(spec), name=APPLICATION, route_prefix="/")


def main() -> None:
    spec = json.loads(Path(sys.argv[1]).read_text())
    begin(spec)
    say({"ready": True, "version": ray.__version__, "states": states(list(spec["models"]))})
    ended = threading.Event()
    threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
    last: dict[str, int] = {}
    poll_s = POLL_S if spec.get("autoscaling") else FIXED_POLL_S
    while not ended.wait(poll_s):
        found = states(list(spec["models"]))
        if found != last:
            say({"states": found})
            last = found
    serve.shutdown()
    ray.shutdown()


def _wait_for_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    main()
