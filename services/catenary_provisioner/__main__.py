"""``python -m catenary_provisioner --config FILE``."""

from __future__ import annotations

import argparse

from catenary.runtime.config import Config
from catenary.runtime.service import main
from catenary_provisioner.service import ProvisionerService


def build(config: Config, args: argparse.Namespace) -> ProvisionerService:
    return ProvisionerService(config, args.config, args.id or config.provisioner.id)


if __name__ == "__main__":
    main("provisioner", build)
