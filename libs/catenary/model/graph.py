"""Orders and cycles of a workflow's calls."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappop, heappush


def topological_order(parents: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Names with every parent before its children, else in the mapping's order; what a cycle blocks is left out."""
    position = {name: index for index, name in enumerate(parents)}
    names = list(parents)
    waiting = {name: len(above) for name, above in parents.items()}
    below = children_of(parents)
    ready = [position[name] for name, count in waiting.items() if count == 0]
    order: list[str] = []
    while ready:
        name = names[heappop(ready)]
        order.append(name)
        for child in below[name]:
            waiting[child] -= 1
            if waiting[child] == 0:
                heappush(ready, position[child])
    return order


def children_of(parents: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The edges turned round, children in the mapping's order."""
    below: dict[str, list[str]] = {name: [] for name in parents}
    for name, above in parents.items():
        for parent in above:
            below[parent].append(name)
    return {name: tuple(children) for name, children in below.items()}


def find_cycles(parents: Mapping[str, tuple[str, ...]], order: list[str]) -> list[list[str]]:
    """Cycles among the names missing from ``order``, each from its first name back to it, no name in two of them."""
    ordered = set(order)
    blocked = {name: None for name in parents if name not in ordered}
    cycles: list[list[str]] = []
    seen: set[str] = set()
    for start in blocked:
        path: dict[str, None] = {}
        name: str | None = start
        while name is not None and name not in seen:
            path[name] = None
            seen.add(name)
            name = next((parent for parent in parents[name] if parent in blocked), None)
        if name is not None and name in path:
            walk = list(path)
            cycle = walk[walk.index(name) :][::-1]
            cycles.append([*cycle, cycle[0]])
    return cycles


def longest_chain(parents: Mapping[str, tuple[str, ...]], order: list[str]) -> list[str]:
    """The names of one longest path, first to last."""
    length: dict[str, int] = {}
    before: dict[str, str | None] = {}
    for name in order:
        above = max(parents[name], key=lambda parent: length[parent], default=None)
        before[name] = above
        length[name] = 1 + (length[above] if above is not None else 0)
    last: str | None = max(order, key=lambda name: length[name], default=None)
    chain: list[str] = []
    while last is not None:
        chain.append(last)
        last = before[last]
    return chain[::-1]
