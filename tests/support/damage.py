"""Requests as a wrong or hostile client may send them: bytes changed, or fields set to odd values of their type."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import assume
from hypothesis import strategies as st

TEXTS = (
    "", " ", "x", "a/b", "a[1]", "../../a", "{{ a.text }}", "{{", "\x00", "\n", "é\U0001f600", "9" * 40, "b" * 10_000,
    "- &a [*a]", "00-" + "1" * 32 + "-" + "2" * 16 + "-01", '{"type": "object"}',
)  # fmt: skip
NUMBERS = (0.0, -0.0, -1.0, 0.5, 1.0, 1e-9, 5e-324, 1e9, 1e38, 1.7e308, float("inf"), float("-inf"), float("nan"))
COUNTS = (0, 1, 2, 100, 1_001, 2_000)
DEPTH = 4
MAX_BYTES = 1 << 20
SCALARS = {
    FieldDescriptor.CPPTYPE_BOOL: (False, True),
    FieldDescriptor.CPPTYPE_FLOAT: NUMBERS,
    FieldDescriptor.CPPTYPE_DOUBLE: NUMBERS,
    FieldDescriptor.CPPTYPE_ENUM: (0, 1, 2, 3, 99, 2**31 - 1, -1),
    FieldDescriptor.CPPTYPE_INT32: (0, 1, -1, 1_000, 2**31 - 1, -(2**31)),
    FieldDescriptor.CPPTYPE_INT64: (0, 1, -1, 10**6, 2**53, 2**63 - 1, -(2**63)),
    FieldDescriptor.CPPTYPE_UINT32: (0, 1, 2, 7, 1_000, 2**31, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 1, 2, 7, 2**53, 2**63, 2**64 - 1),
}


@st.composite
def damaged(draw: st.DrawFn, request: Message) -> bytes:
    """Up to four bytes or short pieces replaced, or up to three fields set; now and then nothing. At most 1 MiB."""
    if not request.DESCRIPTOR.fields or draw(st.booleans()):
        return _other_bytes(draw, request.SerializeToString())
    message = type(request)()
    message.CopyFrom(request)
    for _ in range(draw(st.integers(1, 3))):
        _set_a_field(draw, message, DEPTH)
    content = message.SerializeToString()
    assume(len(content) <= MAX_BYTES)
    return content


def _other_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    damaged_content = bytearray(content)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(damaged_content) - 1)))
        damaged_content[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=4))
    return bytes(damaged_content)


def _set_a_field(draw: st.DrawFn, message: Message, depth: int) -> None:
    fields: list[Any] = list(message.DESCRIPTOR.fields)
    if not fields:
        return
    field = draw(st.sampled_from(fields))
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        _set_map(draw, getattr(message, field.name), field)
    elif field.is_repeated:
        _set_repeated(draw, getattr(message, field.name), field, depth)
    elif field.message_type is None:
        setattr(message, field.name, draw(_scalar(field)))
    elif not depth or draw(st.integers(0, 4)) == 0:
        message.ClearField(field.name)
    else:
        inner = getattr(message, field.name)
        inner.SetInParent()
        _set_a_field(draw, inner, depth - 1)


def _set_map(draw: st.DrawFn, values: Any, field: FieldDescriptor) -> None:
    assert field.message_type is not None
    key = draw(_scalar(field.message_type.fields_by_name["key"]))
    kind = field.message_type.fields_by_name["value"]
    if kind.message_type is None:
        values[key] = draw(_scalar(kind))
    else:
        _set_a_field(draw, values[key], DEPTH)


def _set_repeated(draw: st.DrawFn, values: Any, field: FieldDescriptor, depth: int) -> None:
    """Another value or element, one of them changed, or one many times."""
    count = draw(st.sampled_from(COUNTS))
    if field.message_type is None:
        values.extend([draw(_scalar(field))] * count)
    elif values and depth and draw(st.integers(0, 4)):
        _set_a_field(draw, values[draw(st.integers(0, len(values) - 1))], depth - 1)
    elif values:
        first = type(values[0])()
        first.CopyFrom(values[0])
        values.extend([first] * count)
    else:
        values.add()


def _scalar(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.binary(max_size=20)
    if field.type == FieldDescriptor.TYPE_STRING:
        return st.sampled_from(TEXTS) | st.text(max_size=20)
    return st.sampled_from(SCALARS[field.cpp_type])
