"""What ``catenary status`` shows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from catenary.cli.palette import seconds
from catenary.cli.replica_state import state_of
from catenary.v1 import dispatch_pb2, provisioner_service_pb2
from catenary.v1.worker_service_pb2 import ReplicaSnapshot

if TYPE_CHECKING:
    from catenary.cli.status import ClusterStatus, ServiceStatus

_STYLES = {
    "serving": "green",
    "ready": "green",
    "external": "green",
    "AWAKE": "green",
    "unreachable": "bold red",
    "DEAD": "bold red",
}


def status_view(status: ClusterStatus) -> Group:
    parts: list[RenderableType] = [_services(status.services)]
    if status.plan is not None and status.plan.workers:
        parts.append(_workers(status.plan.workers))
    if status.pools is not None and status.pools.pools:
        parts.append(_pools(status.pools.pools))
    if not status.gateway_answers:
        addresses = ", ".join(s.address for s in status.services if s.name == "gateway")
        parts.append(Text(f"no gateway at {addresses}: start one with `catenary up`", style="red"))
    return Group(*parts)


def _services(services: Iterable[ServiceStatus]) -> Table:
    table = Table("service", "address", "state", box=SIMPLE_HEAD, pad_edge=False)
    for service in services:
        table.add_row(service.name, Text(service.address), _styled(service.state))
    return table


def _workers(workers: Iterable[provisioner_service_pb2.PlannedWorker]) -> Table:
    table = Table("worker", "state", "replica", box=SIMPLE_HEAD, pad_edge=False)
    for title in ("running", "waiting", "KV", "restarts"):
        table.add_column(title, justify="right")
    table.add_column("engine", overflow="ellipsis", no_wrap=True)
    for worker in workers:
        head = [Text(worker.worker_id), _styled(worker.phase)]
        tail = [str(worker.restarts)]
        for replica in worker.snapshot.replicas:
            table.add_row(*head, *_replica(replica), *tail, Text(replica.error or replica.engine, style="dim"))
            head, tail = [Text(), Text()], [""]
        if not worker.snapshot.replicas:
            table.add_row(*head, "-", "-", "-", "-", *tail, Text(worker.last_error, style="dim"))
    return table


def _replica(replica: ReplicaSnapshot) -> tuple[Text, str, str, str]:
    state = state_of(replica)
    return (
        Text.assemble(replica.model, " ", _styled(state)),
        f"{replica.num_running}/{replica.max_num_seqs}",
        str(replica.num_waiting),
        f"{replica.kv_cache_usage:.0%}",
    )


def _pools(pools: Iterable[dispatch_pb2.PoolState]) -> Table:
    table = Table("pool", box=SIMPLE_HEAD, pad_edge=False)
    for title in ("replicas", "starting", "seats", "running", "queued", "queued work"):
        table.add_column(title, justify="right")
    for pool in pools:
        counts = (pool.num_replicas, pool.num_starting, pool.num_seats, pool.num_running, pool.num_queued)
        table.add_row(Text(pool.model), *map(str, counts), f"{seconds(pool.queued_work_s)} s")
    return table


def _styled(state: str) -> Text:
    return Text(state, style=_STYLES.get(state, "yellow"))
