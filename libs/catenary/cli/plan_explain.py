"""``catenary plan --explain``: the plan in force and why it is so."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
from google.protobuf import json_format
from rich.console import Console

from catenary.cli.failures import UsageProblem, print_json
from catenary.cli.status import TIMEOUT_S
from catenary.cli.top_view import plan_view
from catenary.client import CatenaryError
from catenary.runtime.config import ConfigError, load_config
from catenary.runtime.rpc import channel, error_info
from catenary.v1 import provisioner_service_pb2 as pb
from catenary.v1.provisioner_service_pb2_grpc import ProvisionerServiceStub


def show_plan_in_force(config_path: Path | None, json_output: bool) -> None:
    """Ask the provisioner that the configuration names.

    Raises:
        UsageProblem: the configuration cannot be used.
        CatenaryError: the provisioner does not answer or is a standby.
    """
    try:
        address = load_config(config_path).provisioner.address
    except ConfigError as error:
        raise UsageProblem(str(error)) from error
    plan = asyncio.run(_plan_at(address))
    if json_output:
        print_json(
            json_format.MessageToDict(plan, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
        )
    else:
        Console(highlight=False).print(plan_view(plan))


async def _plan_at(address: str) -> pb.Plan:
    async with channel(address) as connection:
        try:
            answer = await ProvisionerServiceStub(connection).GetPlan(pb.GetPlanRequest(), timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            refusal = CatenaryError(*error_info(error))
            if refusal.unreachable:
                refusal.message = f"no provisioner at {address}: {refusal.message}"
            raise refusal from error
    plan: pb.Plan = answer.plan
    return plan
