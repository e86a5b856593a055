"""Which processes a configuration makes, and where they listen."""

from __future__ import annotations

from pathlib import Path

from catenary.runtime.config import Config
from catenary.runtime.launch import addresses_of, service_commands, wanted_addresses


def test_further_gateways_listen_clear_of_the_first_under_names_of_their_own() -> None:
    config = Config.model_validate({"gateway": {"id": "east", "count": 3, "address": "h:7000", "metrics_port": 9000}})
    addresses = addresses_of(wanted_addresses(config))
    assert addresses.gateways == ("h:7000", "h:7010", "h:7020")
    commands = service_commands(Path("c.yaml"), config.gateway, addresses, "redis://h", Path())
    assert list(commands) == ["gateway", "gateway-1", "gateway-2", "router", "profiler", "provisioner"]
    last = commands["gateway-2"]
    assert last.arguments[-2:] == ("--id", "east-2")
    assert last.environment["CATENARY_GATEWAY__ADDRESS"] == "h:7020"
    assert last.environment["CATENARY_GATEWAY__METRICS_PORT"] == "9020"
    assert commands["gateway"].environment["CATENARY_GATEWAY__ADDRESS"] == "h:7000"


def test_free_ports_and_no_metrics_stay_so() -> None:
    config = Config.model_validate({"gateway": {"count": 2, "address": "h:0"}})
    addresses = addresses_of(wanted_addresses(config))
    assert addresses.gateways == ("h:0", "h:0")
    commands = service_commands(Path("c.yaml"), config.gateway, addresses, "redis://h", Path())
    assert commands["gateway-1"].environment["CATENARY_GATEWAY__METRICS_PORT"] == "0"
