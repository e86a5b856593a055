"""Client processes that drive a server over the network, each round begun by all of them together."""

from __future__ import annotations

import asyncio
import multiprocessing
from dataclasses import astuple
from typing import Any

from overhead_ways import Asked, Timed, keep_backlog, through_catenary, through_serve

CLIENTS = 4
WAYS = {"catenary": through_catenary, "serve": through_serve, "backlog": keep_backlog}


def client_process(pipe: Any, barrier: Any) -> None:
    """Takes (way, address, model, calls) until None; answers with the calls' times."""
    asyncio.run(_client(pipe, barrier))


async def _client(pipe: Any, barrier: Any) -> None:
    while (work := await asyncio.to_thread(pipe.recv)) is not None:
        way, address, model, asked = work

        async def go() -> None:
            await asyncio.to_thread(barrier.wait)

        found = await WAYS[way](address, model, asked, go())
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

    async def round(self, way: str, address: str, model: str, asked: list[Asked]) -> list[Timed]:
        """The calls' times, in their order."""
        answers = await self.each(way, address, model, asked)
        return [answers[n % CLIENTS][n // CLIENTS] for n in range(len(asked))]

    async def each(self, way: str, address: str, model: str, asked: list[Asked]) -> list[list[Timed]]:
        """Every n-th call to the n-th process; what each of them answers."""
        for number, pipe in enumerate(self._pipes):
            pipe.send((way, address, model, asked[number::CLIENTS]))
        answers = await asyncio.gather(*(asyncio.to_thread(pipe.recv) for pipe in self._pipes))
        return [[Timed(*one) for one in answer] for answer in answers]

    def close(self) -> None:
        for pipe in self._pipes:
            pipe.send(None)
        for process in self._processes:
            process.join(10)
