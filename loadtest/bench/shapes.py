"""Three vLLM engines awake on one GPU and a chain of a call to each, its lengths fixed (loadtest/gpu/chain.py)."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import yaml

from bench.fleet import Fleet
from bench.ray_serve.workflows import SHAPES
from bench.versions import ROOT
from gpu.prompts import Prompts

CLUSTER = ROOT / "loadtest" / "gpu" / "three_workers.cluster.yaml"
PROMPT_MEDIAN, PROMPT_SIGMA, PROMPT_RANGE = 256, 0.4, (32, 1024)


def gpu_fleet() -> Fleet:
    """Needs the model folders that loadtest/gpu/shapes.py writes. The engines are in one worker, whose router then
    knows by their profiles how much they slow each other."""
    config = yaml.safe_load(CLUSTER.read_text())
    models = {name: {**config["models"][name], "profile": _absolute(config["models"][name])} for name, _ in SHAPES}
    folder = Path(models[SHAPES[0][0]]["source"])
    prompts: list[Prompts] = []

    def inputs(draw: random.Random) -> dict[str, Any]:
        if not prompts:
            prompts.append(Prompts(folder, seed=41))
        least, most = PROMPT_RANGE
        size = round(PROMPT_MEDIAN * draw.lognormvariate(0.0, PROMPT_SIGMA))
        return {"prompt": prompts[0].text(min(max(size, least), most))}

    worker = {**config["workers"][0], "models": list(models)}
    return Fleet("vllm_gpu", models, [worker], workflow(), inputs, (1.5, 2.5, 4.0), 3.0)


def workflow() -> dict[str, Any]:
    """A call's prompt holds nothing of the texts before it, so that its length is known; it waits for them all the
    same."""
    calls: dict[str, Any] = {}
    before = ""
    for place, (model, tokens) in enumerate(SHAPES):
        after = f"{{{{ '' if {before}.text else '.' }}}}" if before else ""
        before = "abc"[place]
        calls[before] = {
            "model": model,
            "prompt": f"{{{{ inputs.prompt }}}}{after}",
            "max_tokens": tokens,
            "min_tokens": tokens,
            "ignore_eos": True,
        }
    slo = {"deadline": "3s", "attainment": 0.95, "on_miss": "fail"}
    return {"name": "shapes", "slo": slo, "inputs": {"prompt": "string"}, "calls": calls}


def _absolute(model: dict[str, Any]) -> str:
    return str((CLUSTER.parent / model["profile"]).resolve())
