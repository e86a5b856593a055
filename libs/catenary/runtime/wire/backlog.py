"""A gateway's backlog between the model and the wire."""

from __future__ import annotations

from catenary.model.backlog import Backlog, BacklogBucket, WorkflowEnds
from catenary.v1 import dispatch_pb2

_FIELDS = tuple(BacklogBucket.__slots__)


def backlog_to_proto(backlog: Backlog) -> dispatch_pb2.GatewayBacklog:
    buckets = [
        dispatch_pb2.BacklogBucket(**{name: getattr(bucket, name) for name in _FIELDS}) for bucket in backlog.buckets
    ]
    ends = [
        dispatch_pb2.WorkflowEnds(tenant=end.tenant, workflow=end.workflow, ended=end.ended, missed=end.missed)
        for end in backlog.ends
    ]
    return dispatch_pb2.GatewayBacklog(buckets=buckets, used_s=dict(backlog.used_s), ends=ends)


def backlog_from_proto(message: dispatch_pb2.GatewayBacklog) -> Backlog:
    buckets = (BacklogBucket(**{name: getattr(bucket, name) for name in _FIELDS}) for bucket in message.buckets)
    ends = (WorkflowEnds(end.tenant, end.workflow, end.ended, end.missed) for end in message.ends)
    return Backlog(tuple(buckets), dict(message.used_s), tuple(ends))
