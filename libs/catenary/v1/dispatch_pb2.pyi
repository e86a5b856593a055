from catenary.v1 import run_pb2 as _run_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LengthEstimate(_message.Message):
    __slots__ = ("q10_tokens", "q50_tokens", "q90_tokens", "mean_tokens")
    Q10_TOKENS_FIELD_NUMBER: _ClassVar[int]
    Q50_TOKENS_FIELD_NUMBER: _ClassVar[int]
    Q90_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MEAN_TOKENS_FIELD_NUMBER: _ClassVar[int]
    q10_tokens: int
    q50_tokens: int
    q90_tokens: int
    mean_tokens: float
    def __init__(self, q10_tokens: _Optional[int] = ..., q50_tokens: _Optional[int] = ..., q90_tokens: _Optional[int] = ..., mean_tokens: _Optional[float] = ...) -> None: ...

class CallOffer(_message.Message):
    __slots__ = ("call_id", "attempt", "model", "tenant", "workflow", "priority", "prompt_tokens", "max_tokens", "output", "latest_finish_us", "deadline_us", "late", "prefix_hashes", "rest_us", "has_deadline", "ready_us", "traceparent", "over_share", "error_budget", "lost_finish_us")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    LATEST_FINISH_US_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_US_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    PREFIX_HASHES_FIELD_NUMBER: _ClassVar[int]
    REST_US_FIELD_NUMBER: _ClassVar[int]
    HAS_DEADLINE_FIELD_NUMBER: _ClassVar[int]
    READY_US_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    OVER_SHARE_FIELD_NUMBER: _ClassVar[int]
    ERROR_BUDGET_FIELD_NUMBER: _ClassVar[int]
    LOST_FINISH_US_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    attempt: int
    model: str
    tenant: str
    workflow: str
    priority: _run_pb2.PriorityClass
    prompt_tokens: int
    max_tokens: int
    output: LengthEstimate
    latest_finish_us: int
    deadline_us: int
    late: bool
    prefix_hashes: _containers.RepeatedScalarFieldContainer[int]
    rest_us: int
    has_deadline: bool
    ready_us: int
    traceparent: str
    over_share: bool
    error_budget: float
    lost_finish_us: int
    def __init__(self, call_id: _Optional[str] = ..., attempt: _Optional[int] = ..., model: _Optional[str] = ..., tenant: _Optional[str] = ..., workflow: _Optional[str] = ..., priority: _Optional[_Union[_run_pb2.PriorityClass, str]] = ..., prompt_tokens: _Optional[int] = ..., max_tokens: _Optional[int] = ..., output: _Optional[_Union[LengthEstimate, _Mapping]] = ..., latest_finish_us: _Optional[int] = ..., deadline_us: _Optional[int] = ..., late: _Optional[bool] = ..., prefix_hashes: _Optional[_Iterable[int]] = ..., rest_us: _Optional[int] = ..., has_deadline: _Optional[bool] = ..., ready_us: _Optional[int] = ..., traceparent: _Optional[str] = ..., over_share: _Optional[bool] = ..., error_budget: _Optional[float] = ..., lost_finish_us: _Optional[int] = ...) -> None: ...

class CallWithdrawal(_message.Message):
    __slots__ = ("call_id", "attempt")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    attempt: int
    def __init__(self, call_id: _Optional[str] = ..., attempt: _Optional[int] = ...) -> None: ...

class CallRelease(_message.Message):
    __slots__ = ("call_id", "attempt", "output_tokens")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    attempt: int
    output_tokens: int
    def __init__(self, call_id: _Optional[str] = ..., attempt: _Optional[int] = ..., output_tokens: _Optional[int] = ...) -> None: ...

class DispatchCallsRequest(_message.Message):
    __slots__ = ("gateway_id", "offers", "withdrawals", "releases")
    GATEWAY_ID_FIELD_NUMBER: _ClassVar[int]
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWALS_FIELD_NUMBER: _ClassVar[int]
    RELEASES_FIELD_NUMBER: _ClassVar[int]
    gateway_id: str
    offers: _containers.RepeatedCompositeFieldContainer[CallOffer]
    withdrawals: _containers.RepeatedCompositeFieldContainer[CallWithdrawal]
    releases: _containers.RepeatedCompositeFieldContainer[CallRelease]
    def __init__(self, gateway_id: _Optional[str] = ..., offers: _Optional[_Iterable[_Union[CallOffer, _Mapping]]] = ..., withdrawals: _Optional[_Iterable[_Union[CallWithdrawal, _Mapping]]] = ..., releases: _Optional[_Iterable[_Union[CallRelease, _Mapping]]] = ...) -> None: ...

