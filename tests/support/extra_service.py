"""A second gateway or a standby router beside a running cluster."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from catenary.runtime.cluster import Cluster
from catenary.runtime.kept_service import KeepSettings, KeptService
from catenary.runtime.launch import SERVICES
from catenary.runtime.ports import settle_addresses
from catenary.runtime.process import Child, Command

STOP_GRACE_S = 10.0


def extra_command(
    cluster: Cluster,
    kind: str,
    instance: str,
    config: Path,
    address: str = "127.0.0.1:0",
    more: Mapping[str, str] | None = None,
) -> Command:
    """A further instance of a service at a free port, with ``more`` environment variables."""
    settled = {name: getattr(cluster.addresses, name) for name in SERVICES}
    addresses = settled | settle_addresses({kind: address})
    variables = {f"CATENARY_{name.upper()}__ADDRESS": address for name, address in addresses.items()}
    store = {"CATENARY_STORE__URL": cluster.store_url, "CATENARY_TELEMETRY__LOG_DIR": str(cluster.log_dir)}
    arguments = (sys.executable, "-m", f"catenary_{kind}", "--config", str(config), "--id", instance)
    return Command(instance, arguments, variables | store | dict(more or {}), cluster.log_dir / f"{instance}.out")


@asynccontextmanager
async def extra_service(cluster: Cluster, kind: str, instance: str, config: Path) -> AsyncIterator[tuple[Child, str]]:
    """The process and its address; ended by SIGTERM on leaving, unless it has ended."""
    child = await Child.spawn(extra_command(cluster, kind, instance, config), cluster.scope)
    try:
        yield child, await child.ready(60.0)
    finally:
        if not child.has_ended:
            await child.stop(STOP_GRACE_S)


@asynccontextmanager
async def kept_extra_service(
    cluster: Cluster,
    kind: str,
    instance: str,
    config: Path,
    settings: KeepSettings,
    address: str = "127.0.0.1:0",
    more: Mapping[str, str] | None = None,
) -> AsyncIterator[KeptService]:
    """The same, started again at its address whenever it ends."""
    command = extra_command(cluster, kind, instance, config, address, more)
    service = KeptService(command, cluster.scope, settings, lambda change: None)
    await service.start()
    try:
        yield service
    finally:
        await service.stop(STOP_GRACE_S)
