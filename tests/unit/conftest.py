"""A scripted gateway, and a workflow to send it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_gateway import FakeGateway, serving

SPEC = """
name: review
calls:
  outline: {model: small, prompt: Outline, max_tokens: 8}
  facts: {model: small, prompt: Facts, max_tokens: 8}
"""


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with serving(FakeGateway()) as found:
        yield found


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "review.yaml"
    path.write_text(SPEC)
    return str(path)
