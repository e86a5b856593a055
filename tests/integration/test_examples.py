"""The examples on a whole cluster of emulated engines."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from whole_cluster import write_config

from catenary.client import Client
from catenary.model.spec import compile_workflow, load_workflow
from catenary.runtime.cluster import Cluster

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXAMPLES = Path(__file__).parents[2] / "examples"
MODELS = ("small", "large")
INPUTS: dict[str, dict[str, Any]] = {
    "review_article.yaml": {"article": "The bridge is closed.", "languages": ["French", "German"]},
    "rag_chain.yaml": {"question": "Who pays?", "passages": ["The city pays half.", "Shops pay the rest."]},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A gateway whose models have the names that the examples use."""
    folder = tmp_path_factory.mktemp("examples")
    model = {"engine": "emulated", "profile": str(folder / "fast.json"), "max_num_seqs": 8}
    workers = [{"id": f"w{index}", "models": [name]} for index, name in enumerate(MODELS)]
    config = write_config(folder, models=dict.fromkeys(MODELS, model), workers=workers)
    async with Cluster(config) as cluster:
        yield cluster.addresses.gateway


def text_of(name: str) -> str:
    return (EXAMPLES / name).read_text(encoding="utf-8")


async def run(script: str, address: str) -> tuple[int | None, str]:
    """Exit code and output of an example."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / script),
        address,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, output.decode()


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.yaml")))
async def test_each_workflow_is_valid(name: str) -> None:
    workflow = load_workflow(text_of(name))
    compile_workflow(workflow, None, MODELS)
    assert workflow.slo.deadline_s is not None
    assert workflow.description


@pytest.mark.parametrize("name", INPUTS)
async def test_workflows_run(name: str, address: str) -> None:
    async with Client(address) as client:
        run = await client.run(EXAMPLES / name, INPUTS[name])
    assert run.succeeded, run.reason
    assert run.met
    assert run.output


async def test_the_plain_stubs_need_no_client(address: str) -> None:
    source = text_of("plain_grpc.py")
    assert len(source.splitlines()) <= 30
    assert "catenary.client" not in source
    code, output = await run("plain_grpc.py", address)
    assert code == 0, output
    assert "OUTCOME_SUCCEEDED" in output
    assert "met: true" in output


async def test_the_python_client_runs_a_workflow_built_in_python(address: str) -> None:
    code, output = await run("python_client.py", address)
    assert code == 0, output
    assert "predicted" in output.splitlines()[0]
    assert "[answer[1]: " in output
    assert "SUCCEEDED in time" in output.splitlines()[-1]
