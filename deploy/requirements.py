"""Prints what catenary depends on, or with arguments what those extras of it do, one requirement a line."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(sys.argv[0]).resolve().parent / "pyproject.toml").read_text())["project"]
extras = project["optional-dependencies"]
wanted = [requirement for extra in sys.argv[1:] for requirement in extras[extra]]
print("\n".join(wanted if sys.argv[1:] else project["dependencies"]))
