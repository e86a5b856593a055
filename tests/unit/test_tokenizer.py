"""Tokenizers without an engine's libraries."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer as FastTokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from catenary.runtime.config import EngineKind, ModelConfig
from catenary.runtime.tokenizer import TokenizerError, load_tokenizer
from catenary.runtime.word_tokenizer import WordTokenizer, requested_output_tokens

TEMPLATE = (
    "{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('no tools') }}{% endif %}"
    "{{ bos_token }} {{ m.role }} {{ m.content }} {% endfor %}{% if add_generation_prompt %}assistant{% endif %}"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    words = ["[UNK]", "<s>", "user", "assistant", "hello", "world"]
    tokenizer = FastTokenizer(WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"bos_token": {"content": "<s>"}}))
    (tmp_path / "chat_template.jinja").write_text(TEMPLATE)
    return tmp_path


def test_words_have_ids_that_depend_on_the_word_alone() -> None:
    tokenizer = WordTokenizer()
    first, second = tokenizer.encode("the sea"), tokenizer.encode("sea  the\nsea")
    assert second == [first[1], first[0], first[1]]
    assert tokenizer.encode("") == []


def test_messages_are_the_role_and_the_words() -> None:
    tokenizer = WordTokenizer()
    assert tokenizer.encode_chat([("user", "the sea")]) == tokenizer.encode("user: the sea")


def test_the_output_length_is_read_back_from_a_prompt() -> None:
    tokenizer = WordTokenizer()
    assert requested_output_tokens(tokenizer.encode("#out=123 write")) == 123
    assert requested_output_tokens(tokenizer.encode_chat([("user", "#out=7 write")])) == 7
    assert requested_output_tokens(tokenizer.encode("write #outer #out=0 #out=x")) is None
    assert requested_output_tokens(tokenizer.encode("a b c d e f g h #out=9")) is None


def test_an_emulated_model_without_a_source_has_words_for_tokens(tmp_path: Path) -> None:
    assert isinstance(load_tokenizer("m", ModelConfig(engine=EngineKind.EMULATED), tmp_path), WordTokenizer)


def test_a_folder_s_tokenizer_and_chat_template_are_used(folder: Path) -> None:
    tokenizer = load_tokenizer("m", ModelConfig(source=str(folder)), folder)
    assert tokenizer.encode("hello world there") == [4, 5, 0]
    assert tokenizer.encode_chat([("user", "hello")]) == [1, 2, 4, 3]


def test_a_conversation_that_the_template_refuses_is_an_error_of_the_model(folder: Path) -> None:
    tokenizer = load_tokenizer("m", ModelConfig(source=str(folder)), folder)
    with pytest.raises(TokenizerError, match="chat template of model 'm': no tools"):
        tokenizer.encode_chat([("tool", "hello")])


def test_a_model_without_a_template_takes_plain_prompts_only(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    tokenizer = load_tokenizer("m", ModelConfig(source=str(folder)), folder)
    with pytest.raises(TokenizerError, match="'m' has no chat template"):
        tokenizer.encode_chat([("user", "hello")])


def test_a_folder_without_a_tokenizer_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    with pytest.raises(TokenizerError, match=r"has no tokenizer\.json"):
        load_tokenizer("m", ModelConfig(source=str(folder)), folder)


def test_no_engine_library_is_imported(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from catenary.runtime.config import ModelConfig;"
        "from catenary.runtime.tokenizer import load_tokenizer;"
        f"load_tokenizer('m', ModelConfig(source={str(folder)!r}), Path('.')).encode('hello');"
        "print([name for name in ('torch', 'transformers', 'vllm') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
