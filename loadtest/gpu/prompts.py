"""Prompts of an exact number of tokens, as text: random words that are one token each."""

from __future__ import annotations

import random
import re
from pathlib import Path

from tokenizers import Tokenizer

_WORD = re.compile(r" [a-z]{3,8}")


class Prompts:
    """``text(n)`` gives a new text of ``n`` tokens each time, so that no prefix of it is cached."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        """``folder`` holds the tokenizer.json."""
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        size = self._tokenizer.get_vocab_size()
        words = (self._tokenizer.decode([token]) for token in range(size))
        self._words = [word for word in words if _WORD.fullmatch(word)]
        self._random = random.Random(seed)

    def text(self, num_tokens: int) -> str:
        text = "".join(self._random.choices(self._words, k=num_tokens))
        found = len(self._tokenizer.encode(text, add_special_tokens=False).ids)
        if found != num_tokens:
            raise RuntimeError(f"a text of {num_tokens} words has {found} tokens")
        return text
