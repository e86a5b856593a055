"""The tokenizer of emulated engines: words as tokens. Depends on nothing else."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

WORD_IDS = 1 << 30  # ids of a WordTokenizer's words are below
CRASH_IDS = WORD_IDS + (1 << 29)
MARKED = 1 << 28  # added to the encoded length of an output that begins with the mark
_NUMBER = re.compile(r"#(out|crash)=(\d{1,7})(!?)")


class WordTokenizer:
    """One token per whitespace-separated word, with ids that depend on the word alone. For emulated engines.

    A word ``#out=123`` encodes the number: an emulated engine whose prompt has it among its first tokens generates that
    many tokens; with ``#out=123!`` the first is "mark", for conditions to find. At ``#crash=5`` it dies once the call
    has five. They exist for tests; a real model sees them as text.
    """

    def encode(self, text: str) -> list[int]:
        crc32 = zlib.crc32
        return [word_id(word) if word[0] == "#" else crc32(word.encode()) % WORD_IDS for word in text.split()]

    def encode_chat(self, messages: Sequence[tuple[str, str]]) -> list[int]:
        """The words of each message after its role."""
        return [token for role, text in messages for token in self.encode(f"{role}: {text}")]


def word_id(word: str) -> int:
    """The token id of one word without whitespace, 0 to 2^31."""
    number = _NUMBER.fullmatch(word) if word.startswith("#") else None
    if number is not None and int(number[2]) > 0:
        first = WORD_IDS if number[1] == "out" else CRASH_IDS
        return first + int(number[2]) + (MARKED if number[3] else 0)
    return zlib.crc32(word.encode()) % WORD_IDS


def requested_output_tokens(prompt: Sequence[int]) -> int | None:
    """The number in a ``#out=`` word among the first 8 tokens of a WordTokenizer's prompt; None where there is none."""
    return next(((token - WORD_IDS) % MARKED for token in prompt[:8] if WORD_IDS <= token < CRASH_IDS), None)


def asks_for_mark(prompt: Sequence[int]) -> bool:
    """The ``#out=`` word among the first 8 tokens ends with an exclamation mark."""
    return any(WORD_IDS + MARKED <= token < CRASH_IDS for token in prompt[:8])


def requested_crash(prompt: Sequence[int]) -> int | None:
    """The same of a ``#crash=`` word."""
    return next((token - CRASH_IDS for token in prompt[:8] if token >= CRASH_IDS), None)
