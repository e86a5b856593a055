"""What ``catenary top`` shows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from catenary.cli.objectives import Objective
from catenary.cli.palette import seconds
from catenary.cli.replica_state import NOT_LOADED, state_of
from catenary.model.sizes import GIB
from catenary.v1 import dispatch_pb2, router_service_pb2
from catenary.v1 import provisioner_service_pb2 as pb
from catenary.v1.worker_service_pb2 import (
    REPLICA_STATE_ASLEEP,
    REPLICA_STATE_AWAKE,
    REPLICA_STATE_LOADING,
    ReplicaSnapshot,
)

if TYPE_CHECKING:
    from catenary.cli.status import ServiceStatus
    from catenary.cli.top import Look

MAX_DECISIONS = 8
_BAR_WIDTH = 6
_TIGHT = (0, 1, 0, 0)
_STYLES = {REPLICA_STATE_AWAKE: "green", REPLICA_STATE_ASLEEP: "blue", REPLICA_STATE_LOADING: "yellow"}
_SLACK = (
    ("late", "num_late", "bold red"),
    ("<1s", "num_under_1s", "red"),
    ("<5s", "num_under_5s", "yellow"),
    ("<30s", "num_under_30s", "green"),
    ("more", "num_over_30s", "green"),
    ("no deadline", "num_no_deadline", "dim"),
)


def top_view(look: Look) -> Group:
    """Services, accelerators, pools, objectives and the last decisions; made for 80 cells and more."""
    status = look.status
    parts: list[RenderableType] = [_services(status.services)]
    if status.plan is not None:
        parts.append(_accelerators(status.plan.workers))
    if status.pools is not None:
        parts.append(_pools(status.pools))
    if look.objectives:
        parts.append(_objectives(look.objectives))
    if status.plan is not None:
        parts.append(_decisions(status.plan, MAX_DECISIONS))
    return Group(*parts)


def plan_view(plan: pb.Plan | None) -> RenderableType:
    """The plan in force with the reasons of all decisions that the provisioner remembers."""
    if plan is None:
        return Text("no provisioner answers", style="red")
    return Group(_accelerators(plan.workers), _decisions(plan, len(plan.reasons)))


def _services(services: Iterable[ServiceStatus]) -> Text:
    line = Text("catenary top ", style="bold")
    for service in services:
        style = {"serving": "green", "not serving": "yellow"}.get(service.state, "bold red")
        line.append(f"  {service.name} ", style="default not bold")
        line.append(service.state, style=style)
    return line


def _accelerators(workers: Iterable[pb.PlannedWorker]) -> Table:
    table = Table("worker", "state", "accelerator", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("memory", justify="right", no_wrap=True)
    table.add_column("models, with running calls of seats", ratio=1)
    for worker in workers:
        snapshot = worker.snapshot
        count = f" x{snapshot.num_accelerators}" if snapshot.num_accelerators > 1 else ""
        table.add_row(
            Text(worker.worker_id),
            Text(worker.phase, style="green" if worker.phase in ("ready", "external") else "yellow"),
            Text((snapshot.accelerator or "-") + count, overflow="ellipsis", no_wrap=True),
            _memory(snapshot.memory_total_bytes, snapshot.memory_free_bytes),
            _residents(worker),
        )
    return table


def _memory(total_bytes: int, free_bytes: int) -> str:
    return f"{(total_bytes - free_bytes) / GIB:.0f}/{total_bytes / GIB:.0f} GiB" if total_bytes else "-"


def _residents(worker: pb.PlannedWorker) -> Text:
    parts = [_resident(replica) for replica in sorted(worker.snapshot.replicas, key=_awake_first)]
    return Text("   ").join(parts) if parts else Text(worker.last_error or "-", style="dim", overflow="ellipsis")


def _awake_first(replica: ReplicaSnapshot) -> tuple[bool, bool, str]:
    return (replica.state != REPLICA_STATE_AWAKE, replica.state != REPLICA_STATE_LOADING, replica.model)


def _resident(replica: ReplicaSnapshot) -> Text:
    state = state_of(replica)
    style = "dim" if state == NOT_LOADED else _STYLES.get(replica.state, "red")
    state = state.lower()
    if replica.state == REPLICA_STATE_LOADING:
        state = f"{state} {replica.load_progress:.0%}"
    text = Text.assemble((replica.model, "bold" if replica.state == REPLICA_STATE_AWAKE else ""), " ", (state, style))
    if replica.state == REPLICA_STATE_AWAKE:
        text.append(f" {replica.num_running}/{replica.max_num_seqs}")
    if replica.weights_cold:
        text.append(" cold", style="yellow")
    if replica.reserved:
        text.append(" set aside", style="yellow")
    return text


def _pools(answer: router_service_pb2.GetPoolsResponse) -> Table:
    waiting = {item.model: item for item in answer.waiting}
    table = Table("pool", box=SIMPLE_HEAD, pad_edge=False, padding=_TIGHT)
    table.add_column("replicas", no_wrap=True)
    table.add_column("seats taken", no_wrap=True)
    for title in ("queued", "work"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("queued, by slack", ratio=1)
    for pool in answer.pools:
        calls = waiting.get(pool.model, router_service_pb2.WaitingCalls())
        table.add_row(Text(pool.model), _replicas(pool), _seats(pool), *_queue(pool), _by_slack(calls))
    return table


def _replicas(pool: dispatch_pb2.PoolState) -> Text:
    text = Text(str(pool.num_replicas), style="" if pool.num_replicas else "red")
    if pool.num_starting:
        text.append(f" +{pool.num_starting} in {seconds(pool.ready_in_s)} s", style="yellow")
    return text


def _seats(pool: dispatch_pb2.PoolState) -> Table:
    row = Table.grid(padding=(0, 1))
    share = min(1.0, pool.num_running / pool.num_seats) if pool.num_seats else 0.0
    row.add_row(
        ProgressBar(total=1.0, completed=share, width=_BAR_WIDTH, finished_style="red"),
        f"{pool.num_running}/{pool.num_seats}",
    )
    return row


def _queue(pool: dispatch_pb2.PoolState) -> tuple[Text, str]:
    return Text(str(pool.num_queued), style="yellow" if pool.num_queued else ""), f"{seconds(pool.queued_work_s)} s"


def _by_slack(calls: router_service_pb2.WaitingCalls) -> Text:
    counts = [(getattr(calls, name), title, style) for title, name, style in _SLACK]
    parts = [Text(f"{count} {title}", style=style) for count, title, style in counts if count]
    return Text(", ").join(parts) if parts else Text("-", style="dim")


def _objectives(objectives: Iterable[Objective]) -> Table:
    table = Table("workflow", "tenant", box=SIMPLE_HEAD, pad_edge=False, padding=_TIGHT)
    for title in ("runs", "missed", "in time", "target"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("budget left", no_wrap=True)
    for title in ("median", "95 %"):
        table.add_column(title, justify="right", no_wrap=True)
    for item in objectives:
        style = "green" if item.attainment >= item.target else "bold red"
        table.add_row(
            Text(item.workflow),
            Text(item.tenant),
            str(item.num_runs),
            str(item.num_missed),
            Text(f"{item.attainment:.1%}", style=style),
            f"{item.target:.1%}" if item.target else "-",
            _budget(item),
            f"{seconds(item.e2e_median_s)} s",
            f"{seconds(item.e2e_p95_s)} s",
        )
    return table


def _budget(item: Objective) -> RenderableType:
    if not item.target:
        return Text("-", style="dim")
    row = Table.grid(padding=(0, 1))
    left = item.budget_left
    style = "green" if left > 0.5 else "yellow" if left > 0 else "red"
    bar = ProgressBar(
        total=1.0, completed=min(1.0, max(0.0, left)), width=_BAR_WIDTH, complete_style=style, finished_style=style
    )
    row.add_row(bar, Text(f"{round(100 * left)}%", style=style))
    return row


def _decisions(plan: pb.Plan, limit: int) -> RenderableType:
    title = Text(f"\nplan {plan.revision}, policy {plan.policy or '-'}: last decisions", style="bold")
    reasons = list(plan.reasons)[-limit:] if limit else []
    lines = [Text(f"  {reason}") for reason in reversed(reasons)] or [Text("  none yet", style="dim")]
    return Group(title, *lines)
