"""How the store refuses."""

from __future__ import annotations


class StoreError(Exception):
    """The store answered with an error."""


class StoreUnavailable(StoreError):
    """The store gave no answer in time. What was sent may or may not be written."""


class StoreBehind(StoreError):
    """The store has less of a run than it acknowledged, as after a loss of power. Nothing was written."""


class StoreFull(StoreError):
    """A bound of the store is reached. Nothing was written."""
