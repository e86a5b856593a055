"""Configuration of a loopback cluster whose models share workers, one_awake each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

MODELS = ("left", "middle", "right")
STEP_S = 0.01


def write_config(
    folder: Path,
    tokens: int,
    workers: Sequence[str],
    *,
    profile: Mapping[str, float] | None = None,
    worker: Mapping[str, Any] | None = None,
    provisioner: Mapping[str, Any] | None = None,
) -> Path:
    """Three models, which give ``tokens`` tokens, on each of ``workers``, moved by `risk`; the mappings hold what else
    the profiles, the workers and the provisioner are to have."""
    models = {}
    for name in MODELS:
        path = folder / f"{name}.json"
        fixed = {"model": name, "accelerator": "emulated", "engine": "emulated", "origin": "emulated"}
        times = {"prefill_base_s": 0.001, "step_base_s": STEP_S, "sleep_s": 0.05, "wake_s": 0.1}
        path.write_text(json.dumps({**fixed, **times, "max_num_seqs": 8, **(profile or {})}))
        models[name] = {"engine": "emulated", "profile": str(path), "max_num_seqs": 8, "default_output_tokens": tokens}
    quick = {"plan_interval_s": 0.2, "demand_interval_s": 0.1, "replica_price": 0.0}
    planning: dict[str, Any] = {"address": "127.0.0.1:0", "policy": "risk", **quick, **(provisioner or {})}
    config = {
        "models": models,
        "workers": [{"id": name, "models": list(MODELS), "one_awake": True, **(worker or {})} for name in workers],
        "store": {"data_dir": str(folder / "store")},
        "provisioner": planning,
        "profiler": {"address": "127.0.0.1:0", "profiles_dir": str(folder / "profiles")},
        **{name: {"address": "127.0.0.1:0"} for name in ("gateway", "router")},
    }
    path = folder / "catenary.yaml"
    path.write_text(yaml.safe_dump(config))
    return path
