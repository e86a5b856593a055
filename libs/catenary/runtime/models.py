"""Where the weights of a model are: a local folder in Hugging Face format, made once from its source.

``python -m catenary.runtime.models SOURCE`` prints that folder.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.util
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from catenary.runtime.gguf_conversion import ConversionError, Progress, convert_in_subprocess

HF_SCHEME = "hf://"
GGUF_SCHEME = "gguf+package://"
DEFAULT_CACHE = Path("~/.cache/catenary")
_DONE = "catenary-model.txt"
_FORMAT = 1  # raised when the conversion writes something else than before


class ModelSourceError(Exception):
    """A model's source cannot be used. The text names the source and what is wrong with it."""


def resolve_source(source: str, cache_dir: Path, progress: Progress | None = None) -> Path:
    """The folder with config.json, tokenizer.json and weights that ``source`` stands for; blocks while it is made.

    ``source`` is a folder, ``hf://org/name`` (the local Hugging Face cache is asked first) or
    ``gguf+package://package/file.gguf``, which is converted to bfloat16 once per cache folder: processes that ask at
    the same time wait for one of them. ``progress`` gets (what is done, share 0..1).

    Raises:
        ModelSourceError: there is no such source, or it cannot be converted.
    """
    if not source:
        raise ModelSourceError("source is empty; give a folder, hf://org/name or gguf+package://package/file.gguf")
    if source.startswith(GGUF_SCHEME):
        return _converted(source, cache_dir.expanduser(), progress or _silent)
    if source.startswith(HF_SCHEME):
        return _snapshot(source)
    folder = Path(source).expanduser()
    if not (folder / "config.json").is_file():
        raise ModelSourceError(f"{source}: has no config.json; a model folder in Hugging Face format is needed")
    return folder.resolve()


def _silent(what: str, share: float) -> None:
    """No progress is wanted."""


def _snapshot(source: str) -> Path:
    name = source.removeprefix(HF_SCHEME)
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(name))
    except Exception as error:  # the hub raises a dozen unrelated types
        raise ModelSourceError(f"{source}: {error}") from error


def _converted(source: str, cache_dir: Path, progress: Progress) -> Path:
    gguf = _packaged_file(source)
    key = hashlib.sha256(f"{_FORMAT}|{source}|{gguf.stat().st_size}".encode()).hexdigest()[:12]
    folder = cache_dir / "models" / f"{gguf.stem}-{key}"
    if (folder / _DONE).is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_name(folder.name + ".lock")):
        if (folder / _DONE).is_file():
            return folder
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            convert_in_subprocess(gguf, partial, progress)
        except (ConversionError, OSError) as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise ModelSourceError(f"{source}: cannot be converted: {error}") from error
        (partial / _DONE).write_text(f"{source}\n")
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    return folder


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


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on ``path`` between processes; the kernel frees it when the holder dies."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


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
