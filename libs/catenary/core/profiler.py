"""The profiler's state: profiles known, measurements under way, corrections."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from catenary.core.correction import Correction
from catenary.core.profile_session import ProfileSession
from catenary.model.profile import EngineProfile
from catenary.model.profile_point import ProfileRecord
from catenary.policy.prediction import Traffic, duration_s

TRAFFIC_SHARE = 0.02
NOTABLE = 0.02
MAX_RECORDS = 1_000
"""As many keys as the store takes."""

ProfileKey = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class FinishedCall:
    """What a call cost: tokens, mean batch while it decoded, seconds from the engine's first work to its end."""

    model: str
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    mean_batch: float
    service_s: float


@dataclass(slots=True)
class _Online:
    correction: Correction
    told: float
    traffic: Traffic = field(default_factory=Traffic)


@dataclass(slots=True)
class ProfilerCore:
    """``digests`` gives the settings digest of each configured model; ``fallbacks`` what holds while none is known."""

    digests: dict[str, str]
    fallbacks: dict[str, ProfileRecord]
    max_correction: float = 2.0
    records: dict[ProfileKey, ProfileRecord] = field(default_factory=dict)
    measuring: set[str] = field(default_factory=set)
    online: dict[str, _Online] = field(default_factory=dict)

    def adopt(self, record: ProfileRecord) -> bool:
        """Keep a profile measured elsewhere or earlier. False: a profile as new under the same key is known."""
        key = _key(record.profile)
        known = self.records.get(key)
        if known is not None and _age(record) <= _age(known):
            return False
        self.records[key] = record
        self.online.pop(record.profile.model, None)
        return True

    def record(self, model: str, accelerator: str = "") -> ProfileRecord | None:
        """The profile in force with its correction: of this accelerator where there is one, the newest otherwise.

        Profiles of other engine settings do not count. None: the model is not configured.
        """
        fitting = [r for r in self.records.values() if self._fits(r.profile, model)]
        fitting.sort(key=lambda r: (r.profile.accelerator == accelerator, _age(r)))
        found = fitting[-1] if fitting else self.fallbacks.get(model)
        if found is None:
            return None
        online = self.online.get(model)
        if online is None:
            return found
        correction = online.correction
        return replace(
            found,
            profile=replace(found.profile, correction=correction.factor),
            online_error=correction.error,
            online_calls=len(correction.ratios),
        )

    def import_problem(self, record: ProfileRecord) -> str:
        """Why a profile that was measured elsewhere cannot be taken; empty: it can."""
        profile = record.profile
        digest = self.digests.get(profile.model)
        if digest is None:
            known = ", ".join(sorted(self.digests)) or "none"
            return f"model: {profile.model!r} is not configured; known: {known}"
        if profile.settings_digest not in ("", digest):
            return (
                f"settings_digest: {profile.settings_digest!r} is of other engine settings than {profile.model!r} has "
                f"here ({digest!r}); configure it as where the profile was measured"
            )
        known_record = self.records.get(_key(profile))
        if known_record is not None and record.measured_unix_s <= known_record.measured_unix_s:
            return f"measure_time: a profile of {profile.model!r} as new as this one is known; nothing to import"
        if known_record is None and len(self.records) >= MAX_RECORDS:
            return f"accelerator: {len(self.records)} profiles are known, the bound; start with an empty archive"
        return ""

    def _fits(self, profile: EngineProfile, model: str) -> bool:
        return profile.model == model and profile.settings_digest in ("", self.digests.get(model))

    def begin(self, model: str) -> bool:
        """Start measuring ``model``; end it with ``end``. False: it is being measured."""
        if model in self.measuring:
            return False
        self.measuring.add(model)
        return True

    def end(self, model: str) -> None:
        self.measuring.discard(model)

    def complete(
        self, session: ProfileSession, base: EngineProfile, transport_s: float, unix_s: float
    ) -> ProfileRecord:
        """Fit the session into ``base`` under the next version of its key; adopt it with ``adopt``.

        ``transport_s`` is what a call takes on its way to the worker and back, on top of what the points measure there.
        """
        fit = session.fit(base)
        known = self.records.get(_key(base))
        profile = replace(
            fit.profile,
            version=known.profile.version + 1 if known else 1,
            overhead_s=fit.profile.overhead_s + transport_s,
            origin="measured",
        )
        return ProfileRecord(profile, fit.points, fit.residual_median, fit.residual_p95, unix_s)

    def report(self, calls: Iterable[FinishedCall]) -> None:
        """Correct profiles by calls that ended; calls of unknown models are ignored."""
        for call in calls:
            record = self.record(call.model)
            if record is None or call.output_tokens < 1:
                continue
            online = self._online(call.model, record)
            online.traffic = _moved(online.traffic, call)
            base = replace(record.profile, correction=1.0, overhead_s=0.0)
            fresh = max(0, call.prompt_tokens - call.cached_tokens)
            predicted = duration_s(base, fresh, call.output_tokens, max(1.0, call.mean_batch), online.traffic)
            online.correction.observe(call.service_s, predicted)

    def corrected(self) -> list[ProfileRecord]:
        """Profiles whose correction has moved by more than ``NOTABLE`` since this was asked last."""
        moved = []
        for model, online in self.online.items():
            record = self.record(model)
            if record is not None and abs(online.correction.factor / online.told - 1) > NOTABLE:
                online.told = online.correction.factor
                moved.append(record)
        return moved

    def _online(self, model: str, record: ProfileRecord) -> _Online:
        if model not in self.online:
            factor = record.profile.correction
            self.online[model] = _Online(Correction(self.max_correction, factor), factor)
        return self.online[model]


def _key(profile: EngineProfile) -> ProfileKey:
    return (profile.model, profile.accelerator, profile.engine, profile.settings_digest)


def _age(record: ProfileRecord) -> tuple[float, int]:
    return (record.measured_unix_s, record.profile.version)


def _moved(traffic: Traffic, call: FinishedCall) -> Traffic:
    """Means of recent calls, each call a small share."""
    prompt = traffic.mean_prompt + TRAFFIC_SHARE * (call.prompt_tokens - traffic.mean_prompt)
    output = traffic.mean_output + TRAFFIC_SHARE * (call.output_tokens - traffic.mean_output)
    return Traffic(prompt, output)
