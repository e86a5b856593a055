"""A node's models are kept up to a bound, and never removed while they are used."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from catenary.runtime.model_cache import ModelCache
from catenary_worker.weights import warm


def fill(num_bytes: int) -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(b"x" * num_bytes)

    return build


def cache_of(folder: Path, *names: str, max_bytes: int = 250) -> ModelCache:
    """Models of 100 bytes and their note each, used one minute after the other."""
    cache = ModelCache(folder, max_bytes)
    for minute, name in enumerate(names):
        made = ModelCache(folder).make(name, "source", fill(100))
        os.utime(made / "catenary-model.txt", (60.0 * minute, 60.0 * minute))
    return cache


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_dir()}


def test_the_least_recently_used_models_make_room_for_a_new_one(tmp_path: Path) -> None:
    cache = cache_of(tmp_path, "a", "b")
    cache.make("c", "source", fill(100))
    assert names(tmp_path) == {"b", "c"}


def test_a_model_that_is_asked_for_again_counts_as_used(tmp_path: Path) -> None:
    cache = cache_of(tmp_path, "a", "b")
    cache.make("a", "source", fill(100))
    cache.make("c", "source", fill(100))
    assert names(tmp_path) == {"a", "c"}


def test_a_held_model_stays_until_it_is_released(tmp_path: Path) -> None:
    cache = cache_of(tmp_path, "a", "b")
    held = cache.hold(tmp_path / "a")
    assert held is not None
    os.utime(tmp_path / "a" / "catenary-model.txt", (0.0, 0.0))
    cache.make("c", "source", fill(100))
    assert names(tmp_path) == {"a", "c"}
    held.release()
    assert cache.shrink() == []
    assert ModelCache(tmp_path, 120).shrink() == [tmp_path / "a"]


def test_a_model_held_by_another_process_stays_and_its_end_frees_it(tmp_path: Path) -> None:
    cache = cache_of(tmp_path, "a", max_bytes=1)
    program = (
        "import sys, pathlib; from catenary.runtime.model_cache import ModelCache; f = pathlib.Path(sys.argv[1]);"
        "held = ModelCache(f.parent).hold(f); print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "a")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert cache.shrink() == []
        other.kill()
        other.wait()
    assert cache.shrink() == [tmp_path / "a"]


def test_a_new_model_larger_than_the_bound_stays_alone(tmp_path: Path) -> None:
    cache = cache_of(tmp_path, "a", "b")
    cache.make("huge", "source", fill(1000))
    assert names(tmp_path) == {"huge"}


def test_a_removed_model_cannot_be_held_and_is_made_again(tmp_path: Path) -> None:
    cache = cache_of(tmp_path, "a", max_bytes=1)
    cache.shrink()
    assert cache.hold(tmp_path / "a") is None
    assert cache.make("a", "source", fill(10)) == tmp_path / "a"


def test_folders_that_are_not_the_caches_need_no_hold(tmp_path: Path) -> None:
    held = ModelCache(tmp_path / "cache", 1).hold(tmp_path)
    assert held is not None
    held.release()


def test_warming_reads_every_weight_once(tmp_path: Path) -> None:
    for i in range(3):
        (tmp_path / f"model-{i}.safetensors").write_bytes(b"x" * 1000)
    (tmp_path / "config.json").write_text("{}")
    assert warm(tmp_path) == 3000
