"""Text and chat messages to token ids, without an engine's libraries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from catenary.runtime.config import EngineKind, ModelConfig
from catenary.runtime.models import resolve_source
from catenary.runtime.word_tokenizer import WordTokenizer


class Tokenizer(Protocol):
    """Prompts to token ids."""

    def encode(self, text: str) -> list[int]: ...

    def encode_chat(self, messages: Sequence[tuple[str, str]]) -> list[int]:
        """(role, text) pairs through the model's chat template, ready for the assistant's answer."""
        ...


class TokenizerError(Exception):
    """A tokenizer cannot be loaded, or a template refuses a conversation."""


def load_tokenizer(model_name: str, model: ModelConfig, cache_dir: Path) -> Tokenizer:
    """The tokenizer of a configured model; blocks, the first time for as long as converting its source takes.

    Raises:
        ModelSourceError: the source cannot be used.
        TokenizerError: it has no usable tokenizer.json.
    """
    source = model.tokenizer or model.source
    if not source and model.engine is EngineKind.EMULATED:
        return WordTokenizer()
    from catenary.runtime.hf_tokenizer import HfTokenizer

    return HfTokenizer(model_name, resolve_source(source, cache_dir, weights=False))
