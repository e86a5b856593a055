"""The scenarios' workflows as one writes them in Ray Serve: an ingress deployment that composes model handles."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from google.protobuf.wrappers_pb2 import StringValue

from bench.ray_serve.closed_loop import Timings, closed_loop
from bench.ray_serve.engine import Generated
from bench.ray_serve.slack import Slack
from catenary_worker.emulated_engine import MARK

MAX_TOKENS = 400
OUTLINE_TOKENS, ARTICLE_TOKENS = 64, 128
SHAPES = (("llama-1b-shape", 64), ("llama-3b-shape", 96), ("llama-8b-shape", 128))
"""Models of the chain on a GPU, and the tokens that each gives."""


class Run:
    """One run: calls models by name and keeps the figures of each call."""

    def __init__(self, handles: Mapping[str, Any], slack: Slack | None, workflow: str, deadline: float) -> None:
        self._handles = handles
        self._slack = slack
        self._workflow = workflow
        self._deadline = deadline
        self.calls: list[dict[str, Any]] = []

    async def call(
        self, name: str, model: str, prompt: str, max_tokens: int = MAX_TOKENS, *, to_the_end: bool = False
    ) -> str:
        """``to_the_end``: exactly ``max_tokens``."""
        began = time.monotonic()
        hints: dict[str, float] = {}
        if self._slack is not None:
            hints = self._slack.hints(self._workflow, name, prompt, self._deadline)
        generated: Generated = await self._handles[model].generate.remote(
            prompt, max_tokens, to_the_end=to_the_end, **hints
        )
        if self._slack is not None:
            self._slack.learn(self._workflow, name, generated["output_tokens"])
        self.calls.append(
            {
                "name": name,
                "queue_s": round(generated["queue_s"], 6),
                "duration_s": round(time.monotonic() - began, 6),
                "output_tokens": generated["output_tokens"],
            }
        )
        return generated["text"]


class Workflows:
    """The ingress: one method, ``Run``, for the gRPC proxy."""

    def __init__(self, handles: Mapping[str, Any], slack: Slack | None = None) -> None:
        self._handles = handles
        self._slack = slack

    async def Run(self, request: StringValue) -> StringValue:
        """JSON of workflow, inputs and remaining deadline in; JSON of the calls' figures out."""
        return StringValue(value=await self.run(request.value))

    async def __call__(self, request: Any) -> str:
        """The same over HTTP."""
        return await self.run((await request.body()).decode())

    async def closed_loop(self, text: str, clients: int, seconds: float) -> Timings:
        """The workflow run from inside this replica: what handles alone cost."""
        return await closed_loop(lambda: self.run(text), clients, seconds)

    async def run(self, text: str) -> str:
        message = json.loads(text)
        deadline = time.monotonic() + message["deadline_s"]
        run = Run(self._handles, self._slack, message["workflow"], deadline)
        output = await WORKFLOWS[message["workflow"]](run, message["inputs"])
        return json.dumps({"calls": run.calls, "output": output})


async def chain(run: Run, inputs: Mapping[str, Any]) -> str:
    prompt = inputs["prompt"]
    a = await run.call("a", "A", f"#out={inputs['a_out']} {prompt}")
    b = await run.call("b", "B", f"#out={inputs['b_out']} {prompt}{a}")
    return await run.call("c", "C", f"#out={inputs['c_out']} {prompt}{a}{b}")


async def parallel(run: Run, inputs: Mapping[str, Any]) -> str:
    left, right = await asyncio.gather(
        run.call("left", "A", f"#out={inputs['left_out']} {inputs['text']}"),
        run.call("right", "B", f"#out={inputs['right_out']} {inputs['text']}"),
    )
    return await run.call("join", "C", f"#out={inputs['join_out']} {left}{right}")


async def branch(run: Run, inputs: Mapping[str, Any]) -> str:
    draft = await run.call("draft", "A", f"#out={inputs['draft_out']} {inputs['text']}")
    critique = await run.call("critique", "B", f"#out={inputs['critique_out']} {draft}")
    if MARK not in critique:
        return draft
    return await run.call("rewrite", "C", f"#out={inputs['rewrite_out']} {draft}{critique}")


async def map_(run: Run, inputs: Mapping[str, Any]) -> str:
    summary = await run.call("summary", "A", f"#out={inputs['summary_out']} {inputs['text']}")
    items = enumerate(inputs["languages"])
    texts = await asyncio.gather(*(run.call(f"translate[{n}]", "B", f"{item}{summary}") for n, item in items))
    return json.dumps(texts)


async def essay(run: Run, inputs: Mapping[str, Any]) -> str:
    """On real engines (bench/real_engines.py)."""
    outline = await run.call("outline", "m", inputs["outline_prompt"], OUTLINE_TOKENS)
    return await run.call("article", "m", inputs["article_prompt"] + outline + inputs["ending"], ARTICLE_TOKENS)


async def shapes(run: Run, inputs: Mapping[str, Any]) -> str:
    """On real engines of a GPU (bench/shapes.py)."""
    text = ""
    for place, (model, tokens) in enumerate(SHAPES):
        text = await run.call("abc"[place], model, inputs["prompt"], tokens, to_the_end=True)
    return text


async def noop(run: Run, inputs: Mapping[str, Any]) -> str:
    """``calls`` calls one after the other, each with the text of the one before."""
    text = inputs["article"]
    for number in range(int(inputs["calls"])):
        text = await run.call(f"c{number}", "noop", f"#out={inputs['tokens']} step {number}: {text}")
    return str(text)


WORKFLOWS: dict[str, Callable[[Run, Mapping[str, Any]], Awaitable[str]]] = {
    "chain": chain,
    "parallel": parallel,
    "branch": branch,
    "map": map_,
    "essay": essay,
    "shapes": shapes,
    "noop": noop,
}
