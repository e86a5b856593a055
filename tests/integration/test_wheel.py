from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "catenary",
    "catenary_gateway",
    "catenary_router",
    "catenary_worker",
    "catenary_profiler",
    "catenary_provisioner",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True)
    (wheel,) = folder.glob("catenary-*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_holds_our_packages_and_nothing_else(files: set[str]) -> None:
    folders = {name.partition("/")[0] for name in files}
    assert {folder for folder in folders if not folder.endswith(".dist-info")} == PACKAGES


def test_every_package_is_typed(files: set[str]) -> None:
    assert {f"{package}/py.typed" for package in PACKAGES} <= files


def test_every_module_of_the_checkout_is_in_the_wheel(files: set[str]) -> None:
    modules = {
        path.relative_to(top).as_posix() for top in (ROOT / "libs", ROOT / "services") for path in top.rglob("*.py")
    }
    assert modules <= files
