"""Marks in time where a run passes from one service to the next; what loadtest/gpu/hops.py reads.

A Python process imports this by itself where its path has this folder. With CATENARY_MARKS=FOLDER the services write
lines of (place, id, seconds of time.monotonic()) there, one file a process; ids are run ids or call ids, which begin
with them. Processes of one machine share that clock. A place whose function is gone is left out.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import importlib.abc
import importlib.util
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

FLUSH_S = 0.5
Ids = Callable[[tuple[Any, ...], Any], Iterable[str]]


class Marks:
    """Each (place, id) is written once, the first time. ``on`` follows the file of that name."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.on = False
        self._switch = folder / "on"
        self._file = (folder / f"{os.getpid()}.jsonl").open("a")
        self._seen: set[tuple[str, str]] = set()
        self._new: list[tuple[str, str, float]] = []
        atexit.register(self.flush)
        threading.Thread(target=self._flush_often, daemon=True, name="marks").start()

    def add(self, place: str, ids: Iterable[str], at: float | None = None) -> None:
        at = time.monotonic() if at is None else at
        for one in ids:
            if (place, one) not in self._seen:
                self._seen.add((place, one))
                self._new.append((place, one, at))

    def flush(self) -> None:
        new, self._new = self._new, []
        self._file.writelines(json.dumps(mark) + "\n" for mark in new)
        self._file.flush()

    def _flush_often(self) -> None:
        while True:
            time.sleep(FLUSH_S)
            self.on = self._switch.exists()
            self.flush()


def starts(arguments: tuple[Any, ...], result: Any) -> Iterable[str]:
    return [start.call_id for start in arguments[2].starts]


def offers(arguments: tuple[Any, ...], result: Any) -> Iterable[str]:
    return [offer.call_id for offer in arguments[1].offers]


def offered(arguments: tuple[Any, ...], result: Any) -> Iterable[str]:
    return [offer.call_id for offer in result.offers]


def assigned(arguments: tuple[Any, ...], result: Any) -> Iterable[str]:
    return [one.call_id for one in arguments[1].assignments]


def assignments(arguments: tuple[Any, ...], result: Any) -> Iterable[str]:
    return [one.call_id for one in result.assignments]


def deltas(arguments: tuple[Any, ...], result: Any) -> Iterable[str]:
    return [delta.call_id for delta in arguments[1].deltas]


def sent_deltas(arguments: tuple[Any, ...], result: Any) -> Iterable[str]:
    return [delta.call_id for delta in result.deltas]


# module: (class or "", function, place, ids of arguments and result, whether the mark stands before the function)
PLACES: dict[str, list[tuple[str, str, str, Ids, bool]]] = {
    "catenary_gateway.servicer": [
        ("GatewayServicer", "SubmitWorkflow", "gateway receives", lambda a, r: [a[1].run_id], True),
    ],
    "catenary_gateway.shell": [
        ("Gateway", "submit", "gateway has parsed", lambda a, r: [a[1].run_id], True),
        ("Gateway", "submit", "gateway has decided", lambda a, r: [a[1].run_id], False),
    ],
    "catenary_gateway.keeper": [("RunKeeper", "_created", "store has it", lambda a, r: [a[1]], True)],
    "catenary_gateway.router_link": [
        ("RouterLink", "_to_request", "gateway offers", offered, False),
        ("RouterLink", "_take", "gateway hears the place", assigned, True),
    ],
    "catenary_router.servicer": [
        ("RouterServicer", "_take", "router receives", offers, True),
        ("", "to_response", "router has placed", assignments, False),
    ],
    "catenary_gateway.worker_links": [
        ("", "start_to_proto", "gateway starts it", lambda a, r: [a[0].call_id], True),
        ("WorkerLink", "_take", "gateway has a token", deltas, True),
    ],
    "catenary_worker.calls": [("CallExchange", "take", "worker receives", starts, True)],
    "catenary_worker.vllm_call": [
        ("VllmCall", "_generate", "engine is asked", lambda a, r: [a[0].call.call_id], True),
        ("VllmCall", "_begin", "worker has a token", lambda a, r: [a[0].call.call_id], True),
    ],
    "catenary_worker.streams": [("GatewayStream", "__anext__", "worker sends a token", sent_deltas, False)],
}


class TokenWrites:
    """A servicer's context that marks a run's first message with a token, before and after it is written."""

    def __init__(self, context: Any, run_id: str, marks: Marks) -> None:
        self._context = context
        self._ids = [run_id]
        self._marks = marks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def write(self, message: Any) -> None:
        ids = self._ids if any(event.HasField("call_tokens") for event in message.events) else []
        self._marks.add("gateway writes it", ids)
        await self._context.write(message)
        self._marks.add("gateway has written it", ids)


def engine_times(marks: Marks, call: Any, output: Any) -> None:
    """vLLM's own marks: taken in by the engine's process, scheduled, first token; the same clock."""
    times = output.metrics
    for place, at in (
        ("engine takes it in", times.queued_ts),
        ("engine schedules it", times.scheduled_ts),
        ("engine has a token", times.first_token_ts),
    ):
        if at:
            marks.add(place, [call.call.call_id], at)


def wrapped(function: Callable[..., Any], place: str, ids: Ids, before: bool, marks: Marks) -> Callable[..., Any]:
    def note(arguments: tuple[Any, ...], result: Any) -> None:
        if not marks.on:
            return
        with contextlib.suppress(AttributeError, IndexError):  # its arguments are others now
            marks.add(place, ids(arguments, result))
        if place == "worker has a token" and arguments[1].metrics is not None:
            engine_times(marks, arguments[0], arguments[1])

    if asyncio.iscoroutinefunction(function):

        async def later(*arguments: Any, **named: Any) -> Any:
            if before:
                note(arguments, None)
            if place == "gateway receives" and marks.on:
                arguments = (*arguments[:2], TokenWrites(arguments[2], arguments[1].run_id, marks), *arguments[3:])
            result = await function(*arguments, **named)
            if not before:
                note(arguments, result)
            return result

        return functools.wraps(function)(later)

    def at_once(*arguments: Any, **named: Any) -> Any:
        if before:
            note(arguments, None)
        result = function(*arguments, **named)
        if not before:
            note(arguments, result)
        return result

    return functools.wraps(function)(at_once)


class MarkedModules(importlib.abc.MetaPathFinder):
    """Wraps the functions of a module of ``PLACES`` as soon as it is imported."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name not in PLACES:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def run(module: Any) -> None:
            load(module)
            self._wrap(module)

        spec.loader.exec_module = run  # type: ignore[method-assign]
        return spec

    def _wrap(self, module: Any) -> None:
        for owner, name, place, ids, before in PLACES[module.__name__]:
            holder = getattr(module, owner, None) if owner else module
            function = getattr(holder, name, None)
            if function is not None:
                setattr(holder, name, wrapped(function, place, ids, before, self._marks))


if os.environ.get("CATENARY_MARKS") and any("catenary_" in argument for argument in sys.orig_argv[:4]):
    sys.meta_path.insert(0, MarkedModules(Marks(Path(os.environ["CATENARY_MARKS"]))))
