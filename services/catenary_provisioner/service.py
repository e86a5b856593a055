"""The provisioner as a service: waits for the lease, then keeps the workers alive."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import structlog
from redis.exceptions import RedisError

from catenary.core.provisioner import ProvisionerCore, ProvisionerSettings
from catenary.core.provisioner.allocator import Allocator
from catenary.core.provisioner.outlook import Outlook
from catenary.model.plan import AcceleratorSlot
from catenary.policy.provisioning import PLANNERS
from catenary.policy.provisioning.context import Bounds, PlanSettings
from catenary.policy.provisioning.static import wanted_workers
from catenary.runtime import clock
from catenary.runtime.background import Background
from catenary.runtime.config import Config
from catenary.runtime.rpc import GrpcServer
from catenary.runtime.service import STOP_S
from catenary.runtime.store.connection import connect
from catenary.runtime.store.lease import Lease
from catenary.runtime.tasks import cancel
from catenary.v1.provisioner_service_pb2 import Plan
from catenary.v1.provisioner_service_pb2_grpc import add_ProvisionerServiceServicer_to_server
from catenary_provisioner.cluster.local import LocalCluster, LocalSettings
from catenary_provisioner.cluster.port import ClusterBackend, Notify
from catenary_provisioner.cluster.ray import RayCluster, RaySettings, portable
from catenary_provisioner.cluster.static import StaticCluster
from catenary_provisioner.demand_reader import DemandReader
from catenary_provisioner.metrics import ProvisionerMetrics
from catenary_provisioner.publisher import PlanPublisher
from catenary_provisioner.servicer import ProvisionerServicer
from catenary_provisioner.shell import Provisioner

LEASE_NAME = "provisioner"
_STOP_GRACE_S = 1.0


class LeaseTaken(Exception):
    """Another provisioner became active; this one has to end and may begin anew as a standby."""


class ProvisionerService:
    """Health is SERVING while this provisioner is the active one.

    It stays active while the store is unreachable: nobody else can take the lease then.
    """

    def __init__(self, config: Config, config_path: Path | None, instance: str) -> None:
        self._config = config
        self._config_path = config_path
        self._instance = instance
        settings = config.provisioner
        self._redis = connect(config.store.url)
        self._server = GrpcServer(settings.address)
        slots = [AcceleratorSlot(w.id, tuple(w.models), w.num_accelerators) for w in config.workers]
        core = ProvisionerCore(wanted_workers(slots), _core_settings(config), clock.now(), _allocator(config))
        self._background = Background()
        self._publisher = PlanPublisher(self._redis, self._background)
        self._metrics = ProvisionerMetrics()
        self._provisioner = Provisioner(core, self._backend, instance, self._offer, self._background)
        self._server.add(
            add_ProvisionerServiceServicer_to_server,
            ProvisionerServicer(self._provisioner),
            "catenary.v1.ProvisionerService",
        )
        self._reader = DemandReader(config, config_path, self._redis, self._provisioner.post)
        self._reading: asyncio.Task[None] | None = None
        self._lease: Lease | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        return self._server.address

    @property
    def stop_s(self) -> float:
        """Its workers have their own time to end."""
        return self._config.worker_stop_s + STOP_S

    async def start(self) -> None:
        await self._server.start()
        settings = self._config.provisioner
        self._lease = Lease(self._redis, LEASE_NAME, self._instance, self.address, settings.lease_ttl_s)
        self._keeper = self._background.spawn(self._keep_lease(self._lease), essential=True)

    async def finished(self) -> None:
        """Raises LeaseTaken when another provisioner takes the lease, or what a loop raised that this one needs."""
        await self._background.failed()

    async def stop(self) -> None:
        await self._server.set_serving(False)
        if self._reading is not None:
            await cancel(self._reading)
        await self._provisioner.stop()
        if self._keeper is not None:
            await cancel(self._keeper)
        await self._publisher.stop()
        await self._background.close()
        if self._lease is not None and self._lease.valid:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await self._lease.release()
        await self._server.stop(_STOP_GRACE_S)
        await self._metrics.close()
        await self._redis.aclose()

    async def _keep_lease(self, lease: Lease) -> None:
        while True:
            epoch = await self._acquired(lease)
            if epoch:
                await self._become_active(epoch)
                await lease.hold(lambda: None)
                structlog.get_logger().warning("lease not renewed", epoch=epoch)
            elif epoch == 0 and self._provisioner.epoch:
                raise LeaseTaken("another provisioner holds the lease; this one ends its workers")
            else:
                await asyncio.sleep(self._config.provisioner.lease_ttl_s / 4)

    async def _acquired(self, lease: Lease) -> int | None:
        """The epoch; 0 where another holds the lease, None where the store does not answer."""
        try:
            return await lease.acquire() or 0
        except (RedisError, OSError, TimeoutError) as error:
            structlog.get_logger().warning("store unreachable", error=str(error))
            return None

    async def _become_active(self, epoch: int) -> None:
        was_active = bool(self._provisioner.epoch)
        self._provisioner.epoch = epoch
        if was_active:
            self._offer(self._provisioner.plan())
            return
        await self._provisioner.start()
        if self._config.provisioner.policy != "static":
            self._reading = self._background.spawn(self._reader.run(), essential=True)
        self._publisher.start()
        self._offer(self._provisioner.plan())
        self._metrics.serve(self._config.provisioner.metrics_port)
        await self._server.set_serving(True)

    def _offer(self, plan: Plan) -> None:
        self._publisher.offer(plan)
        self._metrics.plan(plan)

    def _backend(self, notify: Notify) -> ClusterBackend:
        settings = self._config.provisioner
        if settings.cluster == "static":
            return StaticCluster(self._redis, self._config.worker.heartbeat_s, notify)
        if settings.cluster == "ray":
            values = portable(self._config, self._config_path)
            ray = RaySettings(settings.ray_address, values, settings.device_variable, self._config.worker_stop_s)
            return RayCluster(self._config.workers, ray, notify)
        local = LocalSettings(
            config_path=self._config_path,
            device_variable=settings.device_variable,
            worker_stop_s=self._config.worker_stop_s,
            guard_s=settings.stop_timeout_s,
            log_dir=self._config.telemetry.log_dir,
        )
        return LocalCluster(self._config.workers, local, notify)


def _core_settings(config: Config) -> ProvisionerSettings:
    settings = config.provisioner
    return ProvisionerSettings(
        start_timeout_s=settings.start_timeout_s,
        unresponsive_s=settings.unresponsive_s,
        backoff_s=settings.backoff_s,
        max_backoff_s=settings.max_backoff_s,
        stable_s=settings.stable_s,
        lease_s=settings.replica_lease_s,
        external=settings.cluster == "static",
        policy=settings.policy,
        plan_interval_s=settings.plan_interval_s,
    )


def _allocator(config: Config) -> Allocator | None:
    """None where the workers' configuration is the plan."""
    settings = config.provisioner
    if settings.policy == "static":
        return None
    plan = PlanSettings(
        budget=settings.budget,
        horizon_s=settings.horizon_s,
        replica_price=settings.replica_price,
        hysteresis_s=settings.hysteresis_s,
        dwell_s=settings.dwell_s,
        idle_release_s=settings.idle_release_s,
        target_calls=settings.target_calls,
        awake_together=settings.awake_together,
        prefetch=settings.prefetch,
        attainment=config.gateway.default_attainment,
    )
    bounds = {name: Bounds(model.min_awake, model.max_awake, model.keep_warm) for name, model in config.models.items()}
    return Allocator(PLANNERS[settings.policy], plan, Outlook({}, bounds))
