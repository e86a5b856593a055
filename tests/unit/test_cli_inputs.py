"""``--input`` arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from catenary.cli.failures import UsageProblem
from catenary.cli.inputs import parse_inputs


def test_text_stands_as_it_is_written() -> None:
    assert parse_inputs(["a=1", "b=x=y", "c=", "d=@@home"]) == {"a": "1", "b": "x=y", "c": "", "d": "@home"}


def test_json_comes_after_a_colon() -> None:
    assert parse_inputs(["n:=3", 'l:=["a", null]']) == {"n": 3, "l": ["a", None]}


def test_a_file_comes_after_an_at_sign(tmp_path: Path) -> None:
    path = tmp_path / "article.txt"
    path.write_text("Grüße\n", encoding="utf-8")
    assert parse_inputs([f"article=@{path}"]) == {"article": "Grüße\n"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["article"], "--input 'article': write NAME=TEXT"),
        (["=x"], "--input '=x': write NAME=TEXT"),
        (["a=1", "a=2"], "--input a: given twice"),
        (["a:=[1"], "--input a: is no JSON"),
        (["a=@/no/such/file"], "--input a: /no/such/file: No such file"),
    ],
)
def test_what_is_wrong_names_the_input(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        parse_inputs(arguments)
    assert str(caught.value).startswith(message)


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageProblem, match="is no UTF-8 text"):
        parse_inputs([f"a=@{path}"])
