"""Messages of the next release have fields and enum values that this one does not know; the last one's lack some.

The next release is made here from this one's descriptors: every message has one more field, every enum one more value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor
from google.protobuf.message import Message

from catenary.client.wire import event_from, explanation_from, model_from, page_from, run_from
from catenary.model.outcome import FinishReason, Outcome, PriorityClass
from catenary.model.spec import SpecError
from catenary.model.worker import ReplicaState
from catenary.runtime.wire.dispatch import offer_from_proto, pool_from_proto
from catenary.runtime.wire.enums import finish_reason_from_proto
from catenary.runtime.wire.run import record_from_proto
from catenary.runtime.wire.worker import worker_from_proto
from catenary.runtime.wire.workflow import sampling_from_proto, workflow_from_proto
from catenary.v1 import (
    dispatch_pb2,
    gateway_service_pb2,
    profile_pb2,
    profiler_service_pb2,
    provisioner_service_pb2,
    router_service_pb2,
    run_pb2,
    worker_service_pb2,
    workflow_pb2,
)

FILES = (
    workflow_pb2,
    run_pb2,
    profile_pb2,
    dispatch_pb2,
    gateway_service_pb2,
    router_service_pb2,
    worker_service_pb2,
    profiler_service_pb2,
    provisioner_service_pb2,
)
NEW_FIELD, NEW_VALUE = 1_900, 99
DEPTH = 6
TEXT_KINDS = {FieldDescriptor.TYPE_STRING: "1", FieldDescriptor.TYPE_BYTES: b"1", FieldDescriptor.TYPE_BOOL: True}


def next_release() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()

    def add(file: FileDescriptor) -> None:
        for needed in file.dependencies:
            add(needed)
        content = descriptor_pb2.FileDescriptorProto.FromString(file.serialized_pb)
        if file.package == "catenary.v1":
            for message in content.message_type:
                if not message.options.map_entry:
                    kind = descriptor_pb2.FieldDescriptorProto
                    message.field.add(
                        name="added_later", number=NEW_FIELD, type=kind.TYPE_STRING, label=kind.LABEL_OPTIONAL
                    )
            for enum in content.enum_type:
                enum.value.add(name=f"{enum.name.upper()}_ADDED_LATER", number=NEW_VALUE)
        pool.Add(content)

    for module in FILES:
        add(module.DESCRIPTOR)
    return pool


NEXT = next_release()


def filled(descriptor: Descriptor, depth: int = DEPTH) -> Message:
    """Every field has a value, every enum the new one, as deep as messages nest."""
    message = message_factory.GetMessageClass(descriptor)()
    chosen: set[str] = set()
    for field in descriptor.fields:
        if field.containing_oneof is not None:
            if field.containing_oneof.name in chosen:
                continue
            chosen.add(field.containing_oneof.name)
        _fill(message, field, depth)
    return message


def _fill(message: Message, field: FieldDescriptor, depth: int) -> None:
    if field.message_type is not None:
        if depth == 0 or field.message_type.GetOptions().map_entry:
            return
        inner = filled(field.message_type, depth - 1)
        if field.is_repeated:
            getattr(message, field.name).append(inner)
        else:
            getattr(message, field.name).CopyFrom(inner)
        return
    value: Any = NEW_VALUE if field.enum_type is not None else TEXT_KINDS.get(field.type, 1)
    if field.is_repeated:
        getattr(message, field.name).append(value)
    else:
        setattr(message, field.name, value)


def of_the_next(kind: type[Message]) -> Any:
    """What this release makes of a message of the next one."""
    return kind.FromString(filled(NEXT.FindMessageTypeByName(kind.DESCRIPTOR.full_name)).SerializeToString())


READERS: tuple[tuple[type[Message], Callable[[Any], Any]], ...] = (
    (worker_service_pb2.WorkerSnapshot, worker_from_proto),
    (dispatch_pb2.CallOffer, lambda message: offer_from_proto(message, "g", 0.0)),
    (dispatch_pb2.PoolState, pool_from_proto),
    (run_pb2.CallRecord, record_from_proto),
    (run_pb2.RunEvent, event_from),
    (run_pb2.Run, run_from),
    (gateway_service_pb2.ListRunsResponse, page_from),
    (gateway_service_pb2.ModelStatus, model_from),
    (gateway_service_pb2.ExplainWorkflowResponse, explanation_from),
    (workflow_pb2.SamplingParams, sampling_from_proto),
)


@pytest.mark.parametrize(("kind", "read"), READERS)
def test_what_the_next_release_adds_is_passed_over(kind: type[Message], read: Callable[[Any], Any]) -> None:
    read(of_the_next(kind))


@pytest.mark.parametrize(("kind", "read"), READERS)
def test_what_the_last_release_lacked_has_a_meaning(kind: type[Message], read: Callable[[Any], Any]) -> None:
    read(kind())


@pytest.mark.parametrize("event", [field.name for field in run_pb2.RunEvent.DESCRIPTOR.oneofs_by_name["event"].fields])
def test_every_event_of_the_next_release_is_read(event: str) -> None:
    message = run_pb2.RunEvent(run_id="r", sequence=1)
    field = run_pb2.RunEvent.DESCRIPTOR.fields_by_name[event]
    assert field.message_type is not None
    inner = filled(NEXT.FindMessageTypeByName(field.message_type.full_name))
    getattr(message, event).ParseFromString(inner.SerializeToString())
    assert event_from(message) is not None


def test_new_values_are_never_taken_for_success_or_capacity() -> None:
    worker = worker_from_proto(of_the_next(worker_service_pb2.WorkerSnapshot))
    assert [replica.state for replica in worker.replicas] == [ReplicaState.DEAD]
    assert finish_reason_from_proto(of_the_next(worker_service_pb2.CallEnd).finish_reason) is FinishReason.ERROR
    assert record_from_proto(of_the_next(run_pb2.CallRecord)).outcome is Outcome.FAILED
    assert offer_from_proto(of_the_next(dispatch_pb2.CallOffer), "g", 0.0).priority is PriorityClass.STANDARD


def test_a_workflow_that_asks_for_what_is_not_known_is_refused_by_name() -> None:
    message = workflow_pb2.Workflow(name="w")
    message.slo.on_miss = NEW_VALUE  # type: ignore[assignment]
    call = message.calls.add(name="a")
    call.model.model, call.model.prompt = "m", "x"
    with pytest.raises(SpecError, match="on_miss"):
        workflow_from_proto(message)


def test_what_is_not_known_survives_a_rewrite() -> None:
    kept = of_the_next(gateway_service_pb2.SubmitWorkflowRequest).SerializeToString()
    message_class = message_factory.GetMessageClass(NEXT.FindMessageTypeByName("catenary.v1.SubmitWorkflowRequest"))
    rewritten: Any = message_class.FromString(kept)
    assert rewritten.added_later == "1"
