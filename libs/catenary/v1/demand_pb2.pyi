from catenary.v1 import dispatch_pb2 as _dispatch_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ModelShare(_message.Message):
    __slots__ = ("model", "calls", "prompt_tokens", "output_tokens", "path_s", "after_s")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PATH_S_FIELD_NUMBER: _ClassVar[int]
    AFTER_S_FIELD_NUMBER: _ClassVar[int]
    model: str
    calls: float
    prompt_tokens: float
    output_tokens: float
    path_s: float
    after_s: float
    def __init__(self, model: _Optional[str] = ..., calls: _Optional[float] = ..., prompt_tokens: _Optional[float] = ..., output_tokens: _Optional[float] = ..., path_s: _Optional[float] = ..., after_s: _Optional[float] = ...) -> None: ...

class WorkflowArrivals(_message.Message):
    __slots__ = ("workflow", "runs", "dated", "ratio", "ratio_square", "shares")
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    DATED_FIELD_NUMBER: _ClassVar[int]
    RATIO_FIELD_NUMBER: _ClassVar[int]
    RATIO_SQUARE_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    workflow: str
    runs: float
    dated: float
    ratio: float
    ratio_square: float
    shares: _containers.RepeatedCompositeFieldContainer[ModelShare]
    def __init__(self, workflow: _Optional[str] = ..., runs: _Optional[float] = ..., dated: _Optional[float] = ..., ratio: _Optional[float] = ..., ratio_square: _Optional[float] = ..., shares: _Optional[_Iterable[_Union[ModelShare, _Mapping]]] = ...) -> None: ...

class Wave(_message.Message):
    __slots__ = ("model", "ready_in_s", "calls")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    READY_IN_S_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    model: str
    ready_in_s: float
    calls: float
    def __init__(self, model: _Optional[str] = ..., ready_in_s: _Optional[float] = ..., calls: _Optional[float] = ...) -> None: ...

class Demand(_message.Message):
    __slots__ = ("gateway_id", "incarnation", "workflows", "waves", "pools")
    GATEWAY_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    WORKFLOWS_FIELD_NUMBER: _ClassVar[int]
    WAVES_FIELD_NUMBER: _ClassVar[int]
    POOLS_FIELD_NUMBER: _ClassVar[int]
    gateway_id: str
    incarnation: int
    workflows: _containers.RepeatedCompositeFieldContainer[WorkflowArrivals]
    waves: _containers.RepeatedCompositeFieldContainer[Wave]
    pools: _containers.RepeatedCompositeFieldContainer[_dispatch_pb2.PoolState]
    def __init__(self, gateway_id: _Optional[str] = ..., incarnation: _Optional[int] = ..., workflows: _Optional[_Iterable[_Union[WorkflowArrivals, _Mapping]]] = ..., waves: _Optional[_Iterable[_Union[Wave, _Mapping]]] = ..., pools: _Optional[_Iterable[_Union[_dispatch_pb2.PoolState, _Mapping]]] = ...) -> None: ...
