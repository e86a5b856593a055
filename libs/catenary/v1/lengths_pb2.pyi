from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LearnedLengths(_message.Message):
    __slots__ = ("calls",)
    CALLS_FIELD_NUMBER: _ClassVar[int]
    calls: _containers.RepeatedCompositeFieldContainer[CallLengths]
    def __init__(self, calls: _Optional[_Iterable[_Union[CallLengths, _Mapping]]] = ...) -> None: ...

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
