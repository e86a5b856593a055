"""The output of a run whose calls have all ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catenary.model.compiled import CompiledWorkflow
from catenary.model.template import Scope, SkippedError, TemplateError
from catenary.model.value import Value, to_json_value, weigh


def run_output(compiled: CompiledWorkflow, values: Mapping[str, Value], max_bytes: int) -> Any:
    """A JSON value: that of a single expression, else the rendered text; null where it needs a skipped call.

    Without an output template it is the text of every call by name.

    Raises:
        TemplateError: the template fails, or the value is over ``max_bytes``.
    """
    value = _value(compiled, values, max_bytes)
    if weigh(value, max_bytes) > max_bytes:
        raise TemplateError(f"is over {max_bytes:,} bytes (max_output_bytes)")
    return to_json_value(value)


def _value(compiled: CompiledWorkflow, values: Mapping[str, Value], max_bytes: int) -> Value:
    template = compiled.output
    if template is None:
        return {call.name: values[call.name] for call in compiled.workflow.calls}
    scope = Scope(values)
    if template.single is not None:
        return template.evaluate(scope)
    try:
        return template.render(scope, max_bytes)
    except SkippedError:
        return None
