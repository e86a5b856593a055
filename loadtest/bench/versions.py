"""Versions and the machine, as they stand beside every result."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent.parent
RESULTS = ":(top,exclude)loadtest/results"


@cache
def git_hash() -> str:
    """Short hash of the commit, with + where tracked files other than results differ from it; "unknown" outside a
    repository."""
    try:
        commit = _git("rev-parse", "--short", "HEAD")
        return commit + ("+" if _git("status", "--porcelain", "--untracked-files=no", "--", ":/", RESULTS) else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def catenary_version() -> str:
    return f"catenary {git_hash()}"


def machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    return f"{_cpu()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _git(*args: str) -> str:
    return subprocess.run(["git", "-C", str(ROOT), *args], capture_output=True, text=True, check=True).stdout.strip()
