"""A workflow as its author states it: calls, templates and one end-to-end objective."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class OnMiss(StrEnum):
    FINISH = "finish"
    FAIL = "fail"


class InputType(StrEnum):
    ANY = "any"
    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    LIST = "list"
    OBJECT = "object"


@dataclass(frozen=True, slots=True)
class Slo:
    """The objective: a share ``attainment`` of runs ends within ``deadline_s`` seconds. None: no deadline."""

    deadline_s: float | None = None
    attainment: float = 0.95
    on_miss: OnMiss = OnMiss.FINISH


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn. ``json_schema`` is JSON text; ``top_k`` 0 means all tokens."""

    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    min_tokens: int = 0
    ignore_eos: bool = False
    json_schema: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message; ``content`` is a template."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Call:
    """One node. Exactly one of ``prompt`` and ``messages`` is set; ``when``, ``for_each`` are templates or None."""

    name: str
    model: str
    prompt: str | None = None
    messages: tuple[Message, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    when: str | None = None
    for_each: str | None = None
    max_items: int | None = None


@dataclass(frozen=True, slots=True)
class Workflow:
    """A specification, not yet checked. ``output`` None: the text of every call by name."""

    name: str
    calls: tuple[Call, ...]
    slo: Slo = field(default_factory=Slo)
    inputs: Mapping[str, InputType] = field(default_factory=dict)
    output: str | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on a specification and on what a run of it may grow to."""

    max_calls: int = 256
    max_depth: int = 64
    max_items: int = 256
    max_run_calls: int = 2048
    max_prompt_bytes: int = 1 << 20
    max_template_bytes: int = 1 << 16
    max_spec_bytes: int = 1 << 20
    max_inputs_bytes: int = 4 << 20
    max_map_bytes: int = 8 << 20
    max_output_bytes: int = 8 << 20
    max_deadline_s: float = 86_400.0
    max_stop: int = 16
    max_output_tokens: int = 32_768


@dataclass(frozen=True, slots=True)
class CallRef:
    """A call of a run: its name, and the item's index where it is a map."""

    name: str
    index: int | None = None

    def __str__(self) -> str:
        return self.name if self.index is None else f"{self.name}[{self.index}]"
