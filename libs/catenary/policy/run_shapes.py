"""Which calls a run makes: how often conditions hold and how long lists are, per (workflow version, call)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

ITEMS_SHARE = 0.1

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class CallShape:
    """Of ``seen`` runs the call's condition held in ``taken``; ``items``: mean length of its list, None: not known."""

    taken: int = 0
    seen: int = 0
    items: float | None = None


UNSEEN = CallShape()


class RunShapes:
    """Rule: a condition holds as often as it has, by the rule of succession; a list is as long as the latest were,
    each a tenth of the mean. The least recently used keys are dropped past ``max_keys``.
    """

    def __init__(self, max_keys: int) -> None:
        self._shapes: OrderedDict[Key, CallShape] = OrderedDict()
        self._max_keys = max_keys
        self.num_observed = 0

    def observe_branch(self, version: str, call: str, *, taken: bool) -> None:
        seen = self._shapes.get((version, call), UNSEEN)
        self._observed((version, call), CallShape(seen.taken + taken, seen.seen + 1, seen.items))

    def observe_items(self, version: str, call: str, items: int) -> None:
        seen = self._shapes.get((version, call), UNSEEN)
        mean = items if seen.items is None else seen.items + ITEMS_SHARE * (items - seen.items)
        self._observed((version, call), CallShape(seen.taken, seen.seen, mean))

    def probability(self, version: str, call: str) -> float:
        """That a conditional call runs; 1 where nothing is known."""
        shape = self._shapes.get((version, call), UNSEEN)
        return (shape.taken + 1) / (shape.seen + 2) if shape.seen else 1.0

    def items(self, version: str, call: str, default: float) -> float:
        """Expected length of the call's list; ``default`` where none was seen."""
        items = self._shapes.get((version, call), UNSEEN).items
        return default if items is None else items

    def known(self, max_keys: int) -> dict[Key, CallShape]:
        """What was learned of the keys used last, these first."""
        return {key: self._shapes[key] for key in islice(reversed(self._shapes), max_keys)}

    def learn(self, known: Mapping[Key, CallShape]) -> None:
        """Begin with what others have ``known``, in place of what is known of these keys."""
        self._shapes.update(reversed(list(known.items())))

    def _observed(self, key: Key, shape: CallShape) -> None:
        self._shapes[key] = shape
        self._shapes.move_to_end(key)
        if len(self._shapes) > self._max_keys:
            self._shapes.popitem(last=False)
        self.num_observed += 1
