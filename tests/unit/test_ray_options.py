"""What a worker asks of a Ray cluster, and what it is told there; needs no Ray."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from catenary.runtime.config import Config, ConfigError, WorkerConfig, load_config
from catenary_provisioner.cluster.ray import RayCluster, RaySettings, actor_options, portable
from catenary_provisioner.cluster.ray_worker import RayStart, RayWorker

ROOT = Path(__file__).resolve().parents[2]


def test_a_worker_asks_for_its_accelerators_and_its_own_resources() -> None:
    sharded = WorkerConfig(id="w", models=["m"], device="0,1", num_accelerators=2, resources={"H100": 1})
    options = actor_options(sharded)
    assert (options["num_gpus"], options["num_cpus"], options["resources"]) == (2, 1, {"H100": 1})
    assert actor_options(WorkerConfig(id="w", models=["m"]))["num_gpus"] == 0


def test_the_configuration_of_a_node_is_whole_and_names_files_by_their_path() -> None:
    path = ROOT / "config" / "examples.yaml"
    values = portable(load_config(path), path)
    assert values["models"]["small"]["profile"] == str(ROOT / "profiles" / "emulated" / "a.json")
    assert Config(**values).workers[0].id == "w0"


def test_a_placed_worker_has_its_node_s_address_and_the_devices_that_ray_gave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    config = {"workers": [{"id": "w", "address": "127.0.0.1:0", "device": "0"}, {"id": "x", "address": "h:1"}]}
    placed = RayWorker(RayStart("w", config, "CUDA_VISIBLE_DEVICES"), "10.0.0.7").placed()
    assert placed["workers"][0] == {"id": "w", "address": "10.0.0.7:0", "device": "3"}
    assert placed["workers"][1] == config["workers"][1]


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed here")
def test_without_ray_the_start_says_what_to_install() -> None:
    with pytest.raises(ConfigError, match=r"needs the package ray; pip install 'catenary\[ray\]'"):
        RayCluster([], RaySettings("auto", {}, "CUDA_VISIBLE_DEVICES", 1.0), lambda event: None)
