"""Client processes that drive a server over the network, each round begun by all of them together."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

from overhead_ways import TOKENS, Asked, Timed, steady, through_catenary, through_serve, together

CLIENTS = 4
WAYS = {"catenary": through_catenary, "serve": through_serve}


@dataclass(frozen=True, slots=True)
class Work:
    """One round: ``asked`` together, or where ``seconds`` is given ``lanes`` of them under way for so long."""

    way: str
    addresses: tuple[str, ...]
    model: str
    asked: Sequence[Asked]
    tokens: int = TOKENS
    lanes: int = 0
    seconds: float = 0.0


def client_process(pipe: Any, barrier: Any) -> None:
    """Takes work until None; answers with the calls' times."""
    asyncio.run(_client(pipe, barrier))


async def _client(pipe: Any, barrier: Any) -> None:
    while (work := await asyncio.to_thread(pipe.recv)) is not None:
        async with WAYS[work.way](work.addresses, work.model, work.tokens) as call:
            await asyncio.to_thread(barrier.wait)
            if work.seconds:
                found = await steady(call, work.asked, work.lanes, work.seconds)
            else:
                found = await together(call, work.asked)
        pipe.send([astuple(one) for one in found])


class Clients:
    """Client processes that begin each round together."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._barrier = context.Barrier(CLIENTS)
        pairs = [context.Pipe() for _ in range(CLIENTS)]
        self._pipes = [mine for mine, _ in pairs]
        self._processes = [
            context.Process(target=client_process, args=(theirs, self._barrier), daemon=True) for _, theirs in pairs
        ]
        for process in self._processes:
            process.start()

    async def together(self, work: Work) -> list[Timed]:
        """The calls' times, in their order."""
        answers = await self._each(work)
        return [answers[n % CLIENTS][n // CLIENTS] for n in range(len(work.asked))]

    async def steady(self, work: Work) -> list[Timed]:
        return [timed for answer in await self._each(work) for timed in answer]

    async def _each(self, work: Work) -> list[list[Timed]]:
        """Every n-th call, lane and gateway first to the n-th process; what each of them answers."""
        for n, pipe in enumerate(self._pipes):
            lanes = len(range(n, work.lanes, CLIENTS))
            first = n % len(work.addresses)
            addresses = work.addresses[first:] + work.addresses[:first]
            pipe.send(replace(work, asked=work.asked[n::CLIENTS], lanes=lanes, addresses=addresses))
        answers = await asyncio.gather(*(asyncio.to_thread(pipe.recv) for pipe in self._pipes))
        return [[Timed(*one) for one in answer] for answer in answers]

    def close(self) -> None:
        for pipe in self._pipes:
            pipe.send(None)
        for process in self._processes:
            process.join(10)
