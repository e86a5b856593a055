"""Learned output lengths between the policy and the store."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain

from catenary.policy.length_window import Sample
from catenary.policy.lengths import Key
from catenary.v1 import lengths_pb2 as pb


def lengths_to_proto(known: Mapping[Key, Sequence[Sample]]) -> pb.LearnedLengths:
    return pb.LearnedLengths(calls=[_call_to_proto(key, samples) for key, samples in known.items()])


def lengths_from_proto(message: pb.LearnedLengths) -> dict[Key, list[Sample]]:
    """Calls without a length, or whose circumstances cannot be told apart, are left out."""
    found = {(m.workflow_version, m.call, m.stage): _samples(m) for m in message.calls}
    return {key: samples for key, samples in found.items() if samples}


def _call_to_proto(key: Key, samples: Sequence[Sample]) -> pb.CallLengths:
    version, call, stage = key
    message = pb.CallLengths(workflow_version=version, call=call, stage=stage)
    message.tokens.extend(tokens for _, tokens in samples)
    message.features.extend(chain.from_iterable(features for features, _ in samples))
    return message


def _samples(message: pb.CallLengths) -> list[Sample]:
    width, rest = divmod(len(message.features), len(message.tokens)) if message.tokens else (0, 0)
    if width == 0 or rest or not all(map(math.isfinite, message.features)):
        return []
    rows = (tuple(message.features[i * width : (i + 1) * width]) for i in range(len(message.tokens)))
    return list(zip(rows, message.tokens, strict=True))
