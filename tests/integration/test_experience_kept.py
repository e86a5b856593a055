"""A gateway that is started again predicts with what runs have taught it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from rolling import KEEPING, restart
from whole_cluster import write_config

from catenary.client import Client
from catenary.policy.length_window import ENOUGH
from catenary.runtime.cluster import Cluster
from catenary.runtime.store.connection import connect
from catenary.runtime.store.experience import ExperienceStore

WORKFLOW = """
name: short-answer
slo: {deadline: 30s}
inputs: {text: string}
calls:
  answer: {model: fast, prompt: "{{ inputs.text }}", max_tokens: 40}
output: "{{ answer.text }}"
"""
SHAPED = """
name: shaped
slo: {deadline: 30s}
inputs: {words: list, more: boolean}
calls:
  each: {model: fast, prompt: "{{ item }}", for_each: "{{ inputs.words }}", max_tokens: 8}
  again: {model: slow, when: "{{ inputs.more }}", prompt: "{{ each | length }}", max_tokens: 8, min_tokens: 8}
output: "{{ each | length }}"
"""


async def test_output_lengths_are_known_after_a_restart(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    async with Cluster(config, settings=KEEPING) as cluster, Client(cluster.addresses.gateway) as client:
        assumed = (await client.explain(WORKFLOW, {})).predicted_s
        await asyncio.gather(*(client.run(WORKFLOW, {"text": str(i)}) for i in range(ENOUGH)))
        learned = (await client.explain(WORKFLOW, {})).predicted_s
        assert learned != assumed
        await restart(cluster, "gateway")
        assert (await client.explain(WORKFLOW, {})).predicted_s == pytest.approx(learned)


async def test_branches_lists_and_error_budgets_are_known_after_a_restart(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    async with Cluster(config, settings=KEEPING) as cluster, Client(cluster.addresses.gateway) as client:
        inputs = {"words": ["a"] * 2, "more": False}
        assumed = (await client.explain(SHAPED, inputs)).predicted_s
        await asyncio.gather(*(client.run(SHAPED, inputs, deadline_s=1e-3) for _ in range(2)))
        await asyncio.gather(*(client.run(SHAPED, inputs) for _ in range(ENOUGH)))
        learned = (await client.explain(SHAPED, inputs)).predicted_s
        assert learned < assumed / 2
        await restart(cluster, "gateway")
        assert (await client.explain(SHAPED, inputs)).predicted_s == pytest.approx(learned)
        await client.run(SHAPED, inputs)
        await restart(cluster, "gateway")
        assert await ends(cluster) == [False] * 2 + [True] * (ENOUGH + 1)


async def ends(cluster: Cluster) -> list[bool]:
    """Of all runs that any process of the gateway has seen end."""
    redis = connect(cluster.store_url)
    try:
        (latest,) = (await ExperienceStore(redis, cluster.config.gateway.id).get()).ends
        return list(latest.met)
    finally:
        await redis.aclose()
