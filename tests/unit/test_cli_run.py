"""`catenary run` against a scripted gateway: what it prints, and how it exits."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from cli_calls import answer, call
from fake_gateway import Break, FakeGateway, Hold, admitted, ended, finished, good_run, numbered, refused, started

from catenary.model.outcome import Outcome
from catenary.v1 import gateway_service_pb2 as pb
from catenary.v1 import run_pb2

CALL_KEYS = (
    "name index model worker state queue_s ttft_s duration_s slack_before_s slack_after_s prompt_tokens output_tokens"
)


def test_run_prints_one_object_with_these_fields_and_no_others(gateway: FakeGateway, spec: str) -> None:
    gateway.scripts = [good_run()]
    result = call(gateway, "run", spec, "--json")
    assert result.exit_code == 0
    run = answer(result)
    assert list(run) == ["run_id", "outcome", "met", "deadline_s", "e2e_s", "output", "calls"]
    assert (run["outcome"], run["met"], run["deadline_s"], run["e2e_s"]) == ("SUCCEEDED", True, 8.0, 3.0)
    assert run["output"] == {"text": "a b c"}
    assert [list(entry) for entry in run["calls"]] == [CALL_KEYS.split()] * 2
    assert run["calls"][1] == {
        "name": "facts",
        "index": None,
        "model": "small",
        "worker": "w1",
        "state": "FINISHED",
        "queue_s": 0.1,
        "ttft_s": 0.2,
        "duration_s": 1.5,
        "slack_before_s": 4.0,
        "slack_after_s": 3.5,
        "prompt_tokens": 12,
        "output_tokens": 2,
    }


def test_run_tells_a_skipped_call_and_a_map_item_apart(gateway: FakeGateway, spec: str) -> None:
    skipped = finished("facts", outcome=Outcome.SKIPPED, worker="", text="")
    gateway.scripts = [numbered(admitted(), finished("outline", index=3), skipped, ended())]
    calls = answer(call(gateway, "run", spec, "--json"))["calls"]
    assert [(entry["name"], entry["index"], entry["state"]) for entry in calls] == [
        ("outline", 3, "FINISHED"),
        ("facts", None, "SKIPPED"),
    ]


def test_run_hands_its_options_on(gateway: FakeGateway, spec: str) -> None:
    gateway.scripts = [good_run()]
    options = [
        "--deadline",
        "500ms",
        "--tenant",
        "blue",
        "--priority",
        "batch",
        "--run-id",
        "mine",
        "--detach",
        "--no-tokens",
    ]
    call(gateway, "run", spec, "-i", "a=x", "-i", "n:=[1]", *options)
    (request,) = gateway.sent(pb.SubmitWorkflowRequest)
    assert request.deadline.nanos == 500_000_000
    assert (request.tenant, request.run_id, request.detach) == ("blue", "mine", True)
    assert request.priority == run_pb2.PRIORITY_CLASS_BATCH
    assert not request.stream_tokens
    assert request.inputs.fields["a"].string_value == "x"
    assert request.inputs.fields["n"].list_value.values[0].number_value == 1


def test_run_shows_each_line_with_its_call_and_then_the_timeline(gateway: FakeGateway, spec: str) -> None:
    gateway.scripts = [good_run()]
    result = call(gateway, "run", spec)
    assert result.exit_code == 0
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert "outline │ a b c" in lines
    assert "facts │ d e" in lines
    assert any(" timeline of review " in line for line in lines)
    assert any(" MET " in line and "5.00 s before its deadline of 8.00 s" in line for line in lines)
    assert "predicted 4.00 s, took 3.00 s: 25 % shorter" in lines


def test_a_late_run_that_succeeded_exits_with_0_and_says_missed(gateway: FakeGateway, spec: str) -> None:
    gateway.scripts = [numbered(admitted(), finished("outline"), ended(met=False, e2e_s=9.5))]
    result = call(gateway, "run", spec)
    assert result.exit_code == 0
    assert " MISSED " in result.stdout
    assert "1.50 s after its deadline" in result.stdout


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (numbered(refused()), ["REJECTED_INFEASIBLE", "it takes 9 s and has 1 s", "11.0 s (50% likely)"]),
        (numbered(admitted(), ended(Outcome.FAILED, False, reason="outline: no")), ["FAILED", "outline: no"]),
        (numbered(admitted(), ended(Outcome.EXPIRED, False)), ["EXPIRED"]),
    ],
    ids=["refused", "failed", "expired"],
)
def test_a_run_without_success_exits_with_1_and_says_why(
    gateway: FakeGateway, spec: str, script: list[run_pb2.RunEvent], words: list[str]
) -> None:
    gateway.scripts = [script, script]
    result = call(gateway, "run", spec)
    assert result.exit_code == 1
    assert all(word in result.stdout for word in words)
    result = call(gateway, "run", spec, "--json")
    assert result.exit_code == 1
    assert answer(result)["outcome"] == words[0]


def test_a_stream_that_cannot_be_taken_up_again_is_an_error_not_a_result(
    gateway: FakeGateway, spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catenary.client.stream.Reattach.pause_s", lambda *_: 0.001)
    gateway.scripts = [[*good_run()[:2], Break()], *([[Break()]] * 20)]
    result = call(gateway, "run", spec, "--json")
    assert result.exit_code == 3
    assert answer(result)["error"]["code"] == "UNAVAILABLE"


def test_an_interrupt_leaves_the_run_and_exits_with_130(gateway: FakeGateway, spec: str) -> None:
    gateway.scripts = [[*good_run()[:4], Hold()]]
    command = [sys.executable, "-m", "catenary.cli.main", "run", spec, "--address", gateway.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors == ""
    assert gateway.left.acquire(timeout=5)


def test_map_items_started_are_shown_with_their_index(gateway: FakeGateway, spec: str) -> None:
    gateway.scripts = [numbered(admitted(), started("outline", 2), finished("outline", index=2), ended())]
    assert "outline[2] · small on w0, slack +3.00 s" in call(gateway, "run", spec).stdout
