"""Coverage-guided fuzzing (atheris) of everything that reads what a client writes.

    python tests/fuzz/coverage_guided.py TARGET CORPUS_FOLDER -runs=10000 [-seed=1]

TARGET: template, specification or submission. The folder is made where it is missing, and begins with what the
examples hold. Whatever is neither accepted nor refused with a reason, and whatever
takes MAX_SECONDS of processor time three times over, ends the process with the input in a ``crash-*`` file.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["catenary", "catenary_gateway", "jinja2"]):
    from google.protobuf.message import DecodeError

    from catenary.model.spec import SpecError, compile_workflow, load_workflow
    from catenary.model.template import CallResult, Missing, Scope, TemplateError, compile_template
    from catenary.model.workflow import Limits
    from catenary.runtime.wire.workflow import workflow_from_proto, workflow_to_proto
    from catenary.v1 import gateway_service_pb2 as pb
    from catenary_gateway.submission import FieldError, input_values

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
MAX_SECONDS = 0.1
LIMITS = Limits()
MODELS = ("fast", "slow")
SCOPE = {
    "inputs": {"x": ["a", 1, None, {"a": 2.5}], "a": "text " * 50},
    "a": CallResult("a", '{"x": [1, "b"]}'),
    "b": Missing("b is skipped", skipped=True),
    "x": [CallResult("x[0]", "one", "i", 0), CallResult("x[1]", "[]", 2, 1)],
}


def template(content: bytes) -> None:
    with suppress(TemplateError):
        compiled = compile_template(content.decode(errors="surrogateescape"), 1 << 16)
        if set(compiled.names) <= {*SCOPE, "item", "index"}:
            compiled.render(Scope(SCOPE, item="i", index=0), 10_000).encode()


def specification(content: bytes) -> None:
    with suppress(SpecError):
        compile_workflow(load_workflow(content))


def submission(content: bytes) -> None:
    with suppress(DecodeError, SpecError, FieldError):
        request = pb.SubmitWorkflowRequest.FromString(content)
        compile_workflow(workflow_from_proto(request.workflow), LIMITS, MODELS)
        input_values(request.inputs, LIMITS)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "template": template,
    "specification": specification,
    "submission": submission,
}


def seeds(target: str) -> list[bytes]:
    texts = [path.read_text() for path in EXAMPLES]
    match target:
        case "template":
            return [found.encode() for text in texts for found in re.findall(r"{{.*?}}|{%.*?%}", text)]
        case "specification":
            return [text.encode() for text in texts]
    workflows = [workflow_to_proto(load_workflow(text)) for text in texts]
    return [pb.SubmitWorkflowRequest(workflow=workflow).SerializeToString() for workflow in workflows]


def timed(target: Callable[[bytes], None], content: bytes) -> None:
    """The best of up to three tries: other processes share the caches."""
    for _ in range(3):
        began = time.process_time()
        target(content)
        took_s = time.process_time() - began
        if took_s < MAX_SECONDS:
            return
    raise AssertionError(f"takes {took_s:.3f} s")


def main() -> None:
    if len(sys.argv) < 3 or sys.argv[1] not in TARGETS:
        raise SystemExit(f"usage: {sys.argv[0]} {'|'.join(TARGETS)} CORPUS_FOLDER [libFuzzer options]")
    name = sys.argv.pop(1)
    target, folder = TARGETS[name], Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(seeds(name)):
        (folder / f"example-{number}").write_bytes(content)
    atheris.Setup(sys.argv, lambda content: timed(target, content))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
