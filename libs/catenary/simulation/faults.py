"""What goes wrong in a scenario, and when."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Moment = Annotated[float, Field(ge=0, le=86_400)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WorkerCrash(_Section):
    """The worker dies with its calls and takes calls again ``restart_s`` later."""

    kind: Literal["worker_crash"]
    worker: str
    at_s: Moment
    restart_s: Moment = 10.0


class SlowStart(_Section):
    """The worker is loading until ``until_s``."""

    kind: Literal["slow_start"]
    worker: str
    until_s: Moment


class WorkerDrain(_Section):
    """The worker takes no new calls between the two moments; those it has go on."""

    kind: Literal["worker_drain"]
    worker: str
    at_s: Moment
    until_s: Moment


class ClockOffset(_Section):
    """The clock of ``part`` ("router", a gateway or a worker) is ahead by ``offset_s``."""

    kind: Literal["clock_offset"]
    part: str
    offset_s: float = Field(ge=-86_400, le=86_400)


class StaleSnapshots(_Section):
    """Snapshots reach the router ``delay_s`` late between the two moments."""

    kind: Literal["stale_snapshots"]
    delay_s: Moment
    from_s: Moment = 0.0
    until_s: Moment = 86_400.0


class SlowNetwork(_Section):
    """Every hop takes ``delay_s`` longer between the two moments."""

    kind: Literal["slow_network"]
    delay_s: Moment
    from_s: Moment = 0.0
    until_s: Moment = 86_400.0


class SlowStore(_Section):
    """The store answers ``delay_s`` later between the two moments."""

    kind: Literal["slow_store"]
    delay_s: Moment
    from_s: Moment = 0.0
    until_s: Moment = 86_400.0


Fault = Annotated[
    WorkerCrash | SlowStart | WorkerDrain | ClockOffset | StaleSnapshots | SlowNetwork | SlowStore,
    Field(discriminator="kind"),
]
