from catenary.v1 import workflow_pb2 as _workflow_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReplicaState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REPLICA_STATE_UNSPECIFIED: _ClassVar[ReplicaState]
    REPLICA_STATE_LOADING: _ClassVar[ReplicaState]
    REPLICA_STATE_AWAKE: _ClassVar[ReplicaState]
    REPLICA_STATE_DRAINING: _ClassVar[ReplicaState]
    REPLICA_STATE_ASLEEP: _ClassVar[ReplicaState]
    REPLICA_STATE_DEAD: _ClassVar[ReplicaState]

class FinishReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FINISH_REASON_UNSPECIFIED: _ClassVar[FinishReason]
    FINISH_REASON_STOP: _ClassVar[FinishReason]
    FINISH_REASON_LENGTH: _ClassVar[FinishReason]
    FINISH_REASON_ABORTED: _ClassVar[FinishReason]
    FINISH_REASON_ERROR: _ClassVar[FinishReason]
    FINISH_REASON_REPLICA_DRAINING: _ClassVar[FinishReason]
    FINISH_REASON_STALE_EPOCH: _ClassVar[FinishReason]
    FINISH_REASON_INVALID: _ClassVar[FinishReason]
    FINISH_REASON_OVERLOADED: _ClassVar[FinishReason]

class SleepMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SLEEP_MODE_UNSPECIFIED: _ClassVar[SleepMode]
    SLEEP_MODE_DRAIN: _ClassVar[SleepMode]
    SLEEP_MODE_FREEZE: _ClassVar[SleepMode]
    SLEEP_MODE_REPLAY: _ClassVar[SleepMode]
REPLICA_STATE_UNSPECIFIED: ReplicaState
REPLICA_STATE_LOADING: ReplicaState
REPLICA_STATE_AWAKE: ReplicaState
REPLICA_STATE_DRAINING: ReplicaState
REPLICA_STATE_ASLEEP: ReplicaState
REPLICA_STATE_DEAD: ReplicaState
FINISH_REASON_UNSPECIFIED: FinishReason
FINISH_REASON_STOP: FinishReason
FINISH_REASON_LENGTH: FinishReason
FINISH_REASON_ABORTED: FinishReason
FINISH_REASON_ERROR: FinishReason
FINISH_REASON_REPLICA_DRAINING: FinishReason
FINISH_REASON_STALE_EPOCH: FinishReason
FINISH_REASON_INVALID: FinishReason
FINISH_REASON_OVERLOADED: FinishReason
SLEEP_MODE_UNSPECIFIED: SleepMode
SLEEP_MODE_DRAIN: SleepMode
SLEEP_MODE_FREEZE: SleepMode
SLEEP_MODE_REPLAY: SleepMode

class StartCall(_message.Message):
    __slots__ = ("call_id", "attempt", "run_epoch", "router_epoch", "model", "prompt_token_ids", "sampling", "latest_start_us", "offset", "traceparent", "lost_after_us")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    RUN_EPOCH_FIELD_NUMBER: _ClassVar[int]
    ROUTER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    LATEST_START_US_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    LOST_AFTER_US_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    attempt: int
    run_epoch: int
    router_epoch: int
    model: str
    prompt_token_ids: _containers.RepeatedScalarFieldContainer[int]
    sampling: _workflow_pb2.SamplingParams
    latest_start_us: int
    offset: int
    traceparent: str
    lost_after_us: int
    def __init__(self, call_id: _Optional[str] = ..., attempt: _Optional[int] = ..., run_epoch: _Optional[int] = ..., router_epoch: _Optional[int] = ..., model: _Optional[str] = ..., prompt_token_ids: _Optional[_Iterable[int]] = ..., sampling: _Optional[_Union[_workflow_pb2.SamplingParams, _Mapping]] = ..., latest_start_us: _Optional[int] = ..., offset: _Optional[int] = ..., traceparent: _Optional[str] = ..., lost_after_us: _Optional[int] = ...) -> None: ...

class AbortCall(_message.Message):
    __slots__ = ("call_id", "attempt", "run_epoch")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    RUN_EPOCH_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    attempt: int
    run_epoch: int
    def __init__(self, call_id: _Optional[str] = ..., attempt: _Optional[int] = ..., run_epoch: _Optional[int] = ...) -> None: ...

