"""Rendered prompts to token ids, beside the event loop where they are long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from catenary.core.gateway.events import CallTokenized, GatewayEvent, Tokenize, TokenizeFailed
from catenary.core.progress import ReadyCall
from catenary.runtime.background import Background
from catenary.runtime.config import ModelConfig
from catenary.runtime.tokenizer import Tokenizer, TokenizerError, load_tokenizer

INLINE_BYTES = 16_384
BLOCK_TOKENS = 16
MAX_BLOCKS = 64


class Tokenizers:
    """One per model, loaded in a thread at start."""

    def __init__(self, models: Mapping[str, ModelConfig], cache_dir: Path) -> None:
        self._models = models
        self._cache_dir = cache_dir
        self._tokenizers: dict[str, Tokenizer] = {}

    async def load(self) -> None:
        """Raises ModelSourceError or TokenizerError."""
        by_source: dict[tuple[str, str, str], Tokenizer] = {}
        for name, model in self._models.items():
            key = (model.engine, model.tokenizer, model.source)
            if key not in by_source:
                by_source[key] = await asyncio.to_thread(load_tokenizer, name, model, self._cache_dir)
            self._tokenizers[name] = by_source[key]

    def is_short(self, call: ReadyCall) -> bool:
        return content_bytes(call) <= INLINE_BYTES

    def encode(self, call: ReadyCall) -> list[int]:
        """Raises TokenizerError where the chat template refuses the conversation."""
        tokenizer = self._tokenizers[call.call.model]
        if isinstance(call.content, str):
            return tokenizer.encode(call.content)
        return tokenizer.encode_chat([(message.role, message.text) for message in call.content])


class Tokenizing:
    """Answers Tokenize: at once for a short prompt, from a thread for a long one."""

    def __init__(self, tokenizers: Tokenizers, background: Background, handle: Callable[[GatewayEvent], None]) -> None:
        self._tokenizers = tokenizers
        self._background = background
        self._handle = handle

    def put(self, action: Tokenize) -> None:
        if self._tokenizers.is_short(action.call):
            self._handle(self._encoded(action))
        else:
            self._background.spawn(self._encode_beside(action))

    async def _encode_beside(self, action: Tokenize) -> None:
        self._handle(await asyncio.to_thread(self._encoded, action))

    def _encoded(self, action: Tokenize) -> GatewayEvent:
        try:
            token_ids = self._tokenizers.encode(action.call)
        except TokenizerError as error:
            return TokenizeFailed(action.run_id, action.call.ref, str(error))
        except Exception as error:
            return TokenizeFailed(
                action.run_id, action.call.ref, f"the tokenizer failed: {type(error).__name__}: {error}"
            )
        return CallTokenized(action.run_id, action.call.ref, token_ids, prefix_hashes(token_ids))


def content_bytes(call: ReadyCall) -> int:
    if isinstance(call.content, str):
        return len(call.content)
    return sum(len(message.text) for message in call.content)


def prefix_hashes(token_ids: Sequence[int]) -> tuple[int, ...]:
    """A chained hash for each full block of 16 tokens, at most 64 blocks: equal prefixes have equal hashes."""
    hashes: list[int] = []
    chain = 0
    for start in range(0, min(len(token_ids), MAX_BLOCKS * BLOCK_TOKENS) - BLOCK_TOKENS + 1, BLOCK_TOKENS):
        chain = hash((chain, *token_ids[start : start + BLOCK_TOKENS])) & 0xFFFFFFFFFFFFFFFF
        hashes.append(chain)
    return tuple(hashes)
