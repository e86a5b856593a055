"""A GGUF file turned into a folder that every engine reads: bfloat16 safetensors, tokenizer.json, chat template.

``python -m catenary.runtime.gguf_conversion FILE FOLDER`` prints a line "SHARE WHAT" at each stage. It is a process of
its own so that no caller has to import torch.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

Progress = Callable[[str, float], None]
_TAIL_CHARACTERS = 2000


class ConversionError(Exception):
    """The conversion process failed; the text is the end of what it wrote."""


def convert_in_subprocess(gguf: Path, folder: Path, progress: Progress) -> None:
    """Run ``convert_gguf`` in a process that ends with this one. Blocks; raises ConversionError."""
    command = [sys.executable, "-m", "catenary.runtime.gguf_conversion", str(gguf), str(folder)]
    environment = {
        **os.environ,
        "TQDM_DISABLE": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "CATENARY_PARENT": str(os.getpid()),
    }
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment
    ) as process:
        assert process.stdout is not None
        tail = ""
        for line in process.stdout:
            share, _, what = line.strip().partition(" ")
            try:
                progress(what, float(share))
            except ValueError:
                tail = (tail + line)[-_TAIL_CHARACTERS:]
    if process.returncode:
        raise ConversionError(tail.strip() or f"exit code {process.returncode}")


def convert_gguf(gguf: Path, folder: Path, progress: Progress) -> None:
    """Write the model in ``gguf`` to ``folder``. Needs torch, transformers, gguf and accelerate."""
    progress("loading libraries", 0.05)
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    progress("reading the tokenizer", 0.4)
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    progress("reading the weights", 0.6)
    model: Any = AutoModelForCausalLM.from_pretrained(
        str(gguf.parent), gguf_file=gguf.name, dtype=torch.bfloat16, low_cpu_mem_usage=True
    )
    progress("writing the weights", 0.9)
    _clear_quantization(model)
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    progress("converted", 1.0)


def _clear_quantization(model: Any) -> None:
    """The weights are dequantized on reading, but the model still says it is quantized and refuses to be saved."""
    model.hf_quantizer = None
    model.is_quantized = False
    model.config.__dict__.pop("quantization_config", None)


def _print_progress(what: str, share: float) -> None:
    print(f"{share:.2f} {what}", flush=True)


if __name__ == "__main__":
    from catenary.runtime.service import die_with_parent

    die_with_parent()
    warnings.simplefilter("ignore")
    convert_gguf(Path(sys.argv[1]), Path(sys.argv[2]), _print_progress)
