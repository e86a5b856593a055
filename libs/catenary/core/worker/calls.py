"""The calls that a worker holds, and the epochs it has seen."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from catenary.core.worker.events import CallStart
from catenary.model.outcome import FinishReason
from catenary.model.worker import ResidentCall


@dataclass(slots=True)
class HeldCall:
    """A call in an engine. ``ending`` is set once it is being aborted, and is then how it will count."""

    handle: int
    start: CallStart
    output_tokens: int = 0
    running: bool = False
    ending: FinishReason | None = None
    error: str = ""

    def resident(self) -> ResidentCall:
        start = self.start
        return ResidentCall(
            start.call_id, start.attempt, start.router_epoch, self.output_tokens, start.prompt_tokens, self.running
        )


class CallTable:
    """Held calls by handle, by call and by model. One being aborted stays, unlisted, until its engine lets it go."""

    def __init__(self) -> None:
        self._by_handle: dict[int, HeldCall] = {}
        self._by_call: dict[str, HeldCall] = {}
        self._by_model: dict[str, set[int]] = {}
        self._listed: dict[str, int] = {}
        self._last_handle = 0

    def __len__(self) -> int:
        return len(self._by_handle)

    def __iter__(self) -> Iterator[HeldCall]:
        return iter(self._by_handle.values())

    def add(self, start: CallStart) -> HeldCall:
        self._last_handle += 1
        call = HeldCall(self._last_handle, start)
        self._by_handle[call.handle] = self._by_call[start.call_id] = call
        self._by_model.setdefault(start.model, set()).add(call.handle)
        self._listed[start.model] = self._listed.get(start.model, 0) + 1
        return call

    def get(self, handle: int) -> HeldCall | None:
        return self._by_handle.get(handle)

    def find(self, call_id: str) -> HeldCall | None:
        """The newest attempt of a call, unless it is being aborted."""
        return self._by_call.get(call_id)

    def end(self, call: HeldCall, reason: FinishReason, error: str) -> bool:
        """Mark a call as being aborted; False where it already is."""
        if call.ending is not None:
            return False
        call.ending, call.error = reason, error
        self._unlist(call)
        return True

    def remove(self, handle: int) -> HeldCall | None:
        call = self._by_handle.pop(handle, None)
        if call is None:
            return None
        self._by_model[call.start.model].discard(handle)
        if call.ending is None:
            self._unlist(call)
        return call

    def of_model(self, model: str) -> list[HeldCall]:
        """Every call in the model's engine, those being aborted included."""
        return [self._by_handle[handle] for handle in sorted(self._by_model.get(model, ()))]

    def end_all(self, model: str, reason: FinishReason, error: str) -> tuple[int, ...]:
        """Mark every call of the model's engine as being aborted; their handles, without those that already are."""
        return tuple(call.handle for call in self.of_model(model) if self.end(call, reason, error))

    def num_held(self, model: str) -> int:
        """Calls in the model's engine, those being aborted included."""
        return len(self._by_model.get(model, ()))

    def num_listed(self, model: str) -> int:
        """Calls that take a seat or a lookahead place."""
        return self._listed.get(model, 0)

    def _unlist(self, call: HeldCall) -> None:
        self._listed[call.start.model] -= 1
        if self._by_call.get(call.start.call_id) is call:
            del self._by_call[call.start.call_id]


class EpochGuard:
    """The highest epochs seen: of the router, and of the owner of each of the ``limit`` runs heard of last."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._runs: OrderedDict[str, int] = OrderedDict()
        self.router = 0

    def run(self, run_id: str) -> int:
        return self._runs.get(run_id, 0)

    def note_run(self, run_id: str, epoch: int) -> bool:
        """Remember an epoch; True where a lower one was known."""
        known = self._runs.get(run_id, 0)
        self._runs[run_id] = max(known, epoch)
        self._runs.move_to_end(run_id)
        if len(self._runs) > self._limit:
            self._runs.popitem(last=False)
        return 0 < known < epoch
