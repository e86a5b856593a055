import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ProfilePoint(_message.Message):
    __slots__ = ("kind", "prompt_tokens", "output_tokens", "batch", "measured_s", "fitted_s", "repeats", "context_tokens", "steps")
    KIND_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    MEASURED_S_FIELD_NUMBER: _ClassVar[int]
    FITTED_S_FIELD_NUMBER: _ClassVar[int]
    REPEATS_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    prompt_tokens: int
    output_tokens: int
    batch: int
    measured_s: float
    fitted_s: float
    repeats: int
    context_tokens: float
    steps: int
    def __init__(self, kind: _Optional[str] = ..., prompt_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., batch: _Optional[int] = ..., measured_s: _Optional[float] = ..., fitted_s: _Optional[float] = ..., repeats: _Optional[int] = ..., context_tokens: _Optional[float] = ..., steps: _Optional[int] = ...) -> None: ...

class PrefillCost(_message.Message):
    __slots__ = ("tokens", "seconds")
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    tokens: float
    seconds: float
    def __init__(self, tokens: _Optional[float] = ..., seconds: _Optional[float] = ...) -> None: ...

class Profile(_message.Message):
    __slots__ = ("model", "accelerator", "engine", "settings_digest", "version", "measure_time", "prefill_base_s", "prefill_token_s", "prefill_token2_s", "step_base_s", "step_seq_s", "step_context_s", "max_num_seqs", "kv_capacity_tokens", "kv_bytes_per_token", "weights_bytes", "peak_bytes", "start_s", "sleep_s", "wake_s", "points", "residual_median", "residual_p95", "correction", "origin", "first_sleep_s", "max_model_len", "overhead_s", "submit_s", "prefill_curve", "online_error", "online_calls", "sharing_loss", "reload_s", "prefetch_s")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ACCELERATOR_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MEASURE_TIME_FIELD_NUMBER: _ClassVar[int]
    PREFILL_BASE_S_FIELD_NUMBER: _ClassVar[int]
    PREFILL_TOKEN_S_FIELD_NUMBER: _ClassVar[int]
    PREFILL_TOKEN2_S_FIELD_NUMBER: _ClassVar[int]
    STEP_BASE_S_FIELD_NUMBER: _ClassVar[int]
    STEP_SEQ_S_FIELD_NUMBER: _ClassVar[int]
    STEP_CONTEXT_S_FIELD_NUMBER: _ClassVar[int]
    MAX_NUM_SEQS_FIELD_NUMBER: _ClassVar[int]
    KV_CAPACITY_TOKENS_FIELD_NUMBER: _ClassVar[int]
    KV_BYTES_PER_TOKEN_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_BYTES_FIELD_NUMBER: _ClassVar[int]
    PEAK_BYTES_FIELD_NUMBER: _ClassVar[int]
    START_S_FIELD_NUMBER: _ClassVar[int]
    SLEEP_S_FIELD_NUMBER: _ClassVar[int]
    WAKE_S_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    RESIDUAL_MEDIAN_FIELD_NUMBER: _ClassVar[int]
    RESIDUAL_P95_FIELD_NUMBER: _ClassVar[int]
    CORRECTION_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    FIRST_SLEEP_S_FIELD_NUMBER: _ClassVar[int]
    MAX_MODEL_LEN_FIELD_NUMBER: _ClassVar[int]
    OVERHEAD_S_FIELD_NUMBER: _ClassVar[int]
    SUBMIT_S_FIELD_NUMBER: _ClassVar[int]
    PREFILL_CURVE_FIELD_NUMBER: _ClassVar[int]
    ONLINE_ERROR_FIELD_NUMBER: _ClassVar[int]
    ONLINE_CALLS_FIELD_NUMBER: _ClassVar[int]
    SHARING_LOSS_FIELD_NUMBER: _ClassVar[int]
    RELOAD_S_FIELD_NUMBER: _ClassVar[int]
    PREFETCH_S_FIELD_NUMBER: _ClassVar[int]
    model: str
    accelerator: str
    engine: str
    settings_digest: str
    version: int
    measure_time: _timestamp_pb2.Timestamp
    prefill_base_s: float
    prefill_token_s: float
    prefill_token2_s: float
    step_base_s: float
    step_seq_s: float
    step_context_s: float
    max_num_seqs: int
    kv_capacity_tokens: int
    kv_bytes_per_token: int
    weights_bytes: int
    peak_bytes: int
    start_s: float
    sleep_s: float
    wake_s: float
    points: _containers.RepeatedCompositeFieldContainer[ProfilePoint]
    residual_median: float
    residual_p95: float
    correction: float
    origin: str
    first_sleep_s: float
    max_model_len: int
    overhead_s: float
    submit_s: float
    prefill_curve: _containers.RepeatedCompositeFieldContainer[PrefillCost]
    online_error: float
    online_calls: int
    sharing_loss: float
    reload_s: float
    prefetch_s: float
    def __init__(self, model: _Optional[str] = ..., accelerator: _Optional[str] = ..., engine: _Optional[str] = ..., settings_digest: _Optional[str] = ..., version: _Optional[int] = ..., measure_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., prefill_base_s: _Optional[float] = ..., prefill_token_s: _Optional[float] = ..., prefill_token2_s: _Optional[float] = ..., step_base_s: _Optional[float] = ..., step_seq_s: _Optional[float] = ..., step_context_s: _Optional[float] = ..., max_num_seqs: _Optional[int] = ..., kv_capacity_tokens: _Optional[int] = ..., kv_bytes_per_token: _Optional[int] = ..., weights_bytes: _Optional[int] = ..., peak_bytes: _Optional[int] = ..., start_s: _Optional[float] = ..., sleep_s: _Optional[float] = ..., wake_s: _Optional[float] = ..., points: _Optional[_Iterable[_Union[ProfilePoint, _Mapping]]] = ..., residual_median: _Optional[float] = ..., residual_p95: _Optional[float] = ..., correction: _Optional[float] = ..., origin: _Optional[str] = ..., first_sleep_s: _Optional[float] = ..., max_model_len: _Optional[int] = ..., overhead_s: _Optional[float] = ..., submit_s: _Optional[float] = ..., prefill_curve: _Optional[_Iterable[_Union[PrefillCost, _Mapping]]] = ..., online_error: _Optional[float] = ..., online_calls: _Optional[int] = ..., sharing_loss: _Optional[float] = ..., reload_s: _Optional[float] = ..., prefetch_s: _Optional[float] = ...) -> None: ...
