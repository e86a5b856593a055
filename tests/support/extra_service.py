"""A second gateway or a standby router beside a running cluster."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from catenary.runtime.cluster import Cluster
from catenary.runtime.process import Child, Command


@asynccontextmanager
async def extra_service(
    cluster: Cluster, kind: str, instance: str, config: Path, **environment: str
) -> AsyncIterator[tuple[Child, str]]:
    """The process and its address; ended by SIGTERM on leaving, unless it has ended."""
    addresses = asdict(cluster.addresses) | {kind: "127.0.0.1:0"}
    variables = {f"CATENARY_{name.upper()}__ADDRESS": address for name, address in addresses.items()}
    store = {"CATENARY_STORE__URL": cluster.store_url, "CATENARY_TELEMETRY__LOG_DIR": str(cluster.log_dir)}
    arguments = (sys.executable, "-m", f"catenary_{kind}", "--config", str(config), "--id", instance)
    command = Command(instance, arguments, variables | store | environment, cluster.log_dir / f"{instance}.out")
    child = await Child.spawn(command, cluster.scope)
    try:
        yield child, await child.ready(60.0)
    finally:
        if not child.has_ended:
            await child.stop(10.0)
