"""One workflow, submitted with a client that gives up soon."""

from __future__ import annotations

from fake_gateway import RUN

from catenary.client import CallTokens, Client, Reattach, RunEventBody

SPEC = """
name: review
slo: {deadline: 8s}
inputs: {article: string}
calls:
  outline: {model: small, prompt: "{{ inputs.article }}", max_tokens: 8}
  facts: {model: small, prompt: "{{ inputs.article }}", max_tokens: 8}
"""
QUICK = Reattach(attempts=4, first_s=0.001, max_s=0.002)


def text_of(events: list[RunEventBody], name: str) -> str:
    return "".join(e.text for e in events if isinstance(e, CallTokens) and e.ref.name == name)


async def events_of(client: Client) -> list[RunEventBody]:
    async with await client.submit(SPEC, {"article": "x"}, run_id=RUN, tokens=True) as handle:
        return [event async for event in handle]