class GenerateRequest(_message.Message):
    __slots__ = ("gateway_id", "starts", "aborts")
    GATEWAY_ID_FIELD_NUMBER: _ClassVar[int]
    STARTS_FIELD_NUMBER: _ClassVar[int]
    ABORTS_FIELD_NUMBER: _ClassVar[int]
    gateway_id: str
    starts: _containers.RepeatedCompositeFieldContainer[StartCall]
    aborts: _containers.RepeatedCompositeFieldContainer[AbortCall]
    def __init__(self, gateway_id: _Optional[str] = ..., starts: _Optional[_Iterable[_Union[StartCall, _Mapping]]] = ..., aborts: _Optional[_Iterable[_Union[AbortCall, _Mapping]]] = ...) -> None: ...

class CallDelta(_message.Message):
    __slots__ = ("call_id", "attempt", "offset", "token_ids", "text")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    attempt: int
    offset: int
    token_ids: _containers.RepeatedScalarFieldContainer[int]
    text: str
    def __init__(self, call_id: _Optional[str] = ..., attempt: _Optional[int] = ..., offset: _Optional[int] = ..., token_ids: _Optional[_Iterable[int]] = ..., text: _Optional[str] = ...) -> None: ...

class CallEnd(_message.Message):
    __slots__ = ("call_id", "attempt", "finish_reason", "error", "queue_us", "ttft_us", "duration_us", "prompt_tokens", "cached_tokens", "output_tokens", "mean_batch")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    QUEUE_US_FIELD_NUMBER: _ClassVar[int]
    TTFT_US_FIELD_NUMBER: _ClassVar[int]
    DURATION_US_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MEAN_BATCH_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    attempt: int
    finish_reason: FinishReason
    error: str
    queue_us: int
    ttft_us: int
    duration_us: int
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    mean_batch: float
    def __init__(self, call_id: _Optional[str] = ..., attempt: _Optional[int] = ..., finish_reason: _Optional[_Union[FinishReason, str]] = ..., error: _Optional[str] = ..., queue_us: _Optional[int] = ..., ttft_us: _Optional[int] = ..., duration_us: _Optional[int] = ..., prompt_tokens: _Optional[int] = ..., cached_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., mean_batch: _Optional[float] = ...) -> None: ...

class GenerateResponse(_message.Message):
    __slots__ = ("deltas", "ends")
    DELTAS_FIELD_NUMBER: _ClassVar[int]
    ENDS_FIELD_NUMBER: _ClassVar[int]
    deltas: _containers.RepeatedCompositeFieldContainer[CallDelta]
    ends: _containers.RepeatedCompositeFieldContainer[CallEnd]
    def __init__(self, deltas: _Optional[_Iterable[_Union[CallDelta, _Mapping]]] = ..., ends: _Optional[_Iterable[_Union[CallEnd, _Mapping]]] = ...) -> None: ...

class ResidentCall(_message.Message):
    __slots__ = ("call_id", "attempt", "router_epoch", "output_tokens", "running", "prompt_tokens")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ROUTER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    attempt: int
    router_epoch: int
    output_tokens: int
    running: bool
    prompt_tokens: int
    def __init__(self, call_id: _Optional[str] = ..., attempt: _Optional[int] = ..., router_epoch: _Optional[int] = ..., output_tokens: _Optional[int] = ..., running: _Optional[bool] = ..., prompt_tokens: _Optional[int] = ...) -> None: ...

