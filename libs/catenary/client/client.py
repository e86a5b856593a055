"""The asynchronous client of the scheduler-gateway."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self, Unpack

from catenary.client import wire
from catenary.client.assemble import RunAssembly
from catenary.client.gateways import Gateways
from catenary.client.handle import RunHandle
from catenary.client.records import Explanation, ModelStatus, Registration, Run, RunPage
from catenary.client.request import RunOptions, WorkflowLike, explain_request, resolve, submit_request
from catenary.client.stream import EventStream, Reattach
from catenary.v1 import gateway_service_pb2 as gateway_pb2

DEFAULT_ADDRESS = "127.0.0.1:7450"
RUN_ID_BYTES = 8


class Client:
    """Talks to one or more gateways (``host:port``), which take its runs in turn; use it within one event loop and
    close it.

    A workflow is given as a ``Workflow``, a path, YAML text, or the name of a registered one. Every method raises
    CatenaryError where a gateway refuses the request or none can be reached; a refused *run* is a result instead.
    """

    def __init__(
        self,
        addresses: str | Sequence[str] = DEFAULT_ADDRESS,
        *,
        timeout_s: float = 30.0,
        reattach: Reattach | None = None,
    ) -> None:
        self._gateways = Gateways([addresses] if isinstance(addresses, str) else addresses)
        self._timeout_s = timeout_s
        self._reattach = reattach or Reattach()

    async def register(self, workflow: WorkflowLike) -> Registration:
        """Store a workflow under its name; the same content again gives the same version."""
        spec = resolve(workflow)
        if spec.workflow is None:
            raise ValueError(f"workflow: {spec.registered!r} is a name; register takes the workflow itself")
        request = gateway_pb2.RegisterWorkflowRequest(workflow=spec.workflow)
        return wire.registration_from(await self._ask(lambda stub: stub.RegisterWorkflow, request))

    async def submit(
        self, workflow: WorkflowLike, inputs: Mapping[str, Any] | None = None, **options: Unpack[RunOptions]
    ) -> RunHandle:
        """Start a run; returns once it is stored or refused.

        Raises:
            SpecError, OSError, ValueError: the arguments are wrong.
        """
        spec = resolve(workflow)
        run_id = options.get("run_id") or secrets.token_hex(RUN_ID_BYTES)
        request = submit_request(spec, run_id, inputs, options)
        return await self._follow(
            run_id,
            RunAssembly(run_id, spec.name, spec.order),
            request,
            tokens=request.stream_tokens,
            owns=not request.detach,
        )

    async def run(
        self, workflow: WorkflowLike, inputs: Mapping[str, Any] | None = None, **options: Unpack[RunOptions]
    ) -> Run:
        """Start a run and wait for its end."""
        async with await self.submit(workflow, inputs, **options) as handle:
            return await handle.result()

    async def watch(self, run_id: str, *, after_sequence: int = 0, tokens: bool = False) -> RunHandle:
        """Follow a run that somebody started; leaving does not end it."""
        assembly = RunAssembly(run_id)
        return await self._follow(run_id, assembly, None, tokens=tokens, owns=False, after_sequence=after_sequence)

    async def get(self, run_id: str) -> Run:
        response = await self._ask(lambda stub: stub.GetRun, gateway_pb2.GetRunRequest(run_id=run_id))
        return wire.run_from(response.run)

    async def list(
        self, *, page_size: int = 100, page_token: str = "", workflow: str = "", tenant: str = ""
    ) -> RunPage:
        """Runs, newest first, without outputs."""
        request = gateway_pb2.ListRunsRequest(
            page_size=page_size, page_token=page_token, workflow=workflow, tenant=tenant
        )
        return wire.page_from(await self._ask(lambda stub: stub.ListRuns, request))

    async def cancel(self, run_id: str, reason: str = "") -> Run:
        """End a run; its engine work is aborted. A run that had ended stays as it is."""
        request = gateway_pb2.CancelRunRequest(run_id=run_id, reason=reason)
        return wire.run_from((await self._ask(lambda stub: stub.CancelRun, request)).run)

    async def models(self) -> tuple[ModelStatus, ...]:
        response = await self._ask(lambda stub: stub.ListModels, gateway_pb2.ListModelsRequest())
        return tuple(wire.model_from(model) for model in response.models)

    async def explain(self, workflow: WorkflowLike, inputs: Mapping[str, Any] | None = None) -> Explanation:
        """The predicted duration on idle engines, and how the objective splits over the calls."""
        request = explain_request(resolve(workflow), inputs)
        return wire.explanation_from(await self._ask(lambda stub: stub.ExplainWorkflow, request))

    async def close(self) -> None:
        await self._gateways.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _follow(
        self,
        run_id: str,
        assembly: RunAssembly,
        request: gateway_pb2.SubmitWorkflowRequest | None,
        *,
        tokens: bool,
        owns: bool,
        after_sequence: int = 0,
    ) -> RunHandle:
        stream = EventStream(
            self._gateways,
            run_id,
            request,
            tokens=tokens,
            after_sequence=after_sequence,
            reattach=self._reattach,
        )
        handle = RunHandle(self._gateways, stream, assembly, run_id, owns=owns, timeout_s=self._timeout_s)
        try:
            await handle.begin()
        except BaseException:
            await handle.aclose()
            raise
        return handle

    async def _ask(self, method: Any, request: Any) -> Any:
        return await self._gateways.ask(method, request, self._timeout_s)
