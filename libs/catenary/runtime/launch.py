"""How the control services of one cluster are started."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from catenary.runtime.config import CONFIG_VARIABLE, Config
from catenary.runtime.config.gateway import GATEWAY_PORT_STEP, GatewayConfig
from catenary.runtime.process import Command

SERVICES = ("gateway", "router", "profiler", "provisioner")


@dataclass(frozen=True, slots=True)
class Addresses:
    """host:port of each control service; ``gateways`` has that of every gateway, ``gateway`` first."""

    gateways: tuple[str, ...]
    router: str
    profiler: str
    provisioner: str

    @property
    def gateway(self) -> str:
        return self.gateways[0]


def wanted_addresses(config: Config) -> dict[str, str]:
    """host:port by process. Further gateways listen GATEWAY_PORT_STEP behind the one before; where the first one takes
    any free port, so do they."""
    host, _, first = config.gateway.address.rpartition(":")
    ports = (int(first) + GATEWAY_PORT_STEP * number if int(first) else 0 for number in range(config.gateway.count))
    gateways = {gateway_name(number): f"{host}:{port}" for number, port in enumerate(ports)}
    return gateways | {name: getattr(config, name).address for name in SERVICES[1:]}


def gateway_name(number: int) -> str:
    return f"gateway-{number}" if number else "gateway"


def addresses_of(settled: Mapping[str, str]) -> Addresses:
    others = {name: settled[name] for name in SERVICES[1:]}
    return Addresses(tuple(address for name, address in settled.items() if name not in others), **others)


def service_commands(
    config_path: Path, gateway: GatewayConfig, addresses: Addresses, store_url: str, log_dir: Path
) -> dict[str, Command]:
    """One command per process. What was settled at the start goes to them, and to the workers, as variables."""
    environment = {
        CONFIG_VARIABLE: str(config_path),
        "CATENARY_STORE__URL": store_url,
        "CATENARY_TELEMETRY__LOG_DIR": str(log_dir),
        **{f"CATENARY_{name.upper()}__ADDRESS": getattr(addresses, name) for name in SERVICES},
    }

    def command(name: str, service: str, own: Mapping[str, str], *arguments: str) -> Command:
        python = (sys.executable, "-m", f"catenary_{service}", "--config", str(config_path), *arguments)
        return Command(name, python, {**environment, **own}, log_dir / f"{name}.out")

    gateways = [command("gateway", "gateway", {})]
    for number, address in enumerate(addresses.gateways[1:], start=1):
        metrics_port = gateway.metrics_port + GATEWAY_PORT_STEP * number if gateway.metrics_port else 0
        own = {
            "CATENARY_GATEWAY__ADDRESS": address,
            "CATENARY_GATEWAY__METRICS_PORT": str(metrics_port),
            "CATENARY_GATEWAY__COUNT": "1",
        }
        gateways.append(command(gateway_name(number), "gateway", own, "--id", f"{gateway.id}-{number}"))
    others = [command(name, name, {}) for name in SERVICES[1:]]
    return {started.name: started for started in (*gateways, *others)}
