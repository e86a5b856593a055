"""All services of a configuration on this machine, as one thing that starts and stops."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc

from catenary.runtime.config import load_config
from catenary.runtime.embedded import EmbeddedStore, EmbeddedStoreError
from catenary.runtime.guard import Guard
from catenary.runtime.kept_service import KeepSettings, KeptService, ServiceChanged, ServiceState
from catenary.runtime.launch import Addresses, addresses_of, service_commands, wanted_addresses
from catenary.runtime.ports import AddressError, settle_addresses
from catenary.runtime.process import ChildError
from catenary.runtime.readiness import awake, missing, problems
from catenary.runtime.rpc import channel
from catenary.runtime.scope import Scope
from catenary.runtime.tasks import cancel
from catenary.v1 import gateway_service_pb2
from catenary.v1 import provisioner_service_pb2 as pb
from catenary.v1.gateway_service_pb2_grpc import GatewayServiceStub
from catenary.v1.provisioner_service_pb2_grpc import ProvisionerServiceStub

EMBEDDED = "embedded"
_STOP_GRACE_S = 10.0
_POLL_S = 0.2
_ASK_TIMEOUT_S = 2.0


class ClusterError(Exception):
    """The cluster cannot start, or does not become ready; the text says what is wrong."""


class Cluster:
    """Starts the store where it is embedded, the control services, and through the provisioner the workers.

    ``async with Cluster(path) as cluster`` starts it and waits until all replicas are awake. Services with port 0 get
    a free port. Nothing that it started survives it, whatever ends it. Start it from the main thread.
    """

    def __init__(
        self,
        config_path: Path,
        on_change: Callable[[ServiceChanged], None] = lambda change: None,
        settings: KeepSettings | None = None,
    ) -> None:
        """Raises ConfigError."""
        self.config = load_config(config_path)
        self._config_path = config_path.resolve()
        self._on_change = on_change
        self._settings = settings or KeepSettings()
        self.scope = Scope.root()
        self._guard = Guard(self.scope, self.config.provisioner.stop_timeout_s)
        self._store: EmbeddedStore | None = None
        self._store_url = self.config.store.url
        self._services: dict[str, KeptService] = {}
        self._provisioner: grpc.aio.Channel | None = None
        self._store_keeper: asyncio.Task[None] | None = None
        self._addresses: Addresses | None = None

    @property
    def addresses(self) -> Addresses:
        if self._addresses is None:
            raise ClusterError("the cluster is not started")
        return self._addresses

    @property
    def store_url(self) -> str:
        return self._store_url

    @property
    def store_pid(self) -> int:
        """Process id of the embedded store; 0 where none runs."""
        return 0 if self._store is None else self._store.pid or 0

    @property
    def log_dir(self) -> Path:
        """Where the services' logs (.log) and raw output (.out) are."""
        configured = self.config.telemetry.log_dir
        return Path(configured).resolve() if configured else self.config.store.data_dir.resolve().parent / "logs"

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of the control services by name; 0 where none runs."""
        return {name: service.pid for name, service in self._services.items()}

    async def start(self) -> None:
        """Returns when the control services serve; the workers are then on their way.

        Raises:
            ClusterError: an address or the store's folder is in use, or a service did not start.
        """
        try:
            await self._start()
        except (AddressError, ChildError, EmbeddedStoreError, OSError) as error:
            await self.stop()
            raise ClusterError(str(error)) from error
        except BaseException:
            await self.stop()
            raise

    async def wait_ready(self, timeout_s: float, fail_fast: bool = False) -> pb.Plan:
        """Waits until every configured replica is awake and every gateway knows it, and returns the plan.

        Raises:
            ClusterError: ``timeout_s`` passed, or with ``fail_fast`` a worker or an engine ended; names each problem.
        """
        give_up_at = time.monotonic() + timeout_s
        while True:
            plan = await self.plan()
            if plan is None:
                lacks = ["the provisioner does not answer"]
            else:
                lacks = list(missing(plan, self.config.workers)) or await self._unknown_to_gateways(awake(plan))
                if not lacks:
                    return plan
            wrong = [] if plan is None else list(problems(plan))
            if fail_fast and wrong:
                raise ClusterError("\n".join(wrong))
            if time.monotonic() >= give_up_at:
                raise ClusterError("\n".join([f"not ready after {timeout_s:g} s:", *lacks, *wrong]))
            await asyncio.sleep(_POLL_S)

    async def plan(self) -> pb.Plan | None:
        """The provisioner's plan with the workers' snapshots; None while it does not answer."""
        if self._provisioner is None:
            return None
        try:
            stub = ProvisionerServiceStub(self._provisioner)
            response: pb.GetPlanResponse = await stub.GetPlan(pb.GetPlanRequest(), timeout=_ASK_TIMEOUT_S)
        except grpc.RpcError:
            return None
        return response.plan

    async def _unknown_to_gateways(self, wanted: Mapping[str, int]) -> list[str]:
        found = await asyncio.gather(*(_unknown_to(address, wanted) for address in self.addresses.gateways))
        return [line for lines in found for line in lines]

    async def failed(self) -> str:
        """Waits until a control service is given up and returns why."""
        waits = [asyncio.create_task(service.failed()) for service in self._services.values()]
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            await cancel(*waits)

    async def stop(self) -> None:
        """Ends the workers, then the services in the reverse order of their start, then the store."""
        if self._provisioner is not None:
            await self._provisioner.close()
            self._provisioner = None
        while self._services:
            name, service = self._services.popitem()
            workers_s = self.config.worker_stop_s if name == "provisioner" else 0.0
            await service.stop(_STOP_GRACE_S + workers_s)
        await asyncio.to_thread(self.scope.kill)
        await self._guard.stop()
        if self._store_keeper is not None:
            await cancel(self._store_keeper)
            self._store_keeper = None
        if self._store is not None:
            await asyncio.to_thread(self._store.stop)
            self._store = None

    async def _keep_store(self, store: EmbeddedStore) -> None:
        """Start the server again when it has ended; its data is in its folder."""
        while True:
            await asyncio.sleep(_POLL_S)
            if store.pid is not None:
                continue
            self._on_change(ServiceChanged("store", ServiceState.BACKING_OFF, self._store_url, "ended; starts again"))
            try:
                store.start()
            except (EmbeddedStoreError, OSError) as error:
                self._on_change(ServiceChanged("store", ServiceState.FAILED, self._store_url, str(error)))
                continue
            self._on_change(ServiceChanged("store", ServiceState.READY, self._store_url))

    async def __aenter__(self) -> Self:
        await self.start()
        try:
            await self.wait_ready(self.config.provisioner.start_timeout_s, fail_fast=True)
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _start(self) -> None:
        self._addresses = addresses_of(settle_addresses(wanted_addresses(self.config)))
        if self.config.store.url == EMBEDDED:
            self._store = EmbeddedStore(self.config.store.data_dir, self.config.store.max_memory_mb)
            self._store_url = self._store.start()
            self._store_keeper = asyncio.create_task(self._keep_store(self._store), name="keeper of the store")
        self.log_dir.mkdir(parents=True, exist_ok=True)
        await self._guard.start()
        self._provisioner = channel(self._addresses.provisioner)
        commands = service_commands(
            self._config_path, self.config.gateway, self._addresses, self._store_url, self.log_dir
        )
        self._services = {
            name: KeptService(command, self.scope, self._settings, self._on_change)
            for name, command in commands.items()
        }
        await _all_or_first_error([asyncio.create_task(service.start()) for service in self._services.values()])


async def _all_or_first_error(tasks: list[asyncio.Task[None]]) -> None:
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        await cancel(*tasks)


async def _unknown_to(address: str, wanted: Mapping[str, int]) -> list[str]:
    """One line for each model with more replicas awake than the gateway at ``address`` has heard of."""
    try:
        async with channel(address) as gateway:
            request = gateway_service_pb2.ListModelsRequest()
            known = await GatewayServiceStub(gateway).ListModels(request, timeout=_ASK_TIMEOUT_S)
    except grpc.RpcError:
        return [f"the gateway at {address} does not answer"]
    have = {model.name: model.replicas_awake for model in known.models}
    return [
        f"model {model}: the gateway at {address} knows {have.get(model, 0)} of {num} replicas"
        for model, num in sorted(wanted.items())
        if have.get(model, 0) < num
    ]
