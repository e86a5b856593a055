"""What a newcomer costs those already placed, and whether it waits for their sake."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from catenary.model.dispatch import NEVER, QueuedCall, ReplicaLoad, Resident
from catenary.model.lengths import LengthEstimate
from catenary.model.profile import EngineProfile
from catenary.policy.prediction import Traffic
from catenary.policy.routing import slack_aware
from catenary.policy.routing.decision import RoutingContext
from catenary.policy.routing.protection import chance, harm, own_chance

PROFILE = EngineProfile("m", prefill_base_s=0.05, step_base_s=0.01, step_seq_s=0.0002)
LENGTHS = LengthEstimate(30, 70, 150, 85, 50)
PATIENT = RoutingContext(0.0, PROFILE, Traffic(), patient=True, harm_bound=0.01)


def call(name: str, latest_finish: float = 100.0, **changes: Any) -> QueuedCall:
    made = QueuedCall(name, 1, "g", "m", 100, 400, LENGTHS, 0.0, latest_finish, latest_finish, latest_finish)
    return replace(made, **changes)


def replica(name: str, *residents: QueuedCall, seats: int = 2) -> ReplicaLoad:
    held = {one.call_id: Resident(one, 30.0, 1.0) for one in residents}
    return ReplicaLoad(name, "address", "m", seats, 0, held)


def test_the_chance_of_an_end_grows_with_the_tokens_allowed_given_those_already_out() -> None:
    assert chance(LENGTHS, 0, 70) == pytest.approx(0.5, abs=0.01)
    assert chance(LENGTHS, 0, 150) == pytest.approx(0.9, abs=0.01)
    assert chance(LENGTHS, 0, 0) == 0.0
    assert chance(LENGTHS, 60, 10) < chance(LENGTHS, 60, 90) < chance(LENGTHS, 60, 200)
    assert chance(LENGTHS, 60, 10) < chance(LENGTHS, 0, 70)


def test_a_newcomer_harms_only_residents_that_it_can_make_late() -> None:
    assert harm(call("new"), replica("w", call("at ease")), PATIENT) == 0.0
    assert harm(call("new"), replica("w", call("no deadline", NEVER)), PATIENT) == 0.0
    assert harm(call("new"), replica("w", call("past", 0.0)), PATIENT) == 0.0
    assert harm(call("new"), replica("w", call("tight", 0.9)), PATIENT) > 0.01


def test_a_patient_call_goes_where_it_harms_nobody_or_waits_for_a_place_there() -> None:
    tight = replica("w0", call("tight", 0.9))
    assert slack_aware(call("new"), [tight, replica("w1", call("easy"))], PATIENT).worker_id == "w1"
    full = replica("w1", call("easy"), call("easier"))
    assert slack_aware(call("new"), [tight, full], PATIENT).worker_id is None
    assert slack_aware(call("new"), [tight, full], replace(PATIENT, patient=False)).worker_id == "w0"


def test_a_tenant_over_its_share_waits_rather_than_harm_another_but_not_its_own() -> None:
    new = call("new", over_share=True)
    assert slack_aware(new, [replica("w0", call("tight", 0.9))], PATIENT).worker_id is None
    assert slack_aware(new, [replica("w0", call("tight", 0.9, over_share=True))], PATIENT).worker_id == "w0"


def test_engines_that_take_no_time_harm_nobody() -> None:
    instant = replace(
        PATIENT, profile=EngineProfile("m", prefill_base_s=0, prefill_token_s=0, step_base_s=0, step_seq_s=0)
    )
    assert harm(call("new"), replica("w", call("tight", 0.9)), instant) == 0.0
    assert own_chance(call("new"), replica("w"), instant) == 1.0
