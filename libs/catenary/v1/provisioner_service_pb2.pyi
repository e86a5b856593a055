import datetime

from catenary.v1 import worker_service_pb2 as _worker_service_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PlannedWorker(_message.Message):
    __slots__ = ("worker_id", "models", "phase", "restarts", "next_start_s", "address", "last_error", "snapshot", "pid")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_START_S_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    models: _containers.RepeatedScalarFieldContainer[str]
    phase: str
    restarts: int
    next_start_s: float
    address: str
    last_error: str
    snapshot: _worker_service_pb2.WorkerSnapshot
    pid: int
    def __init__(self, worker_id: _Optional[str] = ..., models: _Optional[_Iterable[str]] = ..., phase: _Optional[str] = ..., restarts: _Optional[int] = ..., next_start_s: _Optional[float] = ..., address: _Optional[str] = ..., last_error: _Optional[str] = ..., snapshot: _Optional[_Union[_worker_service_pb2.WorkerSnapshot, _Mapping]] = ..., pid: _Optional[int] = ...) -> None: ...

class Plan(_message.Message):
    __slots__ = ("epoch", "revision", "policy", "workers", "update_time", "reasons")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    revision: int
    policy: str
    workers: _containers.RepeatedCompositeFieldContainer[PlannedWorker]
    update_time: _timestamp_pb2.Timestamp
    reasons: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, epoch: _Optional[int] = ..., revision: _Optional[int] = ..., policy: _Optional[str] = ..., workers: _Optional[_Iterable[_Union[PlannedWorker, _Mapping]]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reasons: _Optional[_Iterable[str]] = ...) -> None: ...

class GetPlanRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetPlanResponse(_message.Message):
    __slots__ = ("plan",)
    PLAN_FIELD_NUMBER: _ClassVar[int]
    plan: Plan
    def __init__(self, plan: _Optional[_Union[Plan, _Mapping]] = ...) -> None: ...

class AcquireReplicaRequest(_message.Message):
    __slots__ = ("model", "holder", "worker_id", "may_sleep")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    MAY_SLEEP_FIELD_NUMBER: _ClassVar[int]
    model: str
    holder: str
    worker_id: str
    may_sleep: bool
    def __init__(self, model: _Optional[str] = ..., holder: _Optional[str] = ..., worker_id: _Optional[str] = ..., may_sleep: _Optional[bool] = ...) -> None: ...

class AcquireReplicaResponse(_message.Message):
    __slots__ = ("worker_id", "worker_address", "lease_s")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    WORKER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    LEASE_S_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    worker_address: str
    lease_s: float
    def __init__(self, worker_id: _Optional[str] = ..., worker_address: _Optional[str] = ..., lease_s: _Optional[float] = ...) -> None: ...

class ReleaseReplicaRequest(_message.Message):
    __slots__ = ("model", "worker_id", "holder")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    model: str
    worker_id: str
    holder: str
    def __init__(self, model: _Optional[str] = ..., worker_id: _Optional[str] = ..., holder: _Optional[str] = ...) -> None: ...

class ReleaseReplicaResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
