"""Values that are made several times for each call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:

    def record(*, frozen: bool = True, slots: bool = True) -> Any:
        """A frozen dataclass to the type checker, and equal and hashed as one; when it runs its slots can be written.

        The constructor of a frozen dataclass sets each field by way of ``object.__setattr__``, which takes three times
        as long.
        """
        return dataclass(slots=slots, unsafe_hash=frozen)


__all__ = ["record"]
