"""``catenary status``: which services answer, what the workers hold, and how long the queues are."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import grpc
import typer
from google.protobuf import json_format
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rich.console import Console

from catenary.cli.configuration import ConfigOption, configured
from catenary.cli.failures import Exit, print_json, reporting
from catenary.cli.options import DEFAULT_ADDRESS, AddressOption, JsonOption, addresses_of
from catenary.cli.status_view import status_view
from catenary.runtime.config import Config
from catenary.runtime.rpc import channel, error_info
from catenary.v1 import gateway_service_pb2, provisioner_service_pb2, router_service_pb2
from catenary.v1.gateway_service_pb2_grpc import GatewayServiceStub
from catenary.v1.provisioner_service_pb2_grpc import ProvisionerServiceStub
from catenary.v1.router_service_pb2_grpc import RouterServiceStub

TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """``state`` is "serving", "not serving" or "unreachable"; ``problem`` says why."""

    name: str
    address: str
    state: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    services: tuple[ServiceStatus, ...]
    models: gateway_service_pb2.ListModelsResponse | None
    pools: router_service_pb2.GetPoolsResponse | None
    plan: provisioner_service_pb2.Plan | None

    @property
    def gateway_answers(self) -> bool:
        return any(service.name == "gateway" and service.state != "unreachable" for service in self.services)


def status_command(
    config: ConfigOption = None, json_output: JsonOption = False, address: AddressOption = DEFAULT_ADDRESS
) -> None:
    """Show services, workers and queues. Exits with 3 where no gateway answers."""
    with reporting(json_output):
        found = asyncio.run(cluster_status(configured(config), addresses_of(address)))
    if json_output:
        print_json(status_shape(found))
    else:
        Console(highlight=False).print(status_view(found))
    if not found.gateway_answers:
        raise typer.Exit(Exit.UNREACHABLE)


async def cluster_status(config: Config, gateways: list[str]) -> ClusterStatus:
    """Asks every service once; what does not answer within TIMEOUT_S is left out."""
    others = {name: getattr(config, name).address for name in ("router", "profiler", "provisioner")}
    checks = [_check("gateway", address) for address in gateways]
    checks += [_check(name, address) for name, address in others.items()]
    services = await asyncio.gather(*checks)
    answering = [s.address for s in services if s.name == "gateway" and s.state != "unreachable"]
    models, pools, plan = await asyncio.gather(
        _ask(
            answering[0] if answering else "", GatewayServiceStub, "ListModels", gateway_service_pb2.ListModelsRequest()
        ),
        _ask(others["router"], RouterServiceStub, "GetPools", router_service_pb2.GetPoolsRequest()),
        _ask(others["provisioner"], ProvisionerServiceStub, "GetPlan", provisioner_service_pb2.GetPlanRequest()),
    )
    return ClusterStatus(tuple(services), models, pools, plan.plan if plan is not None else None)


async def _check(name: str, address: str) -> ServiceStatus:
    async with channel(address) as connection:
        try:
            request = health_pb2.HealthCheckRequest()
            answer = await health_pb2_grpc.HealthStub(connection).Check(request, timeout=TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            return ServiceStatus(name, address, "unreachable", error_info(error).message)
    serving = answer.status == health_pb2.HealthCheckResponse.SERVING
    return ServiceStatus(name, address, "serving" if serving else "not serving")


async def _ask(address: str, stub: Any, method: str, request: Any) -> Any:
    """None where nothing answers at ``address``."""
    if not address:
        return None
    async with channel(address) as connection:
        try:
            return await getattr(stub(connection), method)(request, timeout=TIMEOUT_S)
        except grpc.aio.AioRpcError:
            return None


def status_shape(status: ClusterStatus) -> dict[str, Any]:
    return {
        "services": [
            {"name": s.name, "address": s.address, "state": s.state, "problem": s.problem} for s in status.services
        ],
        "models": _plain(status.models).get("models", []),
        "pools": _plain(status.pools).get("pools", []),
        "waiting": _plain(status.pools).get("waiting", []),
        "workers": _plain(status.plan).get("workers", []),
    }


def _plain(message: Any) -> dict[str, Any]:
    if message is None:
        return {}
    plain: dict[str, Any] = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return plain