class ReplicaSnapshot(_message.Message):
    __slots__ = ("model", "state", "generation", "max_num_seqs", "lookahead", "num_running", "num_waiting", "kv_cache_usage", "calls", "reserved", "error", "start_s", "max_model_len", "prefix_cache_hit_rate", "weights_bytes", "kv_capacity_tokens", "engine", "load_progress", "memory_bytes", "ready_in_s", "awake_bytes", "sleep_level", "weights_cold")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    MAX_NUM_SEQS_FIELD_NUMBER: _ClassVar[int]
    LOOKAHEAD_FIELD_NUMBER: _ClassVar[int]
    NUM_RUNNING_FIELD_NUMBER: _ClassVar[int]
    NUM_WAITING_FIELD_NUMBER: _ClassVar[int]
    KV_CACHE_USAGE_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    RESERVED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    START_S_FIELD_NUMBER: _ClassVar[int]
    MAX_MODEL_LEN_FIELD_NUMBER: _ClassVar[int]
    PREFIX_CACHE_HIT_RATE_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_BYTES_FIELD_NUMBER: _ClassVar[int]
    KV_CAPACITY_TOKENS_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    LOAD_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    READY_IN_S_FIELD_NUMBER: _ClassVar[int]
    AWAKE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SLEEP_LEVEL_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_COLD_FIELD_NUMBER: _ClassVar[int]
    model: str
    state: ReplicaState
    generation: int
    max_num_seqs: int
    lookahead: int
    num_running: int
    num_waiting: int
    kv_cache_usage: float
    calls: _containers.RepeatedCompositeFieldContainer[ResidentCall]
    reserved: bool
    error: str
    start_s: float
    max_model_len: int
    prefix_cache_hit_rate: float
    weights_bytes: int
    kv_capacity_tokens: int
    engine: str
    load_progress: float
    memory_bytes: int
    ready_in_s: float
    awake_bytes: int
    sleep_level: int
    weights_cold: bool
    def __init__(self, model: _Optional[str] = ..., state: _Optional[_Union[ReplicaState, str]] = ..., generation: _Optional[int] = ..., max_num_seqs: _Optional[int] = ..., lookahead: _Optional[int] = ..., num_running: _Optional[int] = ..., num_waiting: _Optional[int] = ..., kv_cache_usage: _Optional[float] = ..., calls: _Optional[_Iterable[_Union[ResidentCall, _Mapping]]] = ..., reserved: _Optional[bool] = ..., error: _Optional[str] = ..., start_s: _Optional[float] = ..., max_model_len: _Optional[int] = ..., prefix_cache_hit_rate: _Optional[float] = ..., weights_bytes: _Optional[int] = ..., kv_capacity_tokens: _Optional[int] = ..., engine: _Optional[str] = ..., load_progress: _Optional[float] = ..., memory_bytes: _Optional[int] = ..., ready_in_s: _Optional[float] = ..., awake_bytes: _Optional[int] = ..., sleep_level: _Optional[int] = ..., weights_cold: _Optional[bool] = ...) -> None: ...

class WorkerSnapshot(_message.Message):
    __slots__ = ("worker_id", "address", "incarnation", "accelerator", "replicas", "draining", "memory_total_bytes", "memory_free_bytes", "num_accelerators", "sequence", "memory_budget_bytes", "host_budget_bytes")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    ACCELERATOR_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    MEMORY_TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    NUM_ACCELERATORS_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BUDGET_BYTES_FIELD_NUMBER: _ClassVar[int]
    HOST_BUDGET_BYTES_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    address: str
    incarnation: int
    accelerator: str
    replicas: _containers.RepeatedCompositeFieldContainer[ReplicaSnapshot]
    draining: bool
    memory_total_bytes: int
    memory_free_bytes: int
    num_accelerators: int
    sequence: int
    memory_budget_bytes: int
    host_budget_bytes: int
    def __init__(self, worker_id: _Optional[str] = ..., address: _Optional[str] = ..., incarnation: _Optional[int] = ..., accelerator: _Optional[str] = ..., replicas: _Optional[_Iterable[_Union[ReplicaSnapshot, _Mapping]]] = ..., draining: _Optional[bool] = ..., memory_total_bytes: _Optional[int] = ..., memory_free_bytes: _Optional[int] = ..., num_accelerators: _Optional[int] = ..., sequence: _Optional[int] = ..., memory_budget_bytes: _Optional[int] = ..., host_budget_bytes: _Optional[int] = ...) -> None: ...

class WatchSnapshotsRequest(_message.Message):
    __slots__ = ("watcher_id", "router_epoch")
    WATCHER_ID_FIELD_NUMBER: _ClassVar[int]
    ROUTER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    watcher_id: str
    router_epoch: int
    def __init__(self, watcher_id: _Optional[str] = ..., router_epoch: _Optional[int] = ...) -> None: ...

