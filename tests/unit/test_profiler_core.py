from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from catenary.core.profile_grid import EngineBounds
from catenary.core.profile_session import LEAST_POINTS, ProfileSession
from catenary.core.profiler import MAX_RECORDS, FinishedCall, ProfilerCore
from catenary.model.profile import EngineProfile
from catenary.model.profile_point import PointKind, ProfileRecord
from catenary.policy.prediction import Traffic, duration_s
from catenary.policy.profile_fit import predict_point_s

ENGINE = EngineProfile("m", accelerator="cpu", settings_digest="d", step_context_s=1e-7, origin="measured")


def core() -> ProfilerCore:
    return ProfilerCore({"m": "d"}, {"m": ProfileRecord(EngineProfile("m"))})


def in_force(profiler: ProfilerCore, accelerator: str = "") -> EngineProfile:
    found = profiler.record("m", accelerator)
    assert found is not None
    return found.profile


def record(measured_unix_s: float, **changes: Any) -> ProfileRecord:
    return ProfileRecord(replace(ENGINE, **changes), measured_unix_s=measured_unix_s)


def test_the_fallback_holds_until_something_is_known() -> None:
    profiler = core()
    found = in_force(profiler)
    assert found.origin == "assumed"
    assert profiler.record("other") is None


def test_the_newest_profile_holds_and_an_older_one_is_not_adopted() -> None:
    profiler = core()
    assert profiler.adopt(record(10.0, version=2))
    assert not profiler.adopt(record(9.0, version=3))
    assert profiler.adopt(record(11.0, version=3))
    found = in_force(profiler)
    assert found.version == 3


def test_profiles_of_other_settings_do_not_hold() -> None:
    profiler = core()
    profiler.adopt(record(10.0, settings_digest="before"))
    found = in_force(profiler)
    assert found.origin == "assumed"


def test_profiles_of_two_engine_versions_are_kept_apart_and_the_newest_holds() -> None:
    profiler = core()
    profiler.adopt(record(10.0, engine="vllm 0.31"))
    profiler.adopt(record(20.0, engine="vllm 0.32"))
    assert (len(profiler.records), in_force(profiler).engine) == (2, "vllm 0.32")


def test_a_profile_of_other_settings_or_an_older_one_is_not_imported() -> None:
    profiler = core()
    assert profiler.import_problem(record(10.0)) == ""
    assert "'x' is not configured; known: m" in profiler.import_problem(record(10.0, model="x"))
    assert "settings_digest: 'e' is of other engine settings" in profiler.import_problem(
        record(10.0, settings_digest="e")
    )
    profiler.adopt(record(10.0))
    assert "as new as this one is known" in profiler.import_problem(record(10.0))
    assert profiler.import_problem(record(11.0)) == ""


def test_no_more_keys_are_taken_in_than_the_store_keeps() -> None:
    profiler = core()
    for number in range(MAX_RECORDS):
        profiler.adopt(record(1.0, accelerator=f"card {number}"))
    assert "1000 profiles are known" in profiler.import_problem(record(2.0, accelerator="another card"))
    assert profiler.import_problem(record(2.0, accelerator="card 7")) == ""


def test_finished_calls_tell_how_far_predictions_are_off() -> None:
    profiler = core()
    profiler.adopt(record(10.0))
    found = profiler.record("m")
    assert found is not None
    assert (found.online_error, found.online_calls) == (0.0, 0)
    profiler.report([FinishedCall("m", 100, 0, 50, 1.0, 1000.0)] * 20)
    found = profiler.record("m")
    assert found is not None
    assert (found.online_error > 0.9, found.online_calls) == (True, 20)


def test_the_accelerator_asked_for_wins_over_the_newest() -> None:
    profiler = core()
    profiler.adopt(record(10.0, accelerator="a"))
    profiler.adopt(record(20.0, accelerator="b"))
    accelerators = [in_force(profiler, wanted).accelerator for wanted in ("a", "b", "", "c")]
    assert accelerators == ["a", "b", "b", "b"]


def test_one_measurement_of_a_model_at_a_time() -> None:
    profiler = core()
    assert profiler.begin("m")
    assert not profiler.begin("m")
    profiler.end("m")
    assert profiler.begin("m")


def test_a_slow_engine_gets_a_few_points_of_each_kind_and_a_fast_one_all() -> None:
    session = ProfileSession.plan(EngineBounds(1024, 4), quick=True, now=100.0)
    for now in (100.0, 200.0):
        taken = 0
        session.taken = 0
        while session.next_point(now) is not None:
            session.taken += 1
            taken += 1
        assert taken == (session.total if now == 100.0 else LEAST_POINTS)
    assert {point.kind for point in session.points[:LEAST_POINTS]} == set(PointKind) - {PointKind.JOINING}


def test_a_completed_session_is_the_next_version_with_the_transport_in_its_overhead() -> None:
    profiler = core()
    profiler.adopt(record(10.0, version=4))
    session = ProfileSession.plan(EngineBounds(512, 4), quick=True, now=0.0)
    while (point := session.next_point(0.0)) is not None:
        session.record(point, predict_point_s(ENGINE, point))
    base = replace(ENGINE, prefill_base_s=9.0, step_base_s=9.0)
    done = profiler.complete(session, base, transport_s=0.002, unix_s=20.0)
    assert (done.profile.version, done.profile.origin) == (5, "measured")
    assert done.profile.overhead_s == pytest.approx(0.002)
    assert done.profile.step_base_s == pytest.approx(ENGINE.step_base_s)
    assert {p.repeats for p in done.points} == {session.repeats}


def finished(factor: float) -> FinishedCall:
    traffic_free = duration_s(replace(ENGINE, overhead_s=0.0), 256, 128, 1.0, Traffic())
    return FinishedCall("m", 256, 0, 128, 1.0, traffic_free * factor)


def test_finished_calls_move_the_correction_and_a_new_profile_resets_it() -> None:
    profiler = core()
    profiler.adopt(record(10.0, version=1))
    profiler.report([finished(1.4)] * 300)
    found = in_force(profiler)
    assert found.correction == pytest.approx(1.4, rel=0.01)
    assert [r.profile.correction for r in profiler.corrected()] == [found.correction]
    assert profiler.corrected() == []
    profiler.adopt(record(20.0, version=2))
    again = in_force(profiler)
    assert again.correction == 1.0


def test_calls_of_unknown_models_and_without_output_are_ignored() -> None:
    profiler = core()
    profiler.report([replace(finished(5.0), model="nix"), replace(finished(5.0), output_tokens=0)] * 100)
    assert profiler.corrected() == []
