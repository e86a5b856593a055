"""How the control services of one cluster are started."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from catenary.runtime.config import CONFIG_VARIABLE
from catenary.runtime.process import Command

SERVICES = ("gateway", "router", "profiler", "provisioner")


@dataclass(frozen=True, slots=True)
class Addresses:
    """host:port of each control service."""

    gateway: str
    router: str
    profiler: str
    provisioner: str


def service_commands(config_path: Path, addresses: Addresses, store_url: str, log_dir: Path) -> dict[str, Command]:
    """One command per service. What was settled at the start goes to them, and to the workers, as variables."""
    environment = {
        CONFIG_VARIABLE: str(config_path),
        "CATENARY_STORE__URL": store_url,
        "CATENARY_TELEMETRY__LOG_DIR": str(log_dir),
        **{f"CATENARY_{name.upper()}__ADDRESS": address for name, address in asdict(addresses).items()},
    }
    return {
        name: Command(
            name,
            (sys.executable, "-m", f"catenary_{name}", "--config", str(config_path)),
            environment,
            log_dir / f"{name}.out",
        )
        for name in SERVICES
    }
