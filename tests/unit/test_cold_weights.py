"""Whether the page cache holds a model's weights."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from catenary.runtime.model_cache import ModelCache
from catenary.runtime.models import find_source
from catenary_worker.weights import are_cold, cool, warm, weights_bytes

SIZE = 4 << 20


def folder_of_weights(folder: Path) -> Path:
    (folder / "config.json").write_text("{}")
    with (folder / "model.safetensors").open("wb") as file:
        file.write(b"x" * SIZE)
        file.flush()
        os.fsync(file.fileno())
    return folder


def test_weights_are_cold_once_the_page_cache_drops_them_and_not_after_they_are_read(tmp_path: Path) -> None:
    folder = folder_of_weights(tmp_path)
    assert not are_cold(folder)
    cool(folder)
    if not are_cold(folder):
        pytest.skip("this file system keeps its files in memory")
    assert are_cold(folder), "looking reads nothing"
    assert warm(folder) == SIZE == weights_bytes(folder)
    assert not are_cold(folder)


def test_a_folder_without_weights_is_not_cold(tmp_path: Path) -> None:
    assert not are_cold(tmp_path)


def test_a_source_is_found_where_it_is_and_not_made(tmp_path: Path) -> None:
    folder = folder_of_weights(tmp_path)
    assert find_source(str(folder), tmp_path) == folder
    assert find_source("hf://nobody/nothing", tmp_path / "cache") is None
    assert find_source("gguf+package://no-such-package/x.gguf", tmp_path / "cache") is None
    assert not (tmp_path / "cache").exists()


def test_the_cache_finds_whole_models_only(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path / "models")
    (tmp_path / "models" / "half").mkdir(parents=True)
    assert cache.find("half") is None
    cache.make("whole", "source", lambda folder: (folder / "w").touch())
    assert cache.find("whole") == tmp_path / "models" / "whole"
