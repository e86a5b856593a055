"""How far a run of a workflow has come: which calls are ready, skipped or ended, and the output at its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from catenary.core.expansion import CallError, ChatMessageText, ReadyCall, expand
from catenary.core.run_output import run_output
from catenary.model.compiled import CompiledWorkflow
from catenary.model.outcome import Outcome
from catenary.model.template import Budget, CallResult, Missing, SkippedError, TemplateError
from catenary.model.value import Value
from catenary.model.workflow import CallRef, Limits

__all__ = ["CallState", "ChatMessageText", "Ended", "ReadyCall", "RunProgress", "Step"]

CallState = Literal["pending", "active", "finished", "skipped"]


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a run. ``output`` is a JSON value, None unless it succeeded; ``failed`` the call that ended it."""

    outcome: Outcome
    output: Any = None
    reason: str = ""
    failed: CallRef | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What one event changed."""

    ready: tuple[ReadyCall, ...] = ()
    skipped: tuple[CallRef, ...] = ()
    ended: Ended | None = None


class RunProgress:
    """One run, stepped by the ends of its calls.

    The same events in the same order give the same state, so a run is rebuilt by replaying its finished calls.
    """

    def __init__(self, compiled: CompiledWorkflow, inputs: Mapping[str, Any], limits: Limits) -> None:
        """``inputs`` come from ``bind_inputs``."""
        self._compiled = compiled
        self._limits = limits
        self._values: dict[str, Value] = {"inputs": dict(inputs)}
        self._waiting = {call.name: len(call.parents) for call in compiled.calls}
        self._states: dict[str, CallState] = {call.name: "pending" for call in compiled.calls}
        self._results: dict[str, dict[int | None, CallResult]] = {}
        self._items: dict[str, tuple[Value, ...]] = {}
        self._num_open = len(compiled.calls)
        self._num_started = 0
        self._ended: Ended | None = None

    @property
    def ended(self) -> Ended | None:
        """The end of the run, once it has one."""
        return self._ended

    def state(self, name: str) -> CallState:
        """A map is active while any of its items is, and finished once all are."""
        return self._states[name]

    def items(self, name: str) -> int | None:
        """Number of items of a map, None while it is not known and for other calls."""
        found = self._items.get(name)
        return None if found is None else len(found)

    def done(self, name: str) -> int:
        """Number of finished items; of a plain call 0 or 1."""
        return len(self._results.get(name, ()))

    def start(self) -> Step:
        """The calls without parents. To be called once."""
        return self._settle(deque(call.name for call in self._compiled.calls if not call.parents))

    def finish(self, ref: CallRef, text: str) -> Step:
        """A call gave its text. A repeated end, or one after the end of the run, changes nothing.

        Raises:
            ValueError: the call was never ready.
        """
        results = self._open_results(ref)
        if self._ended is not None or results is None or ref.index in results:
            return Step()
        name, index = ref.name, ref.index
        items = self._items.get(name)
        item = None if items is None or index is None else items[index]
        result = CallResult(str(ref), text, item, index)
        results[index] = result
        if items is None:
            return self._close(name, result)
        if len(results) < len(items):
            return Step()
        return self._close(name, [results[position] for position in range(len(items))])

    def fail(self, ref: CallRef, outcome: Outcome, reason: str) -> Step:
        """A call failed, and so does its run, with the call's outcome. After the end of the run nothing changes.

        Raises:
            ValueError: the call was never ready, or the outcome is no failure.
        """
        if outcome in (Outcome.SUCCEEDED, Outcome.SKIPPED):
            raise ValueError(f"{ref}: {outcome} is no failure")
        results = self._open_results(ref)
        if self._ended is not None or results is None or ref.index in results:
            return Step()
        return self._end(Ended(outcome, None, f"calls.{ref}: {reason}", ref))

    def _open_results(self, ref: CallRef) -> dict[int | None, CallResult] | None:
        """The results of an active call so far, None where it has already ended."""
        state = self._states.get(ref.name)
        items = self._items.get(ref.name)
        known_index = ref.index is None if items is None else ref.index is not None and 0 <= ref.index < len(items)
        if state is None or state == "pending" or not known_index:
            raise ValueError(f"{ref}: no such call is under way; its state is {state or 'unknown'}")
        return self._results.setdefault(ref.name, {}) if state == "active" else None

    def _close(self, name: str, value: Value) -> Step:
        self._states[name] = "finished"
        return self._settle(self._resolve(name, value))

    def _resolve(self, name: str, value: Value) -> deque[str]:
        """Give a call its value; the children that waited for nothing else."""
        self._values[name] = value
        self._num_open -= 1
        freed: deque[str] = deque()
        for child in self._compiled.children(name):
            self._waiting[child] -= 1
            if self._waiting[child] == 0:
                freed.append(child)
        return freed

    def _settle(self, names: deque[str]) -> Step:
        """Start or skip the calls named, and what a skip or an empty map frees in turn."""
        ready: list[ReadyCall] = []
        skipped: list[CallRef] = []
        budget = Budget()
        while names:
            name = names.popleft()
            compiled = self._compiled.by_name[name]
            try:
                expansion = expand(compiled, self._values, budget, self._limits, self._num_started)
            except SkippedError as error:
                self._states[name] = "skipped"
                skipped.append(CallRef(name))
                names.extend(self._resolve(name, Missing(str(error), skipped=True)))
                continue
            except CallError as error:
                return self._end(Ended(Outcome.FAILED, None, error.reason, error.ref), skipped)
            self._num_started += len(expansion.calls)
            ready += expansion.calls
            self._states[name] = "active"
            if expansion.items is not None:
                self._items[name] = expansion.items
                if not expansion.items:
                    self._states[name] = "finished"
                    names.extend(self._resolve(name, []))
        if self._num_open == 0:
            return self._end(self._succeed(), skipped)
        return Step(tuple(ready), tuple(skipped))

    def _succeed(self) -> Ended:
        try:
            output = run_output(self._compiled, self._values, self._limits.max_output_bytes)
        except TemplateError as error:
            return Ended(Outcome.FAILED, None, f"output: {error}")
        return Ended(Outcome.SUCCEEDED, output)

    def _end(self, ended: Ended, skipped: Sequence[CallRef] = ()) -> Step:
        self._ended = ended
        return Step((), tuple(skipped), ended)
