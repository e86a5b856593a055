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

class GetPoolsResponse(_message.Message):
    __slots__ = ("active", "epoch", "pools", "workers")
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    POOLS_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    active: bool
    epoch: int
    pools: _containers.RepeatedCompositeFieldContainer[_dispatch_pb2.PoolState]
    workers: _containers.RepeatedCompositeFieldContainer[_worker_service_pb2.WorkerSnapshot]
    def __init__(self, active: _Optional[bool] = ..., epoch: _Optional[int] = ..., pools: _Optional[_Iterable[_Union[_dispatch_pb2.PoolState, _Mapping]]] = ..., workers: _Optional[_Iterable[_Union[_worker_service_pb2.WorkerSnapshot, _Mapping]]] = ...) -> None: ...
