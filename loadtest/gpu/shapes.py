"""Model folders of Llama shapes without weights, for engines started with ``load_format: dummy``.

    python loadtest/gpu/shapes.py --tokenizer FOLDER [--out /tmp/catenary-shapes] [--weights NAME ...]

Time on an accelerator depends on the shape, not on the values of the weights. The vocabulary is that of the tokenizer,
which is copied from FOLDER (a Hugging Face folder with tokenizer.json). The shapes named by ``--weights`` get a file
of random ones, for what depends on where they are.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OUT = Path("/tmp/catenary-shapes")
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json")
VOCABULARY = 49_152
INITIALIZER_RANGE = 0.02

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
        "initializer_range": INITIALIZER_RANGE,
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


def tensors(shape: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and size of each tensor, as Hugging Face names them."""
    hidden, inner, head = shape["hidden_size"], shape["intermediate_size"], shape["head_dim"]
    queries, keys = shape["num_attention_heads"] * head, shape["num_key_value_heads"] * head
    yield "model.embed_tokens.weight", (VOCABULARY, hidden)
    for layer in range(shape["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        for name, out, into in (
            ("q", queries, hidden),
            ("k", keys, hidden),
            ("v", keys, hidden),
            ("o", hidden, queries),
        ):
            yield f"{at}.self_attn.{name}_proj.weight", (out, into)
        for name, out, into in (("gate", inner, hidden), ("up", inner, hidden), ("down", hidden, inner)):
            yield f"{at}.mlp.{name}_proj.weight", (out, into)
        yield f"{at}.input_layernorm.weight", (hidden,)
        yield f"{at}.post_attention_layernorm.weight", (hidden,)
    yield "model.norm.weight", (hidden,)
    if not shape["tie_word_embeddings"]:
        yield "lm_head.weight", (VOCABULARY, hidden)


def write_weights(folder: Path, shape: dict[str, Any], seed: int = 7) -> None:
    """Random weights in bfloat16, normal with the deviation of an untrained Llama; norms are ones."""
    import torch
    from safetensors.torch import save_file

    device = "cuda" if torch.cuda.is_available() else "cpu"
    generator = torch.Generator(device).manual_seed(seed)
    found = {}
    for name, size in tensors(shape):
        if len(size) == 1:
            found[name] = torch.ones(size, dtype=torch.bfloat16)
            continue
        values = torch.empty(size, dtype=torch.bfloat16, device=device)
        found[name] = values.normal_(0.0, INITIALIZER_RANGE, generator=generator).cpu()
    save_file(found, folder / "model.safetensors", metadata={"format": "pt"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--weights", nargs="*", default=[], choices=list(SHAPES))
    args = parser.parse_args()
    write(args.out, args.tokenizer)
    for name in args.weights:
        write_weights(args.out / name, SHAPES[name])


if __name__ == "__main__":
    main()
