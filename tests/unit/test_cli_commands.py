"""The other commands against a scripted gateway: what they print, and how they exit."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from cli_calls import answer, call
from fake_gateway import FakeGateway, dead_address, good_run

from catenary.v1 import gateway_service_pb2 as pb


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


def test_top_is_one_object_with_json(gateway: FakeGateway, tmp_path: Path) -> None:
    dead = dead_address()
    config = tmp_path / "catenary.yaml"
    config.write_text("\n".join(f"{name}: {{address: '{dead}'}}" for name in ("router", "profiler", "provisioner")))
    result = call(gateway, "top", "--config", str(config), "--json")
    assert result.exit_code == 0
    shown = answer(result)
    assert {"services", "models", "pools", "waiting", "workers", "objectives", "decisions"} == set(shown)
    assert "gateway serving" in call(gateway, "top", "--once", "--config", str(config)).stdout
