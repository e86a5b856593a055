"""Specifications, and what is wrong with them."""

from __future__ import annotations

from typing import Any

from catenary.model.spec import SpecError, compile_workflow, load_workflow, parse_workflow
from catenary.model.workflow import Limits

REVIEW = """
name: review-article
slo: {deadline: 8s, attainment: 0.95, on_miss: finish}
inputs: {article: string, languages: list}
calls:
  outline:   {model: small, prompt: "Outline:\\n{{ inputs.article }}", max_tokens: 96}
  critique:  {model: large, prompt: "Criticise:\\n{{ outline.text }}", max_tokens: 160}
  facts:     {model: small, prompt: "List the facts:\\n{{ inputs.article }}", max_tokens: 96}
  rewrite:
    model: large
    when: "{{ 'weak' in critique.text }}"
    prompt: "Rewrite with {{ critique.text }} and {{ facts.text }}"
  translate:
    model: small
    for_each: "{{ inputs.languages }}"
    max_items: 8
    prompt: "To {{ item }}: {{ rewrite.text or outline.text }}"
output: "{{ translate | map(attribute='text') | list }}"
"""


def spec(**changes: Any) -> dict[str, Any]:
    call = {"model": "m", "prompt": "hi", **changes}
    return {"name": "w", "calls": {"a": {key: value for key, value in call.items() if value is not ...}}}


def problems(data: dict[str, Any] | str, limits: Limits | None = None, models: set[str] | None = None) -> list[str]:
    try:
        workflow = load_workflow(data, limits) if isinstance(data, str) else parse_workflow(data, limits)
        compile_workflow(workflow, limits, models)
    except SpecError as error:
        return str(error).splitlines()
    return []
