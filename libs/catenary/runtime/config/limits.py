"""Bounds on what clients submit."""

from __future__ import annotations

from pydantic import Field

from catenary.runtime.config.section import Section


class LimitsConfig(Section):
    """Bounds on specifications and on what a run of one may grow to."""

    max_calls: int = Field(default=256, ge=1, le=10_000)
    """Calls of a workflow."""
    max_depth: int = Field(default=64, ge=1, le=10_000)
    """Calls on its longest path."""
    max_items: int = Field(default=256, ge=1, le=100_000)
    """Items of a map."""
    max_run_calls: int = Field(default=2048, ge=1, le=100_000)
    """Calls of a run, map items counted one by one."""
    max_prompt_bytes: int = Field(default=1 << 20, ge=1, le=1 << 26)
    """A rendered prompt."""
    max_template_bytes: int = Field(default=1 << 16, ge=1, le=1 << 24)
    """A template or condition."""
    max_spec_bytes: int = Field(default=1 << 20, ge=1, le=1 << 26)
    """A whole specification."""
    max_inputs_bytes: int = Field(default=4 << 20, ge=1, le=1 << 26)
    """The inputs of a run, as a message."""
    max_map_bytes: int = Field(default=8 << 20, ge=1, le=1 << 26)
    """The prompts of all items of a map together."""
    max_output_bytes: int = Field(default=8 << 20, ge=1, le=1 << 26)
    """The rendered output of a run."""
    max_deadline_s: float = Field(default=86_400.0, gt=0, le=604_800)
    """A deadline."""
    max_stop: int = Field(default=16, ge=0, le=256)
    """Stop strings of a call."""
    max_output_tokens: int = Field(default=32_768, ge=1, le=1_048_576)
    """`max_tokens` of a call."""
