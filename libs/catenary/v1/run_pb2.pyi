import datetime

from catenary.v1 import workflow_pb2 as _workflow_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_SUCCEEDED: _ClassVar[Outcome]
    OUTCOME_REJECTED_INFEASIBLE: _ClassVar[Outcome]
    OUTCOME_REJECTED_CAPACITY: _ClassVar[Outcome]
    OUTCOME_NO_WORKERS: _ClassVar[Outcome]
    OUTCOME_EXPIRED: _ClassVar[Outcome]
    OUTCOME_CANCELLED: _ClassVar[Outcome]
    OUTCOME_FAILED: _ClassVar[Outcome]
    OUTCOME_SKIPPED: _ClassVar[Outcome]

class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATE_UNSPECIFIED: _ClassVar[State]
    STATE_PENDING: _ClassVar[State]
    STATE_QUEUED: _ClassVar[State]
    STATE_RUNNING: _ClassVar[State]
    STATE_FINISHED: _ClassVar[State]

class PriorityClass(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRIORITY_CLASS_UNSPECIFIED: _ClassVar[PriorityClass]
    PRIORITY_CLASS_STANDARD: _ClassVar[PriorityClass]
    PRIORITY_CLASS_CRITICAL: _ClassVar[PriorityClass]
    PRIORITY_CLASS_BATCH: _ClassVar[PriorityClass]
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_SUCCEEDED: Outcome
OUTCOME_REJECTED_INFEASIBLE: Outcome
OUTCOME_REJECTED_CAPACITY: Outcome
OUTCOME_NO_WORKERS: Outcome
OUTCOME_EXPIRED: Outcome
OUTCOME_CANCELLED: Outcome
OUTCOME_FAILED: Outcome
OUTCOME_SKIPPED: Outcome
STATE_UNSPECIFIED: State
STATE_PENDING: State
STATE_QUEUED: State
STATE_RUNNING: State
STATE_FINISHED: State
PRIORITY_CLASS_UNSPECIFIED: PriorityClass
PRIORITY_CLASS_STANDARD: PriorityClass
PRIORITY_CLASS_CRITICAL: PriorityClass
PRIORITY_CLASS_BATCH: PriorityClass

class CallRecord(_message.Message):
    __slots__ = ("name", "index", "model", "worker", "state", "outcome", "queue_s", "ttft_s", "duration_s", "slack_before_s", "slack_after_s", "prompt_tokens", "cached_tokens", "output_tokens", "attempts", "finish_reason", "text", "error", "start_s", "predicted_s")
    NAME_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    QUEUE_S_FIELD_NUMBER: _ClassVar[int]
    TTFT_S_FIELD_NUMBER: _ClassVar[int]
    DURATION_S_FIELD_NUMBER: _ClassVar[int]
    SLACK_BEFORE_S_FIELD_NUMBER: _ClassVar[int]
    SLACK_AFTER_S_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    START_S_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_S_FIELD_NUMBER: _ClassVar[int]
    name: str
    index: int
    model: str
    worker: str
    state: State
    outcome: Outcome
    queue_s: float
    ttft_s: float
    duration_s: float
    slack_before_s: float
    slack_after_s: float
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    attempts: int
    finish_reason: str
    text: str
    error: str
    start_s: float
    predicted_s: float
    def __init__(self, name: _Optional[str] = ..., index: _Optional[int] = ..., model: _Optional[str] = ..., worker: _Optional[str] = ..., state: _Optional[_Union[State, str]] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., queue_s: _Optional[float] = ..., ttft_s: _Optional[float] = ..., duration_s: _Optional[float] = ..., slack_before_s: _Optional[float] = ..., slack_after_s: _Optional[float] = ..., prompt_tokens: _Optional[int] = ..., cached_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., attempts: _Optional[int] = ..., finish_reason: _Optional[str] = ..., text: _Optional[str] = ..., error: _Optional[str] = ..., start_s: _Optional[float] = ..., predicted_s: _Optional[float] = ...) -> None: ...

class Run(_message.Message):
    __slots__ = ("run_id", "workflow", "workflow_version", "state", "outcome", "reason", "met", "deadline_s", "e2e_s", "predicted_s", "tenant", "priority", "submit_time", "output", "calls", "trace_id", "owner", "epoch", "on_miss", "attainment")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MET_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_S_FIELD_NUMBER: _ClassVar[int]
    E2E_S_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_S_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    SUBMIT_TIME_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ON_MISS_FIELD_NUMBER: _ClassVar[int]
    ATTAINMENT_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    workflow: str
    workflow_version: str
    state: State
    outcome: Outcome
    reason: str
    met: bool
    deadline_s: float
    e2e_s: float
    predicted_s: float
    tenant: str
    priority: PriorityClass
    submit_time: _timestamp_pb2.Timestamp
    output: _struct_pb2.Value
    calls: _containers.RepeatedCompositeFieldContainer[CallRecord]
    trace_id: str
    owner: str
    epoch: int
    on_miss: _workflow_pb2.OnMiss
    attainment: float
    def __init__(self, run_id: _Optional[str] = ..., workflow: _Optional[str] = ..., workflow_version: _Optional[str] = ..., state: _Optional[_Union[State, str]] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., reason: _Optional[str] = ..., met: _Optional[bool] = ..., deadline_s: _Optional[float] = ..., e2e_s: _Optional[float] = ..., predicted_s: _Optional[float] = ..., tenant: _Optional[str] = ..., priority: _Optional[_Union[PriorityClass, str]] = ..., submit_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., output: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., calls: _Optional[_Iterable[_Union[CallRecord, _Mapping]]] = ..., trace_id: _Optional[str] = ..., owner: _Optional[str] = ..., epoch: _Optional[int] = ..., on_miss: _Optional[_Union[_workflow_pb2.OnMiss, str]] = ..., attainment: _Optional[float] = ...) -> None: ...

class Quote(_message.Message):
    __slots__ = ("deadline_s", "probability")
    DEADLINE_S_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    deadline_s: float
    probability: float
    def __init__(self, deadline_s: _Optional[float] = ..., probability: _Optional[float] = ...) -> None: ...

class RunAdmitted(_message.Message):
    __slots__ = ("deadline_s", "predicted_s", "probability", "slack_s", "workflow_version")
    DEADLINE_S_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_S_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    SLACK_S_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_VERSION_FIELD_NUMBER: _ClassVar[int]
    deadline_s: float
    predicted_s: float
    probability: float
    slack_s: float
    workflow_version: str
    def __init__(self, deadline_s: _Optional[float] = ..., predicted_s: _Optional[float] = ..., probability: _Optional[float] = ..., slack_s: _Optional[float] = ..., workflow_version: _Optional[str] = ...) -> None: ...

class RunRefused(_message.Message):
    __slots__ = ("outcome", "reason", "quote")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    QUOTE_FIELD_NUMBER: _ClassVar[int]
    outcome: Outcome
    reason: str
    quote: Quote
    def __init__(self, outcome: _Optional[_Union[Outcome, str]] = ..., reason: _Optional[str] = ..., quote: _Optional[_Union[Quote, _Mapping]] = ...) -> None: ...

class CallStarted(_message.Message):
    __slots__ = ("name", "index", "attempt", "worker", "model", "prompt_tokens", "slack_s")
    NAME_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    SLACK_S_FIELD_NUMBER: _ClassVar[int]
    name: str
    index: int
    attempt: int
    worker: str
    model: str
    prompt_tokens: int
    slack_s: float
    def __init__(self, name: _Optional[str] = ..., index: _Optional[int] = ..., attempt: _Optional[int] = ..., worker: _Optional[str] = ..., model: _Optional[str] = ..., prompt_tokens: _Optional[int] = ..., slack_s: _Optional[float] = ...) -> None: ...

class CallTokens(_message.Message):
    __slots__ = ("name", "index", "attempt", "offset", "num_tokens", "text")
    NAME_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    NUM_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    name: str
    index: int
    attempt: int
    offset: int
    num_tokens: int
    text: str
    def __init__(self, name: _Optional[str] = ..., index: _Optional[int] = ..., attempt: _Optional[int] = ..., offset: _Optional[int] = ..., num_tokens: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...

class CallRestarted(_message.Message):
    __slots__ = ("name", "index", "attempt", "reason")
    NAME_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    name: str
    index: int
    attempt: int
    reason: str
    def __init__(self, name: _Optional[str] = ..., index: _Optional[int] = ..., attempt: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class CallFinished(_message.Message):
    __slots__ = ("call",)
    CALL_FIELD_NUMBER: _ClassVar[int]
    call: CallRecord
    def __init__(self, call: _Optional[_Union[CallRecord, _Mapping]] = ...) -> None: ...

class RunFinished(_message.Message):
    __slots__ = ("outcome", "met", "e2e_s", "output", "reason")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    MET_FIELD_NUMBER: _ClassVar[int]
    E2E_S_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    outcome: Outcome
    met: bool
    e2e_s: float
    output: _struct_pb2.Value
    reason: str
    def __init__(self, outcome: _Optional[_Union[Outcome, str]] = ..., met: _Optional[bool] = ..., e2e_s: _Optional[float] = ..., output: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...

class RunEvent(_message.Message):
    __slots__ = ("sequence", "run_id", "event_time", "run_admitted", "run_refused", "call_started", "call_tokens", "call_restarted", "call_finished", "run_finished")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    RUN_ADMITTED_FIELD_NUMBER: _ClassVar[int]
    RUN_REFUSED_FIELD_NUMBER: _ClassVar[int]
    CALL_STARTED_FIELD_NUMBER: _ClassVar[int]
    CALL_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CALL_RESTARTED_FIELD_NUMBER: _ClassVar[int]
    CALL_FINISHED_FIELD_NUMBER: _ClassVar[int]
    RUN_FINISHED_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    run_id: str
    event_time: _timestamp_pb2.Timestamp
    run_admitted: RunAdmitted
    run_refused: RunRefused
    call_started: CallStarted
    call_tokens: CallTokens
    call_restarted: CallRestarted
    call_finished: CallFinished
    run_finished: RunFinished
    def __init__(self, sequence: _Optional[int] = ..., run_id: _Optional[str] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., run_admitted: _Optional[_Union[RunAdmitted, _Mapping]] = ..., run_refused: _Optional[_Union[RunRefused, _Mapping]] = ..., call_started: _Optional[_Union[CallStarted, _Mapping]] = ..., call_tokens: _Optional[_Union[CallTokens, _Mapping]] = ..., call_restarted: _Optional[_Union[CallRestarted, _Mapping]] = ..., call_finished: _Optional[_Union[CallFinished, _Mapping]] = ..., run_finished: _Optional[_Union[RunFinished, _Mapping]] = ...) -> None: ...
