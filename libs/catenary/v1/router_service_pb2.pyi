from catenary.v1 import dispatch_pb2 as _dispatch_pb2
from catenary.v1 import worker_service_pb2 as _worker_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetPoolsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WaitingCalls(_message.Message):
    __slots__ = ("model", "num_late", "num_under_1s", "num_under_5s", "num_under_30s", "num_over_30s", "num_no_deadline")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    NUM_LATE_FIELD_NUMBER: _ClassVar[int]
    NUM_UNDER_1S_FIELD_NUMBER: _ClassVar[int]
    NUM_UNDER_5S_FIELD_NUMBER: _ClassVar[int]
    NUM_UNDER_30S_FIELD_NUMBER: _ClassVar[int]
    NUM_OVER_30S_FIELD_NUMBER: _ClassVar[int]
    NUM_NO_DEADLINE_FIELD_NUMBER: _ClassVar[int]
    model: str
    num_late: int
    num_under_1s: int
    num_under_5s: int
    num_under_30s: int
    num_over_30s: int
    num_no_deadline: int
    def __init__(self, model: _Optional[str] = ..., num_late: _Optional[int] = ..., num_under_1s: _Optional[int] = ..., num_under_5s: _Optional[int] = ..., num_under_30s: _Optional[int] = ..., num_over_30s: _Optional[int] = ..., num_no_deadline: _Optional[int] = ...) -> None: ...

class GetPoolsResponse(_message.Message):
    __slots__ = ("active", "epoch", "pools", "workers", "waiting")
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    POOLS_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    active: bool
    epoch: int
    pools: _containers.RepeatedCompositeFieldContainer[_dispatch_pb2.PoolState]
    workers: _containers.RepeatedCompositeFieldContainer[_worker_service_pb2.WorkerSnapshot]
    waiting: _containers.RepeatedCompositeFieldContainer[WaitingCalls]
    def __init__(self, active: _Optional[bool] = ..., epoch: _Optional[int] = ..., pools: _Optional[_Iterable[_Union[_dispatch_pb2.PoolState, _Mapping]]] = ..., workers: _Optional[_Iterable[_Union[_worker_service_pb2.WorkerSnapshot, _Mapping]]] = ..., waiting: _Optional[_Iterable[_Union[WaitingCalls, _Mapping]]] = ...) -> None: ...
