"""A workflow built in Python and run with the asynchronous client: python_client.py [ADDRESS [MODEL]]"""

import asyncio
import sys

from catenary.client import CallFinished, CallTokens, Client
from catenary.model.builder import ITEM, WorkflowBuilder
from catenary.model.workflow import Workflow


def questions_and_answers(model: str) -> Workflow:
    """A map over the questions, then one call with all answers in its prompt."""
    workflow = WorkflowBuilder("questions-and-answers", deadline="60s")
    text = workflow.input("text", str)
    questions = workflow.input("questions", list)
    answer = workflow.call(
        "answer",
        model=model,
        for_each=questions,
        max_items=8,
        prompt=f"{text}\nQuestion: {ITEM}\nAnswer:",
        max_tokens=32,
    )
    summary = workflow.call(
        "summary", model=model, prompt=f"Sum up:\n{answer.texts.filter('join', ' ')}\nSummary:", max_tokens=48
    )
    workflow.output({"answers": answer, "summary": summary})
    return workflow.build()


async def main(address: str = "127.0.0.1:7450", model: str = "small") -> int:
    inputs = {
        "text": "A catenary is the curve of a chain that hangs from two points.",
        "questions": ["What hangs?", "From how many points?"],
    }
    async with Client(address) as client:
        explanation = await client.explain(questions_and_answers(model), inputs)
        print(f"predicted {explanation.predicted_s:.2f} s, deadline {explanation.deadline_s:.0f} s")
        async with await client.submit(questions_and_answers(model), inputs, tokens=True) as handle:
            async for event in handle:
                match event:
                    case CallTokens() if event.ref.name == "summary":
                        print(event.text, end="", flush=True)
                    case CallFinished():
                        print(f"\n[{event.record.ref}: {event.record.duration_s:.2f} s on {event.record.worker}]")
            run = await handle.result()
    print(run.outcome, "in time" if run.met else "late", f"{run.e2e_s:.2f} s", run.output)
    return 0 if run.succeeded else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:3])))
