"""Where the weights of a model are: a local folder in Hugging Face format, made once from its source.

``python -m catenary.runtime.models SOURCE`` prints that folder.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import sys
from pathlib import Path

from catenary.runtime.gguf_conversion import ConversionError, Progress, convert_in_subprocess
from catenary.runtime.model_cache import HeldModel, ModelCache

HF_SCHEME = "hf://"
GGUF_SCHEME = "gguf+package://"
DEFAULT_CACHE = Path("~/.cache/catenary")
_SMALL_FILES = ("*.json", "*.jinja", "*.txt", "*.model")
_FORMAT = 1  # raised when the conversion writes something else than before


class ModelSourceError(Exception):
    """A model's source cannot be used. The text names the source and what is wrong with it."""


def resolve_source(
    source: str, cache_dir: Path, progress: Progress | None = None, *, max_bytes: int = 0, weights: bool = True
) -> Path:
    """The folder with config.json, tokenizer.json and weights that ``source`` stands for; blocks while it is made.

    ``source`` is a folder, ``hf://org/name`` (a complete snapshot in the local Hugging Face cache is taken as it is) or
    ``gguf+package://package/file.gguf``, which is converted to bfloat16. What is downloaded or converted is kept in
    ``cache_dir``, up to ``max_bytes`` (0: no bound), once: processes that ask at the same time wait for one of them.
    Without ``weights`` only the small files of a download are fetched. ``progress`` gets (what is done, share 0..1).

    Raises:
        ModelSourceError: there is no such source, or it cannot be fetched or converted.
    """
    if not source:
        raise ModelSourceError("source is empty; give a folder, hf://org/name or gguf+package://package/file.gguf")
    cache = model_cache(cache_dir, max_bytes)
    if source.startswith(GGUF_SCHEME):
        return _converted(source, cache, progress or _silent)
    if source.startswith(HF_SCHEME):
        return _snapshot(source, cache, weights)
    folder = Path(source).expanduser()
    if not (folder / "config.json").is_file():
        raise ModelSourceError(f"{source}: has no config.json; a model folder in Hugging Face format is needed")
    return folder.resolve()


def hold_source(source: str, cache_dir: Path, max_bytes: int = 0) -> HeldModel:
    """Like ``resolve_source``; the folder is not removed from the cache before the hold is released."""
    while True:
        folder = resolve_source(source, cache_dir, max_bytes=max_bytes)
        if (held := model_cache(cache_dir, max_bytes).hold(folder)) is not None:
            return held


def find_source(source: str, cache_dir: Path) -> Path | None:
    """The folder of ``resolve_source`` where it is on this node already, with its weights; None: it is not, or there is
    no such source."""
    cache = model_cache(cache_dir)
    try:
        if source.startswith(GGUF_SCHEME):
            return cache.find(_converted_name(source, _packaged_file(source)))
        if source.startswith(HF_SCHEME):
            name = source.removeprefix(HF_SCHEME)
            return _known_snapshot(name, weights=True) or cache.find(_snapshot_name(source, weights=True))
    except (ModelSourceError, ValueError):
        return None
    return Path(source).expanduser()


def model_cache(cache_dir: Path, max_bytes: int = 0) -> ModelCache:
    return ModelCache(cache_dir.expanduser() / "models", max_bytes)


def _silent(what: str, share: float) -> None:
    """No progress is wanted."""


def _snapshot(source: str, cache: ModelCache, weights: bool) -> Path:
    name = source.removeprefix(HF_SCHEME)
    try:
        from huggingface_hub import snapshot_download

        if (known := _known_snapshot(name, weights)) is not None:
            return known
        patterns = None if weights else list(_SMALL_FILES)
        return cache.make(
            _snapshot_name(source, weights),
            source,
            lambda folder: _ignored(snapshot_download(name, local_dir=folder, allow_patterns=patterns)),
        )
    except Exception as error:  # the hub raises a dozen unrelated types
        raise ModelSourceError(f"{source}: {error}") from error


def _snapshot_name(source: str, weights: bool) -> str:
    key = hashlib.sha256(f"{source}|{weights}".encode()).hexdigest()[:12]
    return f"{source.removeprefix(HF_SCHEME).replace('/', '--')}-{key}"


def _known_snapshot(name: str, weights: bool) -> Path | None:
    """A snapshot in the user's own Hugging Face cache that has what is needed."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, OSError):
        return None
    needed = ("config.json", "*.safetensors") if weights else ("config.json", "tokenizer.json")
    return folder if all(any(folder.glob(pattern)) for pattern in needed) else None


def _ignored(result: object) -> None:
    """The folder is known."""


def _converted(source: str, cache: ModelCache, progress: Progress) -> Path:
    gguf = _packaged_file(source)

    def convert(folder: Path) -> None:
        try:
            convert_in_subprocess(gguf, folder, progress)
        except (ConversionError, OSError) as error:
            raise ModelSourceError(f"{source}: cannot be converted: {error}") from error

    return cache.make(_converted_name(source, gguf), source, convert)


def _converted_name(source: str, gguf: Path) -> str:
    key = hashlib.sha256(f"{_FORMAT}|{source}|{gguf.stat().st_size}".encode()).hexdigest()[:12]
    return f"{gguf.stem}-{key}"


def _packaged_file(source: str) -> Path:
    package, _, name = source.removeprefix(GGUF_SCHEME).partition("/")
    if not package or not name:
        raise ModelSourceError(f"{source}: is not of the form {GGUF_SCHEME}package/file.gguf")
    spec = importlib.util.find_spec(package.replace("-", "_"))  # not imported: its own dependencies may be missing
    if spec is None or not spec.submodule_search_locations:
        raise ModelSourceError(f"{source}: the package {package!r} is not installed; pip install {package}")
    path = Path(spec.submodule_search_locations[0]) / name
    if not path.is_file():
        found = ", ".join(sorted(other.name for other in path.parent.glob("*.gguf"))) or "none"
        raise ModelSourceError(f"{source}: there is no {name!r} in the package {package!r}; its GGUF files: {found}")
    return path


def main() -> None:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as ProgressBar

    parser = argparse.ArgumentParser(prog="python -m catenary.runtime.models", description=__doc__)
    parser.add_argument("source")
    parser.add_argument("--cache-dir", type=Path, default=DEFAULT_CACHE)
    args = parser.parse_args()
    columns = (TextColumn("{task.description:<32}"), BarColumn(), TimeElapsedColumn())
    try:
        with ProgressBar(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("model", total=1.0)
            folder = resolve_source(
                args.source, args.cache_dir, lambda what, share: bar.update(task, description=what, completed=share)
            )
            bar.update(task, completed=1.0)
    except ModelSourceError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None
    print(folder)


if __name__ == "__main__":
    main()
