"""``python -m catenary_gateway --config FILE [--id NAME]``."""

from __future__ import annotations

import argparse

from catenary.runtime.config import Config
from catenary.runtime.service import main
from catenary_gateway.service import GatewayService


def build(config: Config, args: argparse.Namespace) -> GatewayService:
    return GatewayService(config, args.id or config.gateway.id, args.config)


if __name__ == "__main__":
    main("gateway", build)
