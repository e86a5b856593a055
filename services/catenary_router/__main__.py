"""``python -m catenary_router --config FILE [--id NAME]``."""

from __future__ import annotations

import argparse

from catenary.runtime.config import Config
from catenary.runtime.service import main
from catenary_router.service import RouterService


def build(config: Config, args: argparse.Namespace) -> RouterService:
    return RouterService(config, args.id or config.router.id, args.config)


if __name__ == "__main__":
    main("router", build)
