"""Model folders of Llama shapes without weights, for engines started with ``load_format: dummy``.

    python loadtest/gpu/shapes.py --tokenizer FOLDER [--out /tmp/catenary-shapes]

Time on an accelerator depends on the shape, not on the values of the weights. The vocabulary is that of the tokenizer,
which is copied from FOLDER (a Hugging Face folder with tokenizer.json).
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

OUT = Path("/tmp/catenary-shapes")
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json")
VOCABULARY = 49_152

SHAPES: dict[str, dict[str, Any]] = {
    "llama-8b-shape": {
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "intermediate_size": 14336,
        "tie_word_embeddings": False,
    },
    "llama-3b-shape": {
        "hidden_size": 3072,
        "num_hidden_layers": 28,
        "num_attention_heads": 24,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "intermediate_size": 8192,
        "tie_word_embeddings": True,
    },
    "llama-1b-shape": {
        "hidden_size": 2048,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 64,
        "intermediate_size": 8192,
        "tie_word_embeddings": True,
    },
}


def config(shape: dict[str, Any]) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "mlp_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
        "dtype": "bfloat16",
        "hidden_act": "silu",
        "initializer_range": 0.02,
        "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_theta": 500_000.0, "rope_type": "default"},
        "use_cache": True,
        "vocab_size": VOCABULARY,
        **shape,
    }


def num_parameters(shape: dict[str, Any]) -> int:
    hidden, head = shape["hidden_size"], shape["head_dim"]
    attention = hidden * head * (2 * shape["num_attention_heads"] + 2 * shape["num_key_value_heads"])
    layer = attention + 3 * hidden * shape["intermediate_size"] + 2 * hidden
    embeddings = (1 if shape["tie_word_embeddings"] else 2) * VOCABULARY * hidden
    return int(shape["num_hidden_layers"] * layer + embeddings + hidden)


def kv_bytes_per_token(shape: dict[str, Any]) -> int:
    """Keys and values in bfloat16."""
    return int(2 * 2 * shape["num_hidden_layers"] * shape["num_key_value_heads"] * shape["head_dim"])


def write(out: Path, tokenizer: Path) -> None:
    for name, shape in SHAPES.items():
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config(shape), indent=1) + "\n")
        for file in TOKENIZER_FILES:
            if (tokenizer / file).exists():
                shutil.copyfile(tokenizer / file, folder / file)
        print(f"{folder}: {num_parameters(shape) / 1e9:.2f} billion parameters")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    write(args.out, args.tokenizer)


if __name__ == "__main__":
    main()
