"""Gateways' demand between the model and the wire."""

from __future__ import annotations

from dataclasses import asdict

from catenary.model.demand import DemandReport, ModelShare, Wave, WorkflowArrivals
from catenary.runtime.wire.dispatch import pool_from_proto, pool_to_proto
from catenary.v1 import demand_pb2 as pb

_SHARE = tuple(ModelShare.__slots__)
_WORKFLOW = tuple(name for name in WorkflowArrivals.__slots__ if name != "shares")
_WAVE = tuple(Wave.__slots__)


def demand_to_proto(report: DemandReport) -> pb.Demand:
    return pb.Demand(
        gateway_id=report.gateway_id,
        incarnation=report.incarnation,
        workflows=[
            pb.WorkflowArrivals(
                shares=[pb.ModelShare(**asdict(share)) for share in entry.shares],
                **{name: getattr(entry, name) for name in _WORKFLOW},
            )
            for entry in report.workflows
        ],
        waves=[pb.Wave(**asdict(wave)) for wave in report.waves],
        pools=[pool_to_proto(pool) for pool in report.pools],
    )


def demand_from_proto(message: pb.Demand) -> DemandReport:
    return DemandReport(
        gateway_id=message.gateway_id,
        incarnation=message.incarnation,
        workflows=tuple(
            WorkflowArrivals(
                shares=tuple(ModelShare(**{name: getattr(share, name) for name in _SHARE}) for share in entry.shares),
                **{name: getattr(entry, name) for name in _WORKFLOW},
            )
            for entry in message.workflows
        ),
        waves=tuple(Wave(**{name: getattr(wave, name) for name in _WAVE}) for wave in message.waves),
        pools=tuple(pool_from_proto(pool) for pool in message.pools),
    )
