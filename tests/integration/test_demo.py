"""scripts/demo on emulated engines: it succeeds, and whenever it is interrupted nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    models = {}
    for name in ("small", "large"):
        profile = tmp_path / f"{name}.json"
        fixed = {"model": name, "accelerator": "emulated", "engine": "emulated", "origin": "measured"}
        profile.write_text(json.dumps({**fixed, "prefill_base_s": 0.002, "step_base_s": 0.004, "max_num_seqs": 8}))
        models[name] = {"engine": "emulated", "profile": str(profile), "max_num_seqs": 8}
    sections = {
        "models": models,
        "workers": [{"id": "w0", "models": ["small"]}, {"id": "w1", "models": ["large"]}],
        "cache_dir": str(tmp_path / "cache"),
        **{name: {"address": "127.0.0.1:0"} for name in ("gateway", "router", "profiler", "provisioner")},
    }
    path = tmp_path / "demo.yaml"
    path.write_text(yaml.safe_dump(sections))
    return path


def start(config: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "scripts" / "demo"), "--config", str(config), *arguments]
    environment = {**os.environ, "TMPDIR": str(config.parent), "COLUMNS": "100"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def left(folder: Path) -> list[str]:
    """Command lines of living processes that name ``folder``."""
    found = []
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if str(folder) in line:
            found.append(line)
    return found


def test_it_succeeds_within_the_deadline_and_leaves_nothing(config: Path) -> None:
    picture = config.parent / "demo.svg"
    with start(config, "--picture", str(picture)) as demo:
        output, _ = demo.communicate(timeout=100)
    assert demo.returncode == 0, output
    assert "deadline 2 times that" in output
    assert " MET " in output
    assert output.rstrip().endswith("stopping everything that was started")
    assert picture.read_text().startswith("<svg")
    assert left(config.parent) == []
    assert not list(config.parent.glob("catenary-demo-*"))


@pytest.mark.parametrize("words", ["5. stop", "gateway: ready", "AWAKE", "admitted"])
def test_an_interrupt_stops_everything_at_any_moment(config: Path, words: str) -> None:
    with start(config) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if words in line:
                break
        demo.send_signal(signal.SIGINT)
        output = demo.stdout.read()
    assert demo.returncode == 130, output
    assert left(config.parent) == []
    assert not list(config.parent.glob("catenary-demo-*"))
