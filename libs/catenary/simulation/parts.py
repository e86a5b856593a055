"""The gateways, workers and profiles that a scenario names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from catenary.core.gateway.core import GatewayCore
from catenary.core.gateway.settings import GatewaySettings, ModelInfo
from catenary.core.router import RouterSettings
from catenary.model.profile import EngineProfile
from catenary.model.sizes import GIB
from catenary.simulation.engine import EngineModel
from catenary.simulation.gateway import Peers, SimGateway
from catenary.simulation.job import Job
from catenary.simulation.network import Network
from catenary.simulation.replica import SimReplica
from catenary.simulation.scenario import Scenario
from catenary.simulation.worker import Reply, SimWorker


def true_profiles(scenario: Scenario) -> dict[str, EngineProfile]:
    """How the engines behave."""
    shaping = {"lookahead", "default_output_tokens", "believed_factor", "memory_gib", "weights_gib"}
    times = {"sleep_s": scenario.sleep_s, "wake_s": scenario.wake_s}
    common = {name: value for name, value in times.items() if value is not None}
    return {
        name: EngineProfile(
            name,
            peak_bytes=round(section.memory_gib * GIB),
            weights_bytes=round(section.weights_gib * GIB),
            **section.model_dump(exclude=shaping) | common,
        )
        for name, section in scenario.models.items()
    }


def believed_profiles(scenario: Scenario, truth: Mapping[str, EngineProfile]) -> dict[str, EngineProfile]:
    """What gateways and router take the engines for."""
    return {name: replace(profile, correction=scenario.models[name].believed_factor) for name, profile in truth.items()}


def router_settings(scenario: Scenario) -> RouterSettings:
    wakes = scenario.accelerators > 0 and scenario.provisioner.policy != "static"
    return RouterSettings(**{"wakes": wakes, **scenario.router})


def make_gateways(
    scenario: Scenario, profiles: Mapping[str, EngineProfile], network: Network, peers: Peers
) -> dict[str, SimGateway]:
    models = {
        name: ModelInfo(name, default_output_tokens=section.default_output_tokens)
        for name, section in scenario.models.items()
    }
    gateways = {}
    for number in range(scenario.gateways):
        name = f"gateway-{number}"
        by_slack = scenario.router.get("ordering") != "fcfs"
        settings = GatewaySettings(**{"by_slack": by_slack, **scenario.gateway, "gateway_id": name})
        gateways[name] = SimGateway(name, GatewayCore(settings, models, profiles), network, peers)
    return gateways


def make_workers(
    scenario: Scenario,
    profiles: Mapping[str, EngineProfile],
    network: Network,
    jobs: Mapping[str, Job],
    reply: Callable[[str], Reply],
) -> dict[str, SimWorker]:
    """Shared accelerators have all models, the one that begins awake first."""
    workers = {}
    for name, first in scenario.workers():
        others = [model for model in scenario.models if model != first] if scenario.accelerators else []
        replicas = [
            SimReplica(model, profiles[model], scenario.models[model].lookahead, EngineModel(profiles[model]))
            for model in ([first] if first else []) + others
        ]
        workers[name] = SimWorker(
            name,
            replicas,
            network.heap,
            jobs,
            reply(name),
            asleep=not first,
            budget_bytes=round(scenario.accelerator_memory_gib * GIB),
            host_bytes=round(scenario.host_memory_gib * GIB),
        )
    return workers