class CallAssignment(_message.Message):
    __slots__ = ("call_id", "attempt", "worker_id", "worker_address", "latest_start_us", "reason")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    WORKER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    LATEST_START_US_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    attempt: int
    worker_id: str
    worker_address: str
    latest_start_us: int
    reason: str
    def __init__(self, call_id: _Optional[str] = ..., attempt: _Optional[int] = ..., worker_id: _Optional[str] = ..., worker_address: _Optional[str] = ..., latest_start_us: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class CallRejection(_message.Message):
    __slots__ = ("call_id", "attempt", "outcome", "reason")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    attempt: int
    outcome: _run_pb2.Outcome
    reason: str
    def __init__(self, call_id: _Optional[str] = ..., attempt: _Optional[int] = ..., outcome: _Optional[_Union[_run_pb2.Outcome, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class PoolState(_message.Message):
    __slots__ = ("model", "num_replicas", "num_seats", "num_running", "num_queued", "queued_work_s", "num_starting", "ready_in_s", "interference", "mean_prompt_tokens", "mean_output_tokens", "num_asleep", "num_late", "slack_s")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    NUM_REPLICAS_FIELD_NUMBER: _ClassVar[int]
    NUM_SEATS_FIELD_NUMBER: _ClassVar[int]
    NUM_RUNNING_FIELD_NUMBER: _ClassVar[int]
    NUM_QUEUED_FIELD_NUMBER: _ClassVar[int]
    QUEUED_WORK_S_FIELD_NUMBER: _ClassVar[int]
    NUM_STARTING_FIELD_NUMBER: _ClassVar[int]
    READY_IN_S_FIELD_NUMBER: _ClassVar[int]
    INTERFERENCE_FIELD_NUMBER: _ClassVar[int]
    MEAN_PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MEAN_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    NUM_ASLEEP_FIELD_NUMBER: _ClassVar[int]
    NUM_LATE_FIELD_NUMBER: _ClassVar[int]
    SLACK_S_FIELD_NUMBER: _ClassVar[int]
    model: str
    num_replicas: int
    num_seats: int
    num_running: int
    num_queued: int
    queued_work_s: float
    num_starting: int
    ready_in_s: float
    interference: float
    mean_prompt_tokens: float
    mean_output_tokens: float
    num_asleep: int
    num_late: int
    slack_s: float
    def __init__(self, model: _Optional[str] = ..., num_replicas: _Optional[int] = ..., num_seats: _Optional[int] = ..., num_running: _Optional[int] = ..., num_queued: _Optional[int] = ..., queued_work_s: _Optional[float] = ..., num_starting: _Optional[int] = ..., ready_in_s: _Optional[float] = ..., interference: _Optional[float] = ..., mean_prompt_tokens: _Optional[float] = ..., mean_output_tokens: _Optional[float] = ..., num_asleep: _Optional[int] = ..., num_late: _Optional[int] = ..., slack_s: _Optional[float] = ...) -> None: ...

class DispatchCallsResponse(_message.Message):
    __slots__ = ("epoch", "assignments", "rejections", "pools")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ASSIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    REJECTIONS_FIELD_NUMBER: _ClassVar[int]
    POOLS_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    assignments: _containers.RepeatedCompositeFieldContainer[CallAssignment]
    rejections: _containers.RepeatedCompositeFieldContainer[CallRejection]
    pools: _containers.RepeatedCompositeFieldContainer[PoolState]
    def __init__(self, epoch: _Optional[int] = ..., assignments: _Optional[_Iterable[_Union[CallAssignment, _Mapping]]] = ..., rejections: _Optional[_Iterable[_Union[CallRejection, _Mapping]]] = ..., pools: _Optional[_Iterable[_Union[PoolState, _Mapping]]] = ...) -> None: ...

class BacklogBucket(_message.Message):
    __slots__ = ("model", "latest_start_s", "num_runs", "work_s", "over_share")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    LATEST_START_S_FIELD_NUMBER: _ClassVar[int]
    NUM_RUNS_FIELD_NUMBER: _ClassVar[int]
    WORK_S_FIELD_NUMBER: _ClassVar[int]
    OVER_SHARE_FIELD_NUMBER: _ClassVar[int]
    model: str
    latest_start_s: float
    num_runs: int
    work_s: float
    over_share: bool
    def __init__(self, model: _Optional[str] = ..., latest_start_s: _Optional[float] = ..., num_runs: _Optional[int] = ..., work_s: _Optional[float] = ..., over_share: _Optional[bool] = ...) -> None: ...

class WorkflowEnds(_message.Message):
    __slots__ = ("tenant", "workflow", "ended", "missed")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    workflow: str
    ended: int
    missed: int
    def __init__(self, tenant: _Optional[str] = ..., workflow: _Optional[str] = ..., ended: _Optional[int] = ..., missed: _Optional[int] = ...) -> None: ...

class GatewayBacklog(_message.Message):
    __slots__ = ("buckets", "used_s", "ends")
    class UsedSEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    BUCKETS_FIELD_NUMBER: _ClassVar[int]
    USED_S_FIELD_NUMBER: _ClassVar[int]
    ENDS_FIELD_NUMBER: _ClassVar[int]
    buckets: _containers.RepeatedCompositeFieldContainer[BacklogBucket]
    used_s: _containers.ScalarMap[str, float]
    ends: _containers.RepeatedCompositeFieldContainer[WorkflowEnds]
    def __init__(self, buckets: _Optional[_Iterable[_Union[BacklogBucket, _Mapping]]] = ..., used_s: _Optional[_Mapping[str, float]] = ..., ends: _Optional[_Iterable[_Union[WorkflowEnds, _Mapping]]] = ...) -> None: ...
