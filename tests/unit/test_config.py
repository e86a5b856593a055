from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from catenary.core.gateway.settings import GatewaySettings
from catenary.core.router.settings import RouterSettings
from catenary.runtime.config import ConfigError, load_config


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "catenary.yaml"
    path.write_text(text)
    return path


def test_defaults_need_no_file() -> None:
    config = load_config(None)
    assert config.store.url == "embedded"
    assert config.models == {}


def test_a_file_sets_values_and_keeps_the_other_defaults(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, "router: {queue_limit: 7}\n"))
    assert config.router.queue_limit == 7
    assert config.router.id == "router-0"


def test_the_environment_overrides_the_file_value_by_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATENARY_ROUTER__QUEUE_LIMIT", "9")
    config = load_config(write(tmp_path, "router: {queue_limit: 7, ordering: edf}\n"))
    assert (config.router.queue_limit, config.router.ordering) == (9, "edf")


def test_the_environment_reaches_a_value_inside_a_section_of_a_section(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATENARY_GATEWAY__LIMITS__MAX_CALLS", "3")
    config = load_config(None)
    assert config.gateway.limits.max_calls == 3
    assert config.gateway.limits.max_depth == 64


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("router: {queue_limit: 0}", ("router.queue_limit", "greater than or equal to 1", "0")),
        ("router: {queue_limt: 1}", ("router.queue_limt", "Extra inputs are not permitted")),
        ("router: {ordering: lifo}", ("router.ordering", "least_slack", "lifo")),
        ("gateway: {address: nowhere}", ("gateway.address", "nowhere")),
        ("gateway: {count: 2, advertise: 'proxy:1'}", ("advertise", "'proxy:1' is one address", "count 2", "empty")),
        (
            "gateway: {count: 2, address: 'h:65535'}",
            ("address: 65535", "no room for count 2, each 10 ports", "below 65535"),
        ),
        ("store: {write_timeout_s: -1}", ("store.write_timeout_s", "greater than 0", "-1")),
        ("workers: [{id: w0, models: [tiny]}]", ("w0", "unknown model 'tiny'", "known: none")),
        ("- a list", ("must be a mapping",)),
        ("router: {", ("is no YAML",)),
    ],
)
def test_a_wrong_value_is_named_with_its_value_and_bound(tmp_path: Path, text: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    for part in parts:
        assert part in str(caught.value)


def test_every_wrong_value_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, "router: {queue_limit: 0, late_share: 2}"))
    assert len(str(caught.value).splitlines()) == 2


def test_a_wrong_value_of_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATENARY_ROUTER__LATE_SHARE", "2")
    with pytest.raises(ConfigError, match=r"router\.late_share"):
        load_config(None)


def test_two_workers_of_one_name_are_refused(tmp_path: Path) -> None:
    text = "models: {m: {engine: emulated}}\nworkers: [{id: w, models: [m]}, {id: w, models: [m]}]"
    with pytest.raises(ConfigError, match="'w' appears twice"):
        load_config(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        load_config(tmp_path / "none.yaml")


@pytest.mark.parametrize(("section", "settings"), [("gateway", GatewaySettings()), ("router", RouterSettings())])
def test_what_is_configured_by_default_is_what_the_simulator_decides_with(section: str, settings: object) -> None:
    configured = getattr(load_config(None), section)
    shared = {field.name for field in fields(settings)} & set(type(configured).model_fields)  # type: ignore[arg-type]
    shared -= {"limits"}
    assert "shed_crowded" in shared or "triage" in shared
    assert {name: getattr(configured, name) for name in shared} == {name: getattr(settings, name) for name in shared}


@pytest.mark.parametrize(
    ("worker", "engine_args", "message"),
    [
        ({"device": "0"}, {"tensor_parallel_size": 2}, "2 shards on workers.w, whose num_accelerators is 1"),
        ({"device": "0,1"}, {}, "'0,1' names 2 accelerators and num_accelerators is 1"),
        ({"device": "0,1", "num_accelerators": 2}, {"tensor_parallel_size": 2}, ""),
        ({"device": "0,1,2,3", "num_accelerators": 4}, {"tensor_parallel_size": 2, "pipeline_parallel_size": 2}, ""),
    ],
)
def test_a_sharded_model_takes_the_whole_accelerator_set(
    tmp_path: Path, worker: dict[str, object], engine_args: dict[str, int], message: str
) -> None:
    path = tmp_path / "catenary.yaml"
    values = {"models": {"m": {"engine_args": engine_args}}, "workers": [{"id": "w", "models": ["m"], **worker}]}
    path.write_text(json.dumps(values))
    if not message:
        assert load_config(path).workers[0].num_accelerators > 1
        return
    with pytest.raises(ConfigError, match=message):
        load_config(path)
