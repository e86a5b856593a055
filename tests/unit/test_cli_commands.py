"""The commands against a scripted gateway: what they print, and how they exit."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from fake_gateway import (
    Break,
    FakeGateway,
    Hold,
    admitted,
    dead_address,
    ended,
    finished,
    good_run,
    numbered,
    refused,
    serving,
    started,
)
from typer.testing import CliRunner, Result

from catenary.cli.main import app
from catenary.model.outcome import Outcome
from catenary.v1 import gateway_service_pb2 as pb
from catenary.v1 import run_pb2

SPEC = """
name: review
calls:
  outline: {model: small, prompt: Outline, max_tokens: 8}
  facts: {model: small, prompt: Facts, max_tokens: 8}
"""
CALL_KEYS = (
    "name index model worker state queue_s ttft_s duration_s slack_before_s slack_after_s prompt_tokens output_tokens"
)


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with serving(FakeGateway()) as found:
        yield found


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "review.yaml"
    path.write_text(SPEC)
    return str(path)


def call(gateway: FakeGateway | str, *arguments: str) -> Result:
    address = gateway if isinstance(gateway, str) else gateway.address
    return CliRunner().invoke(app, arguments, env={"CATENARY_ADDRESS": address, "COLUMNS": "100"})


def answer(result: Result) -> dict[str, Any]:
    """All of stdout is one JSON object."""
    value = json.loads(result.stdout)
    assert isinstance(value, dict)
    return value


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "missing.yaml"], "missing.yaml: No such file or directory"),
        (["run", "what is this"], "is no .yaml path"),
        (["run", "review", "--deadline", "soon"], "--deadline: must be a duration such as 8s"),
        (["run", "review", "--deadline", "0s"], "deadline_s: must be over 0"),
        (["run", "review", "--input", "x"], "write NAME=TEXT"),
        (["run", "{name: x, calls: {a: {model: small, prompt: '{{ b.text }}'}}}"], "calls.a.prompt: unknown name 'b'"),
    ],
)
def test_what_is_wrong_with_a_command_exits_with_2(gateway: FakeGateway, arguments: list[str], message: str) -> None:
    result = call(gateway, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not result.stdout
    assert not gateway.requests
    result = call(gateway, *arguments, "--json")
    assert result.exit_code == 2
    assert message in answer(result)["error"]["message"]


def test_an_unknown_option_exits_with_2(gateway: FakeGateway) -> None:
    assert call(gateway, "run", "review", "--dedline", "8s").exit_code == 2


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, 2),
        (grpc.StatusCode.NOT_FOUND, 2),
        (grpc.StatusCode.ALREADY_EXISTS, 2),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 1),
        (grpc.StatusCode.UNAVAILABLE, 3),
    ],
)
def test_a_refused_request_exits_by_its_status(gateway: FakeGateway, code: grpc.StatusCode, exit_code: int) -> None:
    gateway.refusal = (code, "inputs.article: is missing", "WHY")
    result = call(gateway, "run", "review")
    assert result.exit_code == exit_code
    assert result.stderr == "error: inputs.article: is missing\n"
    error = answer(call(gateway, "run", "review", "--json"))["error"]
    assert error == {"code": code.name, "message": "inputs.article: is missing", "reason": "WHY"}


@pytest.mark.parametrize("arguments", [["run", "review"], ["models"], ["runs", "list"], ["explain", "review"]])
def test_no_gateway_exits_with_3_and_says_how_to_start_one(arguments: list[str]) -> None:
    address = dead_address()
    result = call(address, *arguments)
    assert result.exit_code == 3
    assert result.stderr == f"error: no gateway at {address}: start one with `catenary up`\n"


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


def test_runs_list_get_and_cancel(gateway: FakeGateway) -> None:
    page = answer(call(gateway, "runs", "list", "--json", "--limit", "2", "--tenant", "blue"))
    assert [run["run_id"] for run in page["runs"]] == ["run-2", "run-1"]
    assert page["next_page_token"] == "next"
    (request,) = gateway.sent(pb.ListRunsRequest)
    assert (request.page_size, request.tenant) == (2, "blue")
    shown = call(gateway, "runs", "list").stdout
    assert "run-2" in shown
    assert "more: --page next" in shown
    run = answer(call(gateway, "runs", "get", "run-1", "--json"))
    assert (run["output"], run["calls"][0]["name"]) == ("done", "outline")
    assert " MET " in call(gateway, "runs", "get", "run-1").stdout
    assert answer(call(gateway, "runs", "cancel", "run-1", "--reason", "enough", "--json"))["outcome"] == "CANCELLED"
    assert gateway.sent(pb.CancelRunRequest)[0].reason == "enough"


def test_runs_watch_follows_a_run_from_its_beginning(gateway: FakeGateway) -> None:
    gateway.scripts = [good_run(), good_run()]
    result = call(gateway, "runs", "watch", "run-1")
    assert result.exit_code == 0
    assert "outline │ a b c" in result.stdout
    assert answer(call(gateway, "runs", "watch", "run-1", "--json"))["run_id"] == "run-1"


def test_models_and_explain(gateway: FakeGateway, spec: str) -> None:
    models = answer(call(gateway, "models", "--json"))["models"]
    assert (models[0]["name"], models[0]["replicas_awake"], models[0]["profiled"]) == ("small", 1, False)
    assert "assumed" in call(gateway, "models").stdout
    explanation = answer(call(gateway, "explain", spec, "--json"))
    assert (explanation["predicted_s"], explanation["calls"][0]["name"]) == (2.0, "outline")
    shown = call(gateway, "explain", spec).stdout
    assert "predicted 2.00 s in half of all runs, 3.00 s in nine of ten; deadline 5.00 s" in shown


def test_status_shows_what_answers_and_what_does_not(gateway: FakeGateway, tmp_path: Path) -> None:
    dead = dead_address()
    config = tmp_path / "catenary.yaml"
    config.write_text("\n".join(f"{name}: {{address: '{dead}'}}" for name in ("router", "profiler", "provisioner")))
    result = call(gateway, "status", "--config", str(config), "--json")
    assert result.exit_code == 0
    services = {service["name"]: service["state"] for service in answer(result)["services"]}
    assert services == {
        "gateway": "serving",
        "router": "unreachable",
        "profiler": "unreachable",
        "provisioner": "unreachable",
    }
    result = call(dead, "status", "--config", str(config))
    assert result.exit_code == 3
    assert f"no gateway at {dead}: start one with `catenary up`" in result.stdout


def test_several_gateways_are_separated_by_commas(gateway: FakeGateway) -> None:
    assert call(f"{dead_address()}, {gateway.address}", "models", "--json").exit_code == 0


def test_map_items_started_are_shown_with_their_index(gateway: FakeGateway, spec: str) -> None:
    gateway.scripts = [numbered(admitted(), started("outline", 2), finished("outline", index=2), ended())]
    assert "outline[2] · small on w0, slack +3.00 s" in call(gateway, "run", spec).stdout


def test_top_is_one_object_with_json(gateway: FakeGateway, tmp_path: Path) -> None:
    dead = dead_address()
    config = tmp_path / "catenary.yaml"
    config.write_text("\n".join(f"{name}: {{address: '{dead}'}}" for name in ("router", "profiler", "provisioner")))
    result = call(gateway, "top", "--config", str(config), "--json")
    assert result.exit_code == 0
    shown = answer(result)
    assert {"services", "models", "pools", "waiting", "workers", "objectives", "decisions"} == set(shown)
    assert "gateway serving" in call(gateway, "top", "--once", "--config", str(config)).stdout
