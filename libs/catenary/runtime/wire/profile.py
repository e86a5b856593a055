"""Profiles between the model, the wire and JSON files in the fields of catenary.v1.Profile."""

from __future__ import annotations

import json
import math
import os
import re
import tempfile
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor

from catenary.model.prefill_curve import PrefillCurve
from catenary.model.profile import EngineProfile
from catenary.model.profile_point import GridPoint, PointKind, ProfilePoint, ProfileRecord
from catenary.v1 import profile_pb2 as pb

ORIGINS = ("measured", "emulated", "assumed")
MAX_FILE_BYTES = 4 << 20
MAX_NUMBER = 1e6
"""Of every duration in seconds, factor and relative error."""
MAX_NAME = 256
MAX_POINTS = 10_000
MAX_CURVE_POINTS = 1_000
MAX_UNIX_S = 253_402_300_799
"""The end of the year 9999, the last that a Timestamp can hold."""
PLAIN_FIELDS = tuple(field.name for field in fields(EngineProfile) if field.name != "prefill_curve")
WIDE_INTEGERS = (FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_INT64)


class ProfileError(Exception):
    """A profile cannot be used. The text names the field, its value and the bound."""


def profile_to_proto(profile: EngineProfile) -> pb.Profile:
    """Without points, residuals and time."""
    message = pb.Profile(**{name: getattr(profile, name) for name in PLAIN_FIELDS})
    message.prefill_curve.extend(pb.PrefillCost(tokens=n, seconds=seconds) for n, seconds in profile.prefill_curve)
    return message


def profile_from_proto(message: pb.Profile) -> EngineProfile:
    """Without points, residuals and time; a correction of 0 reads as 1.

    Raises:
        ProfileError: a number is negative or over MAX_NUMBER, the model is empty, a name is too long, or the origin
            is unknown.
    """
    values = {name: getattr(message, name) for name in PLAIN_FIELDS}
    values["correction"] = values["correction"] or 1.0
    values["origin"] = values["origin"] or "measured"
    for name, value in values.items():
        if isinstance(value, float):
            _check_number(name, value)
        if isinstance(value, str) and len(value) > MAX_NAME:
            raise ProfileError(f"{name}: has {len(value)} characters, over {MAX_NAME}")
    if not values["model"]:
        raise ProfileError("model: is empty; give the name of the model that was measured")
    if values["origin"] not in ORIGINS:
        raise ProfileError(f"origin: {values['origin']!r} is none of {', '.join(ORIGINS)}")
    return EngineProfile(**values, prefill_curve=_curve(message))


def _curve(message: pb.Profile) -> PrefillCurve:
    if len(message.prefill_curve) > MAX_CURVE_POINTS:
        raise ProfileError(f"prefill_curve: has {len(message.prefill_curve)} points, over {MAX_CURVE_POINTS}")
    curve = tuple((cost.tokens, cost.seconds) for cost in message.prefill_curve)
    for n, seconds in curve:
        _check_number("prefill_curve.seconds", seconds)
        if not math.isfinite(n):
            raise ProfileError(f"prefill_curve.tokens: {n} must be finite")
    if any(later[0] <= earlier[0] for earlier, later in pairwise(((0.0, 0.0), *curve))):
        raise ProfileError("prefill_curve: tokens must rise from point to point, the first above 0")
    return curve


def record_to_proto(record: ProfileRecord) -> pb.Profile:
    """With everything that was measured."""
    message = profile_to_proto(record.profile)
    message.points.extend(_point_to_proto(point) for point in record.points)
    message.residual_median = record.residual_median
    message.residual_p95 = record.residual_p95
    message.online_error = record.online_error
    message.online_calls = record.online_calls
    if record.measured_unix_s:
        message.measure_time.FromMicroseconds(round(record.measured_unix_s * 1e6))
    return message