class WatchSnapshotsResponse(_message.Message):
    __slots__ = ("snapshot",)
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    snapshot: WorkerSnapshot
    def __init__(self, snapshot: _Optional[_Union[WorkerSnapshot, _Mapping]] = ...) -> None: ...

class LoadModelRequest(_message.Message):
    __slots__ = ("model", "expected_generation")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_GENERATION_FIELD_NUMBER: _ClassVar[int]
    model: str
    expected_generation: int
    def __init__(self, model: _Optional[str] = ..., expected_generation: _Optional[int] = ...) -> None: ...

class LoadModelResponse(_message.Message):
    __slots__ = ("replica",)
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    replica: ReplicaSnapshot
    def __init__(self, replica: _Optional[_Union[ReplicaSnapshot, _Mapping]] = ...) -> None: ...

class PrefetchModelRequest(_message.Message):
    __slots__ = ("model", "cold")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    COLD_FIELD_NUMBER: _ClassVar[int]
    model: str
    cold: bool
    def __init__(self, model: _Optional[str] = ..., cold: _Optional[bool] = ...) -> None: ...

class PrefetchModelResponse(_message.Message):
    __slots__ = ("bytes", "duration_s")
    BYTES_FIELD_NUMBER: _ClassVar[int]
    DURATION_S_FIELD_NUMBER: _ClassVar[int]
    bytes: int
    duration_s: float
    def __init__(self, bytes: _Optional[int] = ..., duration_s: _Optional[float] = ...) -> None: ...

class SleepModelRequest(_message.Message):
    __slots__ = ("model", "expected_generation", "level", "mode")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_GENERATION_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    model: str
    expected_generation: int
    level: int
    mode: SleepMode
    def __init__(self, model: _Optional[str] = ..., expected_generation: _Optional[int] = ..., level: _Optional[int] = ..., mode: _Optional[_Union[SleepMode, str]] = ...) -> None: ...

class SleepModelResponse(_message.Message):
    __slots__ = ("replica",)
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    replica: ReplicaSnapshot
    def __init__(self, replica: _Optional[_Union[ReplicaSnapshot, _Mapping]] = ...) -> None: ...

class WakeModelRequest(_message.Message):
    __slots__ = ("model", "expected_generation")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_GENERATION_FIELD_NUMBER: _ClassVar[int]
    model: str
    expected_generation: int
    def __init__(self, model: _Optional[str] = ..., expected_generation: _Optional[int] = ...) -> None: ...

class WakeModelResponse(_message.Message):
    __slots__ = ("replica",)
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    replica: ReplicaSnapshot
    def __init__(self, replica: _Optional[_Union[ReplicaSnapshot, _Mapping]] = ...) -> None: ...

class UnloadModelRequest(_message.Message):
    __slots__ = ("model", "expected_generation")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_GENERATION_FIELD_NUMBER: _ClassVar[int]
    model: str
    expected_generation: int
    def __init__(self, model: _Optional[str] = ..., expected_generation: _Optional[int] = ...) -> None: ...

class UnloadModelResponse(_message.Message):
    __slots__ = ("replica",)
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    replica: ReplicaSnapshot
    def __init__(self, replica: _Optional[_Union[ReplicaSnapshot, _Mapping]] = ...) -> None: ...

class DrainRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DrainResponse(_message.Message):
    __slots__ = ("num_calls",)
    NUM_CALLS_FIELD_NUMBER: _ClassVar[int]
    num_calls: int
    def __init__(self, num_calls: _Optional[int] = ...) -> None: ...

class ReserveReplicaRequest(_message.Message):
    __slots__ = ("model", "reserved", "holder")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RESERVED_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    model: str
    reserved: bool
    holder: str
    def __init__(self, model: _Optional[str] = ..., reserved: _Optional[bool] = ..., holder: _Optional[str] = ...) -> None: ...

class ReserveReplicaResponse(_message.Message):
    __slots__ = ("replica",)
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    replica: ReplicaSnapshot
    def __init__(self, replica: _Optional[_Union[ReplicaSnapshot, _Mapping]] = ...) -> None: ...
