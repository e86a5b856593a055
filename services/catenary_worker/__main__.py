"""``python -m catenary_worker --config FILE --worker NAME``."""

from __future__ import annotations

import argparse

from catenary.runtime.config import Config, ConfigError
from catenary.runtime.service import main
from catenary_worker.shell import WorkerService


def build(config: Config, args: argparse.Namespace) -> WorkerService:
    name = args.worker or args.id
    worker = next((worker for worker in config.workers if worker.id == name), None)
    if worker is None:
        known = ", ".join(worker.id for worker in config.workers) or "none"
        raise ConfigError(f"--worker: {name!r} is not among the configured workers; known: {known}")
    return WorkerService(config, worker, args.config)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--worker", default="", help="id of the worker in the configuration")


if __name__ == "__main__":
    main("worker", build, add_arguments)
