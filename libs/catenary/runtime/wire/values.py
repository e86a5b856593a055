"""JSON values between Python and google.protobuf.Struct."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import struct_pb2

MAX_DEPTH = 64


def value_to_proto(value: Any) -> struct_pb2.Value:
    """Raises TypeError for what JSON cannot hold."""
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return struct_pb2.Value(number_value=value)
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    if isinstance(value, Mapping):
        return struct_pb2.Value(struct_value=struct_to_proto(value))
    if isinstance(value, list | tuple):
        items = struct_pb2.ListValue(values=[value_to_proto(item) for item in value])
        return struct_pb2.Value(list_value=items)
    raise TypeError(f"a {type(value).__name__} is no JSON value")


def struct_to_proto(values: Mapping[str, Any]) -> struct_pb2.Struct:
    return struct_pb2.Struct(fields={name: value_to_proto(value) for name, value in values.items()})


def value_from_proto(value: struct_pb2.Value, depth: int = 0) -> Any:
    """Whole numbers come back as int.

    Raises:
        ValueError: nested deeper than 64 levels.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    match value.WhichOneof("kind"):
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) < 2**53 else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return {name: value_from_proto(item, depth + 1) for name, item in value.struct_value.fields.items()}
        case "list_value":
            return [value_from_proto(item, depth + 1) for item in value.list_value.values]
    return None


def struct_from_proto(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Raises ValueError as value_from_proto does."""
    return {name: value_from_proto(value, 1) for name, value in struct.fields.items()}
