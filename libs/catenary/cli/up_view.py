"""What `catenary up` shows: a line per service and per replica."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from catenary.cli.replica_state import state_of
from catenary.runtime.kept_service import ServiceChanged
from catenary.v1 import provisioner_service_pb2 as pb
from catenary.v1.worker_service_pb2 import REPLICA_STATE_LOADING, ReplicaSnapshot

_STYLES = {
    "ready": "green",
    "external": "green",
    "AWAKE": "green",
    "failed": "bold red",
    "DEAD": "bold red",
    "backing off": "yellow",
}
_BAR_WIDTH = 24
_BRIEF_CHARS = 300


class UpView:
    """A rich renderable of the newest changes; ``lines_for`` gives the same to terminals that cannot redraw."""

    def __init__(self) -> None:
        self._services: dict[str, ServiceChanged] = {}
        self._plan = pb.Plan()
        self._told: dict[str, str] = {}

    def service(self, change: ServiceChanged) -> None:
        self._services[change.name] = change

    def plan(self, plan: pb.Plan) -> None:
        self._plan = plan

    @property
    def summary(self) -> str:
        """Empty until every worker is ready."""
        phases = [worker.phase for worker in self._plan.workers]
        gateways = [change.address for change in self._services.values() if change.name.startswith("gateway")]
        if not gateways or not phases or any(phase not in ("ready", "external") for phase in phases):
            return ""
        return f"ready: gateway at {','.join(gateways)}; Ctrl-C stops everything"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = Table(box=None, pad_edge=False, show_header=False)
        for change in self._services.values():
            detail = _brief(change.detail) or change.address
            table.add_row(change.name, _styled(change.state.value), Text(detail))
        for worker in self._plan.workers:
            table.add_row(f"worker {worker.worker_id}", _styled(worker.phase), Text(_worker_detail(worker)))
            for replica in worker.snapshot.replicas:
                state = state_of(replica)
                table.add_row(f"  {replica.model}", _styled(state), _replica_detail(replica))
        yield table
        yield Text(self.summary, style="bold green")

    def news(self) -> list[str]:
        """A line for each part whose state has changed since the last call."""
        states = {c.name: f"{c.state}{_after(_brief(c.detail))}" for c in self._services.values()}
        for worker in self._plan.workers:
            states[f"worker {worker.worker_id}"] = f"{worker.phase}{_after(_brief(worker.last_error))}"
            for replica in worker.snapshot.replicas:
                state = state_of(replica)
                states[f"{worker.worker_id}/{replica.model}"] = f"{state}{_after(_brief(replica.error))}"
        if self.summary:
            states["cluster"] = self.summary
        lines = [f"{name}: {state}" for name, state in states.items() if self._told.get(name) != state]
        self._told = states
        return lines


def _worker_detail(worker: pb.PlannedWorker) -> str:
    if worker.phase in ("ready", "external"):
        return worker.address
    wait = f"starts again in {worker.next_start_s:.1f} s; " if worker.next_start_s else ""
    return wait + (_brief(worker.last_error) or worker.address)


def _replica_detail(replica: ReplicaSnapshot) -> ProgressBar | Text:
    if replica.error:
        return Text(_brief(replica.error), style="red")
    if replica.state == REPLICA_STATE_LOADING:
        return ProgressBar(total=1.0, completed=replica.load_progress, width=_BAR_WIDTH)
    return Text(f"{replica.engine}, {replica.num_running} running, {replica.num_waiting} waiting")


def _styled(state: str) -> Text:
    return Text(state, style=_STYLES.get(state, "cyan"))


def _brief(text: str) -> str:
    """How something ended, and the last thing that it said."""
    lines = text.strip().splitlines()
    return " ".join((lines[0], lines[-1]))[:_BRIEF_CHARS] if len(lines) > 1 else text[:_BRIEF_CHARS]


def _after(detail: str) -> str:
    return f" ({detail})" if detail else ""
