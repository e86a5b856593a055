"""Which points of an engine are measured."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from catenary.model.profile_point import GridPoint, PointKind

KV_SHARE = 0.9
HOSTS = 8
HOST_PROMPT_TOKENS = 32
HOST_TOKENS = (128, 640)
"""The batch that JOINING prompts join: sequences, each one's prompt, and the least and most output of each."""
GUESTS = 4
FIRST_TOKENS = 2
"""Output of calls of which the first token counts: an engine may prepare the second one before it hands that out."""
LONG_BURSTS = (16, 32)
BURST_PARTS = 8


@dataclass(frozen=True, slots=True)
class EngineBounds:
    """What the engine can hold: tokens of one sequence, seats, tokens of all, tokens of one iteration (0: any)."""

    max_model_len: int
    max_num_seqs: int
    kv_capacity_tokens: int = 0
    max_num_batched_tokens: int = 0

    def holds(self, point: GridPoint) -> bool:
        tokens = point.prompt_tokens + point.output_tokens
        if tokens > self.max_model_len or point.batch > self.max_num_seqs:
            return False
        if point.kind is PointKind.JOINING:
            return self._holds_beside(point)
        return not self.kv_capacity_tokens or tokens * point.batch <= KV_SHARE * self.kv_capacity_tokens

    def in_one_iteration(self, point: GridPoint) -> bool:
        return not self.max_num_batched_tokens or point.prompt_tokens * point.batch <= self.max_num_batched_tokens

    @property
    def hosts(self) -> GridPoint:
        """The batch that JOINING prompts join. It is aborted when they have ended, long before its own end."""
        output = min(self.max_model_len - HOST_PROMPT_TOKENS, HOST_TOKENS[1])
        return GridPoint(PointKind.DECODE, HOST_PROMPT_TOKENS, output, min(HOSTS, self.max_num_seqs - 1))

    def _holds_beside(self, point: GridPoint) -> bool:
        hosts = self.hosts
        if hosts.batch < 1 or hosts.output_tokens < HOST_TOKENS[0]:
            return False
        if self.max_num_batched_tokens and point.prompt_tokens + hosts.batch > self.max_num_batched_tokens:
            return False
        tokens = point.prompt_tokens + 1 + hosts.batch * (hosts.prompt_tokens + hosts.output_tokens)
        return not self.kv_capacity_tokens or tokens <= KV_SHARE * self.kv_capacity_tokens


@dataclass(frozen=True, slots=True)
class GridShape:
    """Lengths in tokens; each is used where the engine holds it."""

    prefill_prompts: tuple[int, ...]
    mixed_prompts: tuple[int, ...]
    decode_prompts: tuple[int, ...]
    joining_prompts: tuple[int, ...]
    output_tokens: int
    batch_factor: int


QUICK = GridShape((16, 128, 512, 1024), (32,), (32, 512), (), 24, 4)
_LENGTHS = (16, 64, 128, 256, 512, 640, 1024, 2048, 4096, 8192)
FULL = GridShape(_LENGTHS, (32, 256), (32, 256, 1024, 4096), _LENGTHS, 48, 2)


def plan_grid(bounds: EngineBounds, quick: bool) -> tuple[GridPoint, ...]:
    """The points, the kinds in turn and cheap ones first, so that any first few of them make a fit.

    Prompts that the engine does not hold give way to the longest one that it does.

    Raises:
        ValueError: the engine holds fewer than 8 tokens.
    """
    if bounds.max_model_len < 8:
        raise ValueError(f"max_model_len: {bounds.max_model_len} is below 8, the least that a profile needs")
    shape = QUICK if quick else FULL
    output = min(shape.output_tokens, bounds.max_model_len // 2)
    longest = bounds.max_model_len - output
    batches = _batches(bounds.max_num_seqs, shape.batch_factor)
    kinds = (
        [GridPoint(PointKind.PREFILL, n, FIRST_TOKENS) for n in _within(shape.prefill_prompts, longest)],
        [GridPoint(PointKind.DECODE, n, output, b) for n in _within(shape.decode_prompts, longest) for b in batches],
        [p for p in _bursts(shape, longest, batches) if bounds.in_one_iteration(p)] + _long_bursts(bounds, quick),
        [GridPoint(PointKind.JOINING, n, 1, GUESTS) for n in _within(shape.joining_prompts, longest)],
    )
    in_turn = (point for points in zip_longest(*kinds) for point in points if point is not None)
    return tuple(point for point in in_turn if bounds.holds(point))


def _bursts(shape: GridShape, longest: int, batches: list[int]) -> list[GridPoint]:
    return [
        GridPoint(PointKind.MIXED, n, FIRST_TOKENS, b)
        for n in _within(shape.mixed_prompts, longest)
        for b in batches
        if b > 1
    ]


def _long_bursts(bounds: EngineBounds, quick: bool) -> list[GridPoint]:
    """Of several full iterations, one prepared while the one before it runs."""
    prompt = bounds.max_num_batched_tokens // BURST_PARTS
    return [GridPoint(PointKind.MIXED, prompt, FIRST_TOKENS, b) for b in LONG_BURSTS if prompt and not quick]


def _batches(seats: int, factor: int) -> list[int]:
    """1, factor, factor^2 ... and the number of seats."""
    batches = [1]
    while batches[-1] * factor < seats:
        batches.append(batches[-1] * factor)
    return [*batches, seats] if seats > 1 else batches


def _within(lengths: tuple[int, ...], longest: int) -> list[int]:
    """The lengths up to ``longest``, which stands for those beyond it."""
    return sorted({min(n, longest) for n in lengths})
