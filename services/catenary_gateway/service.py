"""The scheduler-gateway process: its parts, their start and their stop."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import structlog
from redis.exceptions import RedisError

from catenary.core.gateway.core import GatewayCore
from catenary.core.gateway.events import ProfileChanged, Tick
from catenary.core.gateway.settings import GatewaySettings, ModelInfo
from catenary.runtime.advertised import advertised
from catenary.runtime.clock import now
from catenary.runtime.config import Config
from catenary.runtime.profiles import load_profiles
from catenary.runtime.rpc import GrpcServer
from catenary.runtime.store.connection import answers, connect
from catenary.v1 import gateway_service_pb2_grpc
from catenary_gateway.servicer import GatewayServicer
from catenary_gateway.shell import Gateway

PROFILE_INTERVAL_S = 2.0
TICK_S = 0.02
STOP_GRACE_S = 2.0
FLUSH_S = 1.0
POOLS_PATIENCE_S = 5.0


class GatewayService:
    def __init__(self, config: Config, gateway_id: str, config_path: Path | None) -> None:
        self._config = config
        self._config_path = config_path
        self._redis = connect(config.store.url)
        self._gateway = Gateway(config, gateway_id, self._redis)
        self._server = GrpcServer(config.gateway.address)
        self._server.add(
            gateway_service_pb2_grpc.add_GatewayServiceServicer_to_server,
            GatewayServicer(self._gateway),
            "catenary.v1.GatewayService",
        )

    @property
    def address(self) -> str:
        return self._server.address

    @property
    def _advertised(self) -> str:
        return advertised(self._server.address, self._config.advertised_host, self._config.gateway.advertise)

    async def start(self) -> None:
        gateway = self._gateway
        gateway.writer.start()
        await answers(self._redis)
        gateway.core = await self._core()
        await gateway.experience.recall()
        await gateway.tokenizers.load()
        await self._server.start()
        await gateway.ownership.begin(self._advertised)
        for work in (
            gateway.ownership.keep(gateway.adopter.audit_soon),
            gateway.adopter.run(),
            gateway.router.run(),
            self._tick(),
        ):
            gateway.background.spawn(work, essential=True)
        for work in (
            gateway.store_room.follow(),
            gateway.backlogs.run(gateway.own_backlog),
            gateway.reports.run(),
            gateway.demand.run(),
            gateway.experience.run(),
            self._follow_profiles(),
        ):
            gateway.background.spawn(work)
        gateway.metrics.serve(self._config.gateway.metrics_port)
        await self._hear_of_pools()
        await self._server.set_serving(True)

    async def finished(self) -> None:
        """Another gateway, or this one started again, takes the runs over."""
        await self._gateway.background.failed()

    async def stop(self) -> None:
        """Runs that have not ended are left to the next gateway: what is known of them is stored first."""
        gateway = self._gateway
        gateway.presence.stopping = True
        await self._server.stop(STOP_GRACE_S)
        await gateway.keeper.journal.flush(FLUSH_S)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(gateway.experience.save(), FLUSH_S)
        await gateway.background.close()
        await gateway.workers.close()
        await gateway.writer.close()
        await gateway.ownership.release()
        await gateway.peers.close()
        await gateway.metrics.close()
        await self._redis.aclose()

    async def _core(self) -> GatewayCore:
        gateway = self._config.gateway
        settings = GatewaySettings(
            gateway_id=self._gateway.gateway_id,
            admission=gateway.admission,
            admit_probability=gateway.admit_probability,
            shed_crowded=gateway.shed_crowded,
            max_active_runs=gateway.max_active_runs,
            max_attempts=gateway.max_attempts,
            late_multiple=gateway.late_multiple,
            shed_lost=self._config.router.shed_lost,
            by_slack=self._config.router.ordering != "fcfs",
            tenant_weights=gateway.tenants,
            limits=self._gateway.limits,
        )
        models = {
            name: ModelInfo(name, model.max_model_len, model.default_output_tokens)
            for name, model in self._config.models.items()
        }
        return GatewayCore(settings, models, await load_profiles(self._config, self._redis, self._config_path))

    async def _hear_of_pools(self) -> None:
        """A gateway that knows no pools refuses every run: the router has a while to tell."""
        if not self._gateway.knows_pools:
            structlog.get_logger().info("waits for a router to tell of its pools", at_most_s=POOLS_PATIENCE_S)
        for _ in range(round(POOLS_PATIENCE_S / TICK_S)):
            if self._gateway.knows_pools:
                return
            await asyncio.sleep(TICK_S)

    async def _tick(self) -> None:
        gateway = self._gateway
        while True:
            await asyncio.sleep(TICK_S)
            gateway.presence.beat()
            due = gateway.core.next_timer()
            if due is not None and due <= now():
                gateway.handle(Tick())

    async def _follow_profiles(self) -> None:
        gateway = self._gateway
        while True:
            await asyncio.sleep(PROFILE_INTERVAL_S)
            gateway.metrics.state(len(gateway.contexts), gateway.takes_runs, gateway.core.forecaster.pools)
            try:
                profiles = await load_profiles(self._config, self._redis, self._config_path)
            except (RedisError, OSError, TimeoutError):
                continue
            for profile in profiles.values():
                gateway.handle(ProfileChanged(profile))
