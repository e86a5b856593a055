"""Runs whose clients write down everything that they see."""

from __future__ import annotations

import asyncio

from histories import History, violations

from catenary.client import CatenaryError, Client, RunHandle
from catenary.model.outcome import Outcome

WORKFLOW = """
name: chain
slo: {deadline: 60s}
calls:
  first: {model: MODEL, prompt: say something, max_tokens: TOKENS, ignore_eos: true}
  second: {model: MODEL, prompt: "repeat {{ first.text }}", max_tokens: TOKENS, ignore_eos: true}
output: "{{ second.text }}"
"""


def workflow(model: str = "fast", tokens: int = 200) -> str:
    return WORKFLOW.replace("MODEL", model).replace("TOKENS", str(tokens))


async def follow(handle: RunHandle, history: History) -> None:
    try:
        async for event in handle:
            history.events.append((handle.sequence, event))
    except CatenaryError as error:
        history.error = str(error)


async def run_all(client: Client, spec: str, num: int, prefix: str) -> tuple[list[History], list[asyncio.Task[None]]]:
    histories, tasks = [], []
    for number in range(num):
        handle = await client.submit(spec, run_id=f"{prefix}-{number}", tokens=True)
        history = History(handle.run_id)
        histories.append(history)
        tasks.append(asyncio.create_task(follow(handle, history)))
    return histories, tasks


async def check(client: Client, histories: list[History]) -> None:
    kept = {history.run_id: (await client.get(history.run_id)).outcome for history in histories}
    assert violations(histories, kept) == []
    assert set(kept.values()) == {Outcome.SUCCEEDED}