def record_from_proto(message: pb.Profile) -> ProfileRecord:
    """Raises ProfileError as profile_from_proto does, and for points, errors or a time that cannot be."""
    if len(message.points) > MAX_POINTS:
        raise ProfileError(f"points: there are {len(message.points)}, over {MAX_POINTS}")
    for name in ("residual_median", "residual_p95", "online_error"):
        _check_number(name, getattr(message, name))
    measured = message.measure_time
    if not (0 <= measured.seconds <= MAX_UNIX_S and 0 <= measured.nanos < 1_000_000_000):
        raise ProfileError(f"measure_time: {measured.seconds} s, {measured.nanos} ns is no time from 1970 to 9999")
    return ProfileRecord(
        profile_from_proto(message),
        tuple(_point_from_proto(point) for point in message.points),
        message.residual_median,
        message.residual_p95,
        measured.ToMicroseconds() / 1e6,
        message.online_error,
        message.online_calls,
    )


def _check_number(name: str, value: float) -> None:
    if not 0 <= value <= MAX_NUMBER:
        raise ProfileError(f"{name}: {value} must be finite, not negative and at most {MAX_NUMBER:g}")


def _point_to_proto(point: ProfilePoint) -> pb.ProfilePoint:
    return pb.ProfilePoint(
        kind=point.point.kind.value,
        prompt_tokens=point.point.prompt_tokens,
        output_tokens=point.point.output_tokens,
        batch=point.point.batch,
        measured_s=point.measured_s,
        fitted_s=point.fitted_s,
        repeats=point.repeats,
        context_tokens=point.point.context_tokens,
        steps=point.steps,
    )


def _point_from_proto(message: pb.ProfilePoint) -> ProfilePoint:
    try:
        kind = PointKind(message.kind)
    except ValueError:
        raise ProfileError(f"points.kind: {message.kind[:MAX_NAME]!r} is none of {', '.join(PointKind)}") from None
    for name in ("measured_s", "fitted_s"):
        _check_number(f"points.{name}", getattr(message, name))
    point = GridPoint(kind, message.prompt_tokens, message.output_tokens, message.batch)
    return ProfilePoint(point, message.measured_s, message.repeats, message.fitted_s, message.steps or 1)


def load_profile_file(path: Path) -> EngineProfile:
    """The profile in ``path``, without its points.

    Raises:
        ProfileError: the file is missing, too large, no JSON, or holds an unknown field or a wrong value.
    """
    try:
        return profile_from_proto(_read(path))
    except ProfileError as error:
        raise ProfileError(f"{path}: {error}") from error


def load_record_file(path: Path) -> ProfileRecord:
    """The profile in ``path`` with its points. Raises ProfileError as load_profile_file does."""
    try:
        return record_from_proto(_read(path))
    except ProfileError as error:
        raise ProfileError(f"{path}: {error}") from error


def save_record_file(path: Path, record: ProfileRecord) -> None:
    """Write ``path`` atomically, creating its folder. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record_as_json(record_to_proto(record)), indent=1) + "\n"
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".profile-")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def record_as_json(message: pb.Profile) -> dict[str, Any]:
    """Fields under their proto names, 64-bit integers as numbers."""
    values = json_format.MessageToDict(message, preserving_proto_field_name=True)
    for field in pb.Profile.DESCRIPTOR.fields:
        if field.type in WIDE_INTEGERS and field.name in values:
            values[field.name] = int(values[field.name])
    return values


def profile_file_name(profile: EngineProfile) -> str:
    """``<model>--<accelerator>.json`` with the accelerator in lower case, letters and digits only."""
    slug = re.sub(r"[^a-z0-9]+", "-", profile.accelerator.lower()).strip("-") or "unknown"
    return f"{profile.model}--{slug}.json"


def find_profile_file(name: str, config_path: Path | None) -> Path:
    """``name`` beside the configuration file or else in the working directory; the latter also where neither exists."""
    if config_path is not None and (beside := config_path.resolve().parent / name).exists():
        return beside
    return Path(name)


def _read(path: Path) -> pb.Profile:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ProfileError(f"is larger than {MAX_FILE_BYTES} bytes")
        return json_format.Parse(path.read_text(), pb.Profile())
    except OSError as error:
        raise ProfileError(f"cannot be read: {error.strerror}") from error
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise ProfileError(f"is no profile: {error}") from error
