"""Workflows as clients send them, checked once per content."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection

from catenary.model.compiled import CompiledWorkflow
from catenary.model.spec import compile_workflow
from catenary.model.workflow import Limits
from catenary.runtime.store.specs import SpecStore
from catenary.runtime.wire.workflow import workflow_from_proto
from catenary.v1 import workflow_pb2

CACHE_SIZE = 1_024


class UnknownWorkflow(Exception):
    """No workflow of this name (and version) is registered."""


class Specs:
    """Compiles workflows and keeps the last 1,024; registered ones live in the store."""

    def __init__(self, store: SpecStore, models: Collection[str], limits: Limits) -> None:
        self._store = store
        self._models = models
        self._limits = limits
        self._compiled: OrderedDict[bytes, CompiledWorkflow] = OrderedDict()

    def compile(self, message: workflow_pb2.Workflow) -> CompiledWorkflow:
        """Raises SpecError."""
        content = message.SerializeToString(deterministic=True)
        compiled = self._compiled.get(content)
        if compiled is None:
            compiled = compile_workflow(workflow_from_proto(message), self._limits, self._models)
            self._compiled[content] = compiled
            if len(self._compiled) > CACHE_SIZE:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(content)
        return compiled

    async def register(self, message: workflow_pb2.Workflow) -> tuple[CompiledWorkflow, bool]:
        """The workflow and whether this version is new. Raises SpecError, StoreFull or RedisError."""
        compiled = self.compile(message)
        content = message.SerializeToString(deterministic=True)
        created = await self._store.put(compiled.workflow.name, compiled.version, content)
        return compiled, created

    async def registered(self, name: str, version: str) -> CompiledWorkflow:
        """The newest version where ``version`` is empty. Raises UnknownWorkflow, SpecError or RedisError."""
        found = await self._store.get(name, version or None)
        if found is None:
            what = f"{name!r} in version {version!r}" if version else repr(name)
            raise UnknownWorkflow(f"workflow_name: no workflow {what} is registered")
        return self.compile(workflow_pb2.Workflow.FromString(found[1]))
