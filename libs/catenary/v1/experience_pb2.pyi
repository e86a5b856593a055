from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Experience(_message.Message):
    __slots__ = ("calls", "shapes", "ends", "errors")
    CALLS_FIELD_NUMBER: _ClassVar[int]
    SHAPES_FIELD_NUMBER: _ClassVar[int]
    ENDS_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    calls: _containers.RepeatedCompositeFieldContainer[CallLengths]
    shapes: _containers.RepeatedCompositeFieldContainer[CallShape]
    ends: _containers.RepeatedCompositeFieldContainer[LatestEnds]
    errors: _containers.RepeatedCompositeFieldContainer[PathError]
    def __init__(self, calls: _Optional[_Iterable[_Union[CallLengths, _Mapping]]] = ..., shapes: _Optional[_Iterable[_Union[CallShape, _Mapping]]] = ..., ends: _Optional[_Iterable[_Union[LatestEnds, _Mapping]]] = ..., errors: _Optional[_Iterable[_Union[PathError, _Mapping]]] = ...) -> None: ...

class CallLengths(_message.Message):
    __slots__ = ("workflow_version", "call", "stage", "tokens", "features")
    WORKFLOW_VERSION_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    workflow_version: str
    call: str
    stage: int
    tokens: _containers.RepeatedScalarFieldContainer[int]
    features: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, workflow_version: _Optional[str] = ..., call: _Optional[str] = ..., stage: _Optional[int] = ..., tokens: _Optional[_Iterable[int]] = ..., features: _Optional[_Iterable[float]] = ...) -> None: ...

class CallShape(_message.Message):
    __slots__ = ("workflow_version", "call", "taken", "seen", "items")
    WORKFLOW_VERSION_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    SEEN_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    workflow_version: str
    call: str
    taken: int
    seen: int
    items: float
    def __init__(self, workflow_version: _Optional[str] = ..., call: _Optional[str] = ..., taken: _Optional[int] = ..., seen: _Optional[int] = ..., items: _Optional[float] = ...) -> None: ...

class LatestEnds(_message.Message):
    __slots__ = ("tenant", "workflow", "met")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    MET_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    workflow: str
    met: _containers.RepeatedScalarFieldContainer[bool]
    def __init__(self, tenant: _Optional[str] = ..., workflow: _Optional[str] = ..., met: _Optional[_Iterable[bool]] = ...) -> None: ...

class PathError(_message.Message):
    __slots__ = ("workflow_version", "ended", "runs", "ratio")
    WORKFLOW_VERSION_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    RATIO_FIELD_NUMBER: _ClassVar[int]
    workflow_version: str
    ended: int
    runs: int
    ratio: float
    def __init__(self, workflow_version: _Optional[str] = ..., ended: _Optional[int] = ..., runs: _Optional[int] = ..., ratio: _Optional[float] = ...) -> None: ...
