"""A tokenizer from a folder in Hugging Face format: tokenizer.json and the chat template beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import Template, TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer as FastTokenizer

from catenary.runtime.tokenizer import TokenizerError

_SPECIAL_TOKENS = ("bos_token", "eos_token", "pad_token", "unk_token")


class HfTokenizer:
    """Implements catenary.runtime.tokenizer.Tokenizer."""

    def __init__(self, model_name: str, folder: Path) -> None:
        """Read ``folder``. Raises TokenizerError where tokenizer.json or the template cannot be used."""
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise TokenizerError(f"model {model_name!r}: {folder} has no tokenizer.json")
        try:
            self._tokenizer = FastTokenizer.from_file(str(path))
            settings = _read_json(folder / "tokenizer_config.json")
            self._template = _chat_template(folder, settings)
        except Exception as error:  # tokenizers raises bare Exception
            raise TokenizerError(f"model {model_name!r}: {folder}: {error}") from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._special = {name: _token_text(settings.get(name)) for name in _SPECIAL_TOKENS}
        self._model_name = model_name

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids

    def encode_chat(self, messages: Sequence[tuple[str, str]]) -> list[int]:
        """Raises TokenizerError where the model has no template or the template refuses the conversation."""
        if self._template is None:
            raise TokenizerError(f"model {self._model_name!r} has no chat template; use a plain prompt")
        conversation = [{"role": role, "content": text} for role, text in messages]
        try:
            text = self._template.render(messages=conversation, add_generation_prompt=True, **self._special)
        except TemplateError as error:
            raise TokenizerError(f"chat template of model {self._model_name!r}: {error}") from error
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


def _read_json(path: Path) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return settings


def _chat_template(folder: Path, settings: dict[str, Any]) -> Template | None:
    path = folder / "chat_template.jinja"
    source = path.read_text() if path.is_file() else settings.get("chat_template")
    if isinstance(source, list):
        source = next((item["template"] for item in source if item.get("name") == "default"), None)
    if not source:
        return None
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().astimezone().strftime(form)
    return environment.from_string(source)


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)


def _token_text(token: Any) -> str:
    return str(token.get("content", "")) if isinstance(token, dict) else str(token or "")
