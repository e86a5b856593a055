"""What clients saw of their runs, and what must hold of it whatever failed meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from catenary.client import CallFinished, CallRestarted, CallTokens, RunAdmitted, RunEventBody, RunFinished, RunRefused
from catenary.model.outcome import Outcome
from catenary.model.workflow import CallRef


@dataclass(slots=True)
class History:
    """One submission as its client saw it: events with the number of the last numbered one; ``error`` ended it."""

    run_id: str
    events: list[tuple[int, RunEventBody]] = field(default_factory=list)
    error: str = ""

    @property
    def admitted(self) -> bool:
        return any(isinstance(event, RunAdmitted) for _, event in self.events)

    @property
    def outcome(self) -> Outcome | None:
        ends = [event.outcome for _, event in self.events if isinstance(event, RunFinished | RunRefused)]
        return ends[-1] if ends else None


def violations(histories: Iterable[History], kept: Mapping[str, Outcome | None]) -> list[str]:
    """What is wrong, one line each. ``kept``: outcomes of the runs that the cluster knows when all is over; None: has
    not ended."""
    found: list[str] = []
    for history in histories:
        found += [f"{history.run_id}: {problem}" for problem in _problems(history, kept)]
    return found


def _problems(history: History, kept: Mapping[str, Outcome | None]) -> list[str]:
    run_id = history.run_id
    if not history.events:
        return ["was never told and has not ended"] if run_id in kept and kept[run_id] is None else []
    if any(isinstance(event, RunRefused) for _, event in history.events):
        alone = [] if len(history.events) == 1 else ["has other events beside its refusal"]
        return alone + (["was refused and is kept"] if run_id in kept else [])
    return [*_of_end(history, kept), *_of_numbers(history), *_of_calls(history), *_of_tokens(history)]


def _of_end(history: History, kept: Mapping[str, Outcome | None]) -> list[str]:
    problems = []
    if not isinstance(history.events[0][1], RunAdmitted):
        problems.append("does not begin with its admission")
    if history.error:
        problems.append(f"was admitted and lost: {history.error}")
        return problems
    ends = [event for _, event in history.events if isinstance(event, RunFinished)]
    if len(ends) != 1 or history.events[-1][1] is not ends[0]:
        problems.append(f"has {len(ends)} ends, or events after its end")
    elif kept.get(history.run_id) is not ends[0].outcome:
        problems.append(f"ended {ends[0].outcome} and is kept as {kept.get(history.run_id)}")
    return problems


def _of_numbers(history: History) -> list[str]:
    last, problems = 0, []
    for number, event in history.events:
        if isinstance(event, CallTokens):
            continue
        if number != last + 1:
            problems.append(f"{type(event).__name__} is number {number} after {last}")
        last = number
    return problems


def _of_calls(history: History) -> list[str]:
    seen: set[CallRef] = set()
    problems = []
    for _, event in history.events:
        if isinstance(event, CallFinished):
            if event.record.ref in seen:
                problems.append(f"call {event.record.ref} finished twice")
            seen.add(event.record.ref)
        elif isinstance(event, CallTokens | CallRestarted) and event.ref in seen:
            problems.append(f"call {event.ref} goes on after its end")
    return problems


def _of_tokens(history: History) -> list[str]:
    num_tokens: dict[CallRef, int] = {}
    text: dict[CallRef, str] = {}
    problems = []
    for _, event in history.events:
        if isinstance(event, CallRestarted):
            num_tokens.pop(event.ref, None)
            text.pop(event.ref, None)
        elif isinstance(event, CallTokens):
            if event.offset != num_tokens.get(event.ref, 0):
                problems.append(f"call {event.ref}: tokens from {event.offset} after {num_tokens.get(event.ref, 0)}")
            num_tokens[event.ref] = event.offset + event.num_tokens
            text[event.ref] = text.get(event.ref, "") + event.text
        elif isinstance(event, CallFinished) and event.record.outcome is Outcome.SUCCEEDED:
            record = event.record
            if num_tokens.get(record.ref, 0) != record.output_tokens or text.get(record.ref, "") != record.text:
                problems.append(
                    f"call {record.ref}: {num_tokens.get(record.ref, 0)} tokens streamed of {record.output_tokens}"
                )
    return problems
