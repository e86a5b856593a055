"""A worker's configuration with two emulated models, one of known pace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from catenary.v1.workflow_pb2 import SamplingParams

STEP_S = 0.005
SLOW = {"prefill_base_s": 0.002, "step_base_s": STEP_S, "sleep_s": 0.05, "wake_s": 0.05}


def fixed(num_tokens: int) -> SamplingParams:
    return SamplingParams(max_tokens=num_tokens, min_tokens=num_tokens, ignore_eos=True)


def config(folder: Path, store_url: str, worker_id: str, **worker: Any) -> dict[str, Any]:
    profile = folder / "m.json"
    profile.write_text(json.dumps({"model": "m", "origin": "emulated", "engine": "emulated"} | SLOW))
    noop = folder / "noop.json"
    noop.write_text(json.dumps({"model": "noop", "origin": "emulated", "engine": "emulated"}))
    return {
        "store": {"url": store_url},
        "cache_dir": str(folder / "cache"),
        "worker": {"heartbeat_s": 0.1, "drain_timeout_s": 10.0} | worker,
        "models": {
            "m": {"engine": "emulated", "profile": str(profile), "max_num_seqs": 2, "lookahead": 1},
            "noop": {"engine": "emulated", "profile": str(noop), "max_num_seqs": 64},
        },
        "workers": [{"id": worker_id, "models": ["m", "noop"]}],
    }
