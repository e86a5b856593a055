"""A gateway that is started again predicts with what it had learned."""

from __future__ import annotations

import asyncio
from pathlib import Path

from rolling import KEEPING, restart
from whole_cluster import write_config

from catenary.client import Client
from catenary.policy.length_window import ENOUGH
from catenary.runtime.cluster import Cluster

WORKFLOW = """
name: short-answer
slo: {deadline: 30s}
inputs: {text: string}
calls:
  answer: {model: fast, prompt: "{{ inputs.text }}", max_tokens: 40}
output: "{{ answer.text }}"
"""


async def test_output_lengths_are_known_after_a_restart(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    async with Cluster(config, settings=KEEPING) as cluster, Client(cluster.addresses.gateway) as client:
        assumed = (await client.explain(WORKFLOW, {})).predicted_s
        await asyncio.gather(*(client.run(WORKFLOW, {"text": str(i)}) for i in range(ENOUGH)))
        learned = (await client.explain(WORKFLOW, {})).predicted_s
        assert learned != assumed
        await restart(cluster, "gateway")
        assert (await client.explain(WORKFLOW, {})).predicted_s == learned
