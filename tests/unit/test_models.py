"""Sources of models become folders, once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from catenary.runtime import models
from catenary.runtime.gguf_conversion import ConversionError, Progress
from catenary.runtime.models import ModelSourceError, resolve_source


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An importable package with one GGUF file; returns its source."""
    folder = tmp_path / "site" / "tiny_weights"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError('must not be imported')")
    (folder / "tiny.Q4.gguf").write_bytes(b"GGUF")
    monkeypatch.syspath_prepend(str(folder.parent))
    return "gguf+package://tiny-weights/tiny.Q4.gguf"


class Converter:
    """Stands for the conversion process."""

    def __init__(self, fails: bool = False) -> None:
        self.runs = 0
        self.fails = fails

    def __call__(self, gguf: Path, folder: Path, progress: Progress) -> None:
        self.runs += 1
        (folder / "config.json").write_text("{}")
        progress("half", 0.5)
        if self.fails:
            raise ConversionError("no memory")


@pytest.fixture
def converter(monkeypatch: pytest.MonkeyPatch) -> Converter:
    fake = Converter()
    monkeypatch.setattr(models, "convert_in_subprocess", fake)
    return fake


def test_a_folder_is_its_own_source(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert resolve_source(str(tmp_path), tmp_path / "cache") == tmp_path.resolve()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "source is empty"),
        ("/no/such/folder", "has no config.json"),
        ("gguf+package://only-a-package", "is not of the form"),
        ("gguf+package://no-such-package-here/x.gguf", "is not installed; pip install no-such-package-here"),
    ],
)
def test_a_source_that_is_none_is_refused(source: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelSourceError, match=message):
        resolve_source(source, tmp_path)


def test_a_missing_file_of_a_package_is_refused_with_those_it_has(package: str, tmp_path: Path) -> None:
    with pytest.raises(ModelSourceError, match=r"no 'x.gguf' .* its GGUF files: tiny.Q4.gguf"):
        resolve_source(package.replace("tiny.Q4", "x"), tmp_path)


def test_a_conversion_runs_once_and_is_kept(package: str, converter: Converter, tmp_path: Path) -> None:
    seen: list[tuple[str, float]] = []
    first = resolve_source(package, tmp_path, lambda what, share: seen.append((what, share)))
    assert resolve_source(package, tmp_path) == first
    assert (converter.runs, seen) == (1, [("half", 0.5)])
    assert (first / "config.json").is_file()


def test_callers_at_the_same_time_share_one_conversion(package: str, converter: Converter, tmp_path: Path) -> None:
    barrier = threading.Barrier(4)

    def resolve(_: int) -> Path:
        barrier.wait()
        return resolve_source(package, tmp_path)

    with ThreadPoolExecutor(4) as pool:
        folders = set(pool.map(resolve, range(4)))
    assert (len(folders), converter.runs) == (1, 1)


def test_a_failed_conversion_leaves_nothing_and_is_tried_again(
    package: str, converter: Converter, tmp_path: Path
) -> None:
    converter.fails = True
    with pytest.raises(ModelSourceError, match="cannot be converted: no memory"):
        resolve_source(package, tmp_path)
    assert [path.name for path in (tmp_path / "models").iterdir() if path.is_dir()] == []
    converter.fails = False
    assert resolve_source(package, tmp_path).is_dir()


class Hub:
    """Stands for the Hugging Face Hub: nothing is in the user's own cache."""

    def __init__(self) -> None:
        self.patterns: list[object] = []

    def __call__(self, name: str, **options: object) -> str:
        if options.get("local_files_only"):
            raise FileNotFoundError(name)
        self.patterns.append(options["allow_patterns"])
        folder = Path(str(options["local_dir"]))
        (folder / "config.json").write_text("{}")
        return str(folder)


def test_a_model_of_the_hub_is_downloaded_once_into_the_bounded_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub()
    monkeypatch.setattr("huggingface_hub.snapshot_download", hub)
    first = resolve_source("hf://org/name", tmp_path)
    assert resolve_source("hf://org/name", tmp_path) == first
    assert (hub.patterns, first.parent) == ([None], tmp_path / "models")


def test_a_gateway_downloads_only_the_small_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub()
    monkeypatch.setattr("huggingface_hub.snapshot_download", hub)
    small = resolve_source("hf://org/name", tmp_path, weights=False)
    assert small != resolve_source("hf://org/name", tmp_path)
    assert hub.patterns[0] == ["*.json", "*.jinja", "*.txt", "*.model"]
