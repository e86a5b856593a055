"""One model that workflows can name."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from catenary.runtime.config.section import Section


class EngineKind(StrEnum):
    VLLM = "vllm"
    EMULATED = "emulated"


class ModelConfig(Section):
    """One model that workflows can name."""

    source: str = ""
    """Folder, `hf://org/name` or `gguf+package://package/file.gguf`; an emulated engine needs none."""
    engine: EngineKind = EngineKind.VLLM
    """What runs it."""
    tokenizer: str = ""
    """Folder of another tokenizer; empty: the source's own."""
    max_model_len: int = Field(default=2048, ge=16, le=4_194_304)
    """Tokens of prompt and output together."""
    max_num_seqs: int = Field(default=16, ge=1, le=4096)
    """Sequences that one replica decodes at once: its seats."""
    lookahead: int = Field(default=2, ge=0, le=256)
    """Calls that may wait inside a replica's engine beyond its seats."""
    max_num_batched_tokens: int = Field(default=2048, ge=16, le=1_048_576)
    """Tokens of one engine step, prefill chunks included."""
    engine_args: dict[str, Any] = Field(default_factory=dict)
    """Passed to vLLM's AsyncEngineArgs as they are."""
    min_awake: int = Field(default=0, ge=0, le=1024)
    """Replicas that the provisioner keeps awake at least."""
    max_awake: int = Field(default=1024, ge=0, le=1024)
    """Replicas that it keeps awake at most."""
    keep_warm: int = Field(default=0, ge=0, le=1024)
    """Replicas that stay loaded, awake or asleep, however idle they are."""
    profile: str = ""
    """Profile file; for an emulated engine it is the engine's behaviour."""
    default_output_tokens: int = Field(default=128, ge=1, le=1_048_576)
    """Predicted output of a call before any has been measured."""
