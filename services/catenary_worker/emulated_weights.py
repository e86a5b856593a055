"""Where an emulated worker's weights would be."""

from __future__ import annotations

from catenary.model.profile import EngineProfile


class EmulatedWeights:
    """Weights of models whose profile says what reading them takes: cold until they are read, and again once an engine
    drops them, for a host that has no room for them asleep has none in its page cache."""

    def __init__(self) -> None:
        self._warm: set[str] = set()

    def are_cold(self, profile: EngineProfile) -> bool:
        return profile.prefetch_s > 0 and profile.model not in self._warm

    def reading_s(self, profile: EngineProfile) -> float:
        """What a load spends on reading them."""
        return profile.prefetch_s if self.are_cold(profile) else 0.0

    def read(self, model: str) -> None:
        self._warm.add(model)

    def drop(self, model: str) -> None:
        self._warm.discard(model)
