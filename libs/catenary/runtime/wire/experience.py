"""What a gateway has learned, between its core and the store."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain

from catenary.core.gateway.experience import Experience
from catenary.policy import lengths, path_errors, run_shapes
from catenary.policy.length_window import Sample
from catenary.policy.path_errors import WINDOW, PathError
from catenary.policy.run_shapes import CallShape
from catenary.v1 import experience_pb2 as pb


def experience_to_proto(experience: Experience) -> pb.Experience:
    return pb.Experience(
        calls=[_lengths_to_proto(key, samples) for key, samples in experience.lengths.items()],
        shapes=[_shape_to_proto(key, shape) for key, shape in experience.shapes.items()],
        ends=[pb.LatestEnds(tenant=key[0], workflow=key[1], met=met) for key, met in experience.ends.items()],
        errors=[
            pb.PathError(workflow_version=version, ended=ended, runs=error.runs, ratio=error.ratio)
            for (version, ended), error in experience.errors.items()
        ],
    )


def experience_from_proto(message: pb.Experience) -> Experience:
    """What cannot be is left out: calls without a length or whose circumstances cannot be told apart, conditions that
    held more often than they were decided, lists of no length, errors of no runs or less than none."""
    ends = {(m.tenant, m.workflow): tuple(m.met) for m in message.ends}
    return Experience(_lengths(message), _shapes(message), ends, _errors(message))


def _lengths_to_proto(key: lengths.Key, samples: Sequence[Sample]) -> pb.CallLengths:
    version, call, stage = key
    message = pb.CallLengths(workflow_version=version, call=call, stage=stage)
    message.tokens.extend(tokens for _, tokens in samples)
    message.features.extend(chain.from_iterable(features for features, _ in samples))
    return message


def _shape_to_proto(key: run_shapes.Key, shape: CallShape) -> pb.CallShape:
    version, call = key
    return pb.CallShape(workflow_version=version, call=call, taken=shape.taken, seen=shape.seen, items=shape.items)


def _lengths(message: pb.Experience) -> Mapping[lengths.Key, list[Sample]]:
    found = {(m.workflow_version, m.call, m.stage): _samples(m) for m in message.calls}
    return {key: samples for key, samples in found.items() if samples}


def _samples(message: pb.CallLengths) -> list[Sample]:
    width, rest = divmod(len(message.features), len(message.tokens)) if message.tokens else (0, 0)
    if width == 0 or rest or not all(map(math.isfinite, message.features)):
        return []
    rows = (tuple(message.features[i * width : (i + 1) * width]) for i in range(len(message.tokens)))
    return list(zip(rows, message.tokens, strict=True))


def _shapes(message: pb.Experience) -> Mapping[run_shapes.Key, CallShape]:
    return {
        (m.workflow_version, m.call): CallShape(m.taken, m.seen, m.items if m.HasField("items") else None)
        for m in message.shapes
        if m.taken <= m.seen and 0 <= m.items < math.inf
    }


def _errors(message: pb.Experience) -> Mapping[path_errors.Key, PathError]:
    return {
        (m.workflow_version, m.ended): PathError(min(m.runs, WINDOW), m.ratio)
        for m in message.errors
        if m.runs > 0 and 0 <= m.ratio < math.inf
    }
