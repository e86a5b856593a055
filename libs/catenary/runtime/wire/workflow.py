"""Workflows between the nouns of the model and their protos."""

from __future__ import annotations

from functools import lru_cache

from google.protobuf import duration_pb2

from catenary.model.problem import Problems
from catenary.model.workflow import Call, InputType, Message, OnMiss, Sampling, Slo, Workflow
from catenary.v1 import workflow_pb2

NANOS = 1_000_000_000
_KEPT_SAMPLINGS = 256

_DEFAULTS = Sampling()
_DEFAULT_ATTAINMENT = Slo().attainment
_INPUT_TYPES = {
    InputType.ANY: workflow_pb2.INPUT_TYPE_ANY,
    InputType.STRING: workflow_pb2.INPUT_TYPE_STRING,
    InputType.NUMBER: workflow_pb2.INPUT_TYPE_NUMBER,
    InputType.BOOLEAN: workflow_pb2.INPUT_TYPE_BOOLEAN,
    InputType.LIST: workflow_pb2.INPUT_TYPE_LIST,
    InputType.OBJECT: workflow_pb2.INPUT_TYPE_OBJECT,
}
_ON_MISS = {OnMiss.FINISH: workflow_pb2.ON_MISS_FINISH, OnMiss.FAIL: workflow_pb2.ON_MISS_FAIL}
_INPUT_TYPE_FROM_PROTO = {int(number): word for word, number in _INPUT_TYPES.items()} | {
    workflow_pb2.INPUT_TYPE_UNSPECIFIED: InputType.ANY
}
_ON_MISS_FROM_PROTO = {int(number): word for word, number in _ON_MISS.items()} | {
    workflow_pb2.ON_MISS_UNSPECIFIED: OnMiss.FINISH
}
_OPTIONAL_SAMPLING = (
    "temperature",
    "top_p",
    "top_k",
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
    "seed",
)


def workflow_to_proto(workflow: Workflow) -> workflow_pb2.Workflow:
    """The proto of a checked workflow.

    Raises:
        ValueError, TypeError: a field is outside what the proto holds, so the workflow was not checked.
    """
    return workflow_pb2.Workflow(
        name=workflow.name,
        slo=_slo_to_proto(workflow.slo),
        inputs={name: _INPUT_TYPES[kind] for name, kind in workflow.inputs.items()},
        calls=[_call_to_proto(call) for call in workflow.calls],
        output=workflow.output or "",
        description=workflow.description,
    )


def workflow_from_proto(message: workflow_pb2.Workflow) -> Workflow:
    """The workflow, not yet checked.

    Raises:
        SpecError: a call has no model task, or a field has an unknown enum value or is no duration.
    """
    problems = Problems()
    workflow = Workflow(
        name=message.name,
        calls=tuple(_call_from_proto(call, problems) for call in message.calls),
        slo=_slo_from_proto(message.slo, problems),
        inputs={name: _input_type(name, number, problems) for name, number in sorted(message.inputs.items())},
        output=message.output or None,
        description=message.description,
    )
    problems.raise_if_any()
    return workflow


@lru_cache(maxsize=_KEPT_SAMPLINGS)
def sampling_to_proto(sampling: Sampling) -> workflow_pb2.SamplingParams:
    """Fields that have their default stay unset. The message is shared: it is to be copied, not changed."""
    message = workflow_pb2.SamplingParams(
        max_tokens=sampling.max_tokens,
        stop=sampling.stop,
        min_tokens=sampling.min_tokens,
        ignore_eos=sampling.ignore_eos,
        json_schema=sampling.json_schema or "",
    )
    for name in _OPTIONAL_SAMPLING:
        value = getattr(sampling, name)
        if value != getattr(_DEFAULTS, name):
            setattr(message, name, value)
    return message


def sampling_from_proto(message: workflow_pb2.SamplingParams) -> Sampling:
    """Unset fields take their default; the values are not checked."""
    return _sampling(message.SerializeToString())


@lru_cache(maxsize=_KEPT_SAMPLINGS)
def _sampling(content: bytes) -> Sampling:
    message = workflow_pb2.SamplingParams.FromString(content)
    optional = {name: getattr(message, name) for name in _OPTIONAL_SAMPLING if message.HasField(name)}
    return Sampling(
        max_tokens=message.max_tokens or _DEFAULTS.max_tokens,
        stop=tuple(message.stop),
        min_tokens=message.min_tokens,
        ignore_eos=message.ignore_eos,
        json_schema=message.json_schema or None,
        **optional,
    )


def _slo_to_proto(slo: Slo) -> workflow_pb2.Slo:
    message = workflow_pb2.Slo(attainment=slo.attainment, on_miss=_ON_MISS[slo.on_miss])
    if slo.deadline_s is not None:
        seconds, nanos = divmod(round(slo.deadline_s * NANOS), NANOS)
        message.deadline.CopyFrom(duration_pb2.Duration(seconds=seconds, nanos=nanos))
    return message


def _slo_from_proto(message: workflow_pb2.Slo, problems: Problems) -> Slo:
    on_miss = _ON_MISS_FROM_PROTO.get(message.on_miss)
    if on_miss is None:
        problems.add("slo.on_miss", f"unknown value {message.on_miss}; known: {', '.join(OnMiss)}")
    deadline_s = None
    if message.HasField("deadline"):
        deadline_s = round(message.deadline.seconds + message.deadline.nanos / NANOS, 9)
    return Slo(deadline_s, message.attainment or _DEFAULT_ATTAINMENT, on_miss or OnMiss.FINISH)


def _input_type(name: str, number: int, problems: Problems) -> InputType:
    kind = _INPUT_TYPE_FROM_PROTO.get(number)
    if kind is None:
        problems.add(f"inputs.{name[:64]}", f"unknown type {number}; known: {', '.join(InputType)}")
    return kind or InputType.ANY


def _call_to_proto(call: Call) -> workflow_pb2.Call:
    task = workflow_pb2.ModelTask(model=call.model, sampling=sampling_to_proto(call.sampling))
    if call.prompt is not None:
        task.prompt = call.prompt
    else:
        messages = [workflow_pb2.ChatMessage(role=message.role, content=message.content) for message in call.messages]
        task.messages.CopyFrom(workflow_pb2.ChatMessages(messages=messages))
    return workflow_pb2.Call(
        name=call.name,
        model=task,
        when=call.when or "",
        for_each=call.for_each or "",
        max_items=call.max_items or 0,
    )


def _call_from_proto(message: workflow_pb2.Call, problems: Problems) -> Call:
    task = message.WhichOneof("task")
    place = f"calls.{message.name[:64]}"
    if task != "model":
        what = "has no task" if task is None else f"has a task of the kind {task!r}, which is reserved"
        problems.add(place, f"{what}; set `model`")
    content = message.model.WhichOneof("content")
    return Call(
        name=message.name,
        model=message.model.model,
        prompt=message.model.prompt if content == "prompt" else None,
        messages=tuple(Message(chat.role, chat.content) for chat in message.model.messages.messages),
        sampling=sampling_from_proto(message.model.sampling),
        when=message.when or None,
        for_each=message.for_each or None,
        max_items=message.max_items or None,
    )
