"""How long messages and writes take at a moment, and how far each part's clock is ahead."""

from __future__ import annotations

from collections.abc import Sequence

from catenary.simulation.faults import ClockOffset, Fault, SlowNetwork, SlowStore, StaleSnapshots
from catenary.simulation.heap import EventHeap
from catenary.simulation.sections import Delays


class Network:
    """Messages between two parts keep their order, as those of one stream do."""

    def __init__(self, heap: EventHeap, delays: Delays, faults: Sequence[Fault]) -> None:
        self.heap = heap
        self.delays = delays
        self._hops = [fault for fault in faults if isinstance(fault, SlowNetwork)]
        self._stores = [fault for fault in faults if isinstance(fault, SlowStore)]
        self._snapshots = [fault for fault in faults if isinstance(fault, StaleSnapshots)]
        self._offsets = {fault.part: fault.offset_s for fault in faults if isinstance(fault, ClockOffset)}
        self._latest: dict[str, float] = {}

    def offset_s(self, part: str) -> float:
        """What the clock of ``part`` shows beyond true time."""
        return self._offsets.get(part, 0.0)

    def hop_s(self) -> float:
        return self.delays.network_s + self._extra(self._hops)

    def store_s(self) -> float:
        return self.delays.store_s + self._extra(self._stores)

    def snapshot_s(self) -> float:
        return self.hop_s() + self.delays.snapshot_delay_s + self._extra(self._snapshots)

    def arrival(self, stream: str, delay_s: float) -> float:
        """When a message sent now over ``stream`` arrives: never before the one sent ahead of it."""
        at = max(self.heap.now + delay_s, self._latest.get(stream, 0.0))
        self._latest[stream] = at
        return at

    def _extra(self, faults: Sequence[SlowNetwork | SlowStore | StaleSnapshots]) -> float:
        if not faults:
            return 0.0
        now = self.heap.now
        return sum(fault.delay_s for fault in faults if fault.from_s <= now < fault.until_s)
