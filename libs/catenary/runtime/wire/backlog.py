"""A gateway's backlog between the model and the wire."""

from __future__ import annotations

from catenary.model.backlog import Backlog, BacklogBucket
from catenary.v1 import dispatch_pb2

_FIELDS = tuple(BacklogBucket.__slots__)


def backlog_to_proto(backlog: Backlog) -> dispatch_pb2.GatewayBacklog:
    buckets = [
        dispatch_pb2.BacklogBucket(**{name: getattr(bucket, name) for name in _FIELDS}) for bucket in backlog.buckets
    ]
    return dispatch_pb2.GatewayBacklog(buckets=buckets, used_s=dict(backlog.used_s))


def backlog_from_proto(message: dispatch_pb2.GatewayBacklog) -> Backlog:
    buckets = (BacklogBucket(**{name: getattr(bucket, name) for name in _FIELDS}) for bucket in message.buckets)
    return Backlog(tuple(buckets), dict(message.used_s))
