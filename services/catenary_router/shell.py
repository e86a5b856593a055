"""The router: one lease, one core while it is held, streams to gateways and workers."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from catenary.core.router import (
    Assign,
    ProfileChanged,
    RouterAction,
    RouterCore,
    RouterEvent,
    RouterSettings,
    Tick,
    WorkersExpected,
)
from catenary.runtime.clock import now
from catenary.runtime.config import Config
from catenary.runtime.profiles import load_profiles
from catenary.runtime.store.lease import Lease
from catenary.runtime.store.workers import WorkerEntry, WorkerRegistry
from catenary.runtime.tasks import cancel
from catenary_router.gateways import Gateways
from catenary_router.metrics import RouterMetrics
from catenary_router.spans import record_decision
from catenary_router.workers import WorkerWatcher

LEASE = "router"
TICK_S = 0.02
PROFILE_INTERVAL_S = 2.0
REGISTRY_INTERVAL_S = 0.25
LEASE_RETRY_S = 0.1
SETTLE_S = 2.0


class Router:
    """Active while it holds the lease, a standby otherwise. ``epoch`` None: a standby."""

    def __init__(self, config: Config, router_id: str, config_path: Path | None, redis: Redis) -> None:
        self._config = config
        self._config_path = config_path
        self._router_id = router_id
        self._redis = redis
        self._log = structlog.get_logger()
        self._traces = bool(config.telemetry.otlp_endpoint)
        self.metrics = RouterMetrics()
        self._measures = bool(config.router.metrics_port)
        self._explains = config.telemetry.log_level == "debug"
        self._lease: Lease | None = None
        self._pools_due = asyncio.Event()
        self._followed: frozenset[WorkerEntry] = frozenset()
        self.gateways = Gateways()
        self.core: RouterCore | None = None
        self.epoch: int | None = None

    async def release(self) -> None:
        """Let a standby lead at once."""
        if self._lease is not None and self._lease.valid:
            await asyncio.gather(self._lease.release(), return_exceptions=True)

    def handle(self, event: RouterEvent) -> None:
        """Feed the core, if this router is active, and send what it decides."""
        if self.core is None:
            return
        at = now()
        actions = self.core.handle(event, at)
        took_s = now() - at
        if self._traces:
            for action in actions:
                record_decision(action, at)
        if self._measures:
            self.metrics.decided(event, actions, at, took_s)
        if self._explains:
            for action in actions:
                self._explain(action)
        self.gateways.send(actions, self.core.num_calls)

    def tell_pools(self) -> None:
        """The gateways hear of the pools without waiting for the next report."""
        self._pools_due.set()

    def _observe(self, event: RouterEvent) -> None:
        """What the workers show."""
        if self.core is None:
            return
        before = self.core.fleet()
        self.handle(event)
        if self.core.fleet() != before:
            self.tell_pools()

    @property
    def _wakes(self) -> bool:
        return self._config.provisioner.policy != "static"

    def _expected(self) -> dict[str, list[str]]:
        """The models that each configured worker brings when it comes up."""
        return {
            worker.id: worker.models[:1] if worker.one_awake and not self._wakes else worker.models
            for worker in self._config.workers
        }

    def _explain(self, action: RouterAction) -> None:
        if isinstance(action, Assign):
            self._log.debug("assigned", call=action.call.call_id, worker=action.worker_id, reason=action.reason)
        else:
            self._log.debug("given back", call=action.call.call_id, outcome=action.outcome, reason=action.reason)

    async def lead(self, address: str) -> None:
        """Wait for the lease, route while it is held, wait again. ``address`` is where gateways find this router."""
        ttl_s = self._config.router.lease_ttl_s
        lease = self._lease = Lease(self._redis, LEASE, self._router_id, address, ttl_s)
        told = ""
        while True:
            try:
                epoch = await lease.acquire()
                if epoch is not None:
                    await self._route(lease, epoch)
                waits = "waits for the router's lease"
            except (RedisError, OSError, TimeoutError) as error:
                waits = f"waits for the store: {error}"
            if waits != told:
                self._log.info(waits)
            told = waits
            await asyncio.sleep(ttl_s / 8)

    async def _route(self, lease: Lease, epoch: int) -> None:
        profiles = await load_profiles(self._config, self._redis, self._config_path)
        router = self._config.router
        settings = RouterSettings(
            ordering=router.ordering,
            routing=router.routing,
            shed_lost=router.shed_lost,
            triage=router.triage,
            queue_limit=router.queue_limit,
            reservation_ttl_s=router.reservation_ttl_s,
            late_share=router.late_share,
            return_grace_s=router.return_grace_s,
            wakes=self._wakes,
            epoch=epoch,
        )
        self.core = RouterCore(settings, profiles)
        self.epoch = epoch
        self._log.info("router is active", epoch=epoch)
        self.metrics.leads(True)
        expected = self._expected()
        self.handle(WorkersExpected(expected))
        registry = WorkerRegistry(self._redis)
        watcher = WorkerWatcher(
            registry, self._router_id, epoch, REGISTRY_INTERVAL_S, expected, self._followed, self._observe
        )
        tasks = [
            asyncio.create_task(work, name=f"router {name}")
            for name, work in (
                ("workers", watcher.run()),
                ("ticks", self._tick()),
                ("pools", self._publish_pools(watcher)),
                ("profiles", self._follow_profiles()),
                ("lease", self._stay(lease, epoch)),
            )
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._followed = watcher.heard
            self._lost()
            await cancel(*tasks)

    async def _stay(self, lease: Lease, epoch: int) -> None:
        """Returns when another router leads, or this one under a new epoch.

        While the store is out of reach the router goes on: nobody else can take the lease then; and if this router
        alone is cut off from the store, the workers know its successor's epoch and refuse its own.
        """
        held: int | None = epoch
        while held in (epoch, None):
            if held == epoch:
                await lease.hold(lambda: self._log.warning("lease not renewed", epoch=epoch))
            else:
                await asyncio.sleep(LEASE_RETRY_S)
            held = await self._held_epoch(lease)

    async def _held_epoch(self, lease: Lease) -> int | None:
        """0 where another router holds the lease, None where the store does not answer."""
        try:
            return await lease.acquire() or 0
        except (RedisError, OSError, TimeoutError):
            return None

    def _lost(self) -> None:
        if self.epoch is not None:
            self._log.info("router is a standby", epoch=self.epoch)
            self.metrics.leads(False)
        self.core = None
        self.epoch = None
        self.gateways.close_all()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.handle(Tick())

    async def _publish_pools(self, watcher: WorkerWatcher) -> None:
        """Pools that lack the workers not heard from yet would make the gateways refuse runs."""
        for _ in range(round(SETTLE_S / TICK_S)):
            if watcher.settled:
                break
            await asyncio.sleep(TICK_S)
        while True:
            self._pools_due.clear()
            if self.core is not None:
                states = tuple(self.core.pool_states(now()))
                self.gateways.publish(states)
                if self._measures:
                    self.metrics.pools(states)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._config.router.pools_interval_s):
                    await self._pools_due.wait()

    async def _follow_profiles(self) -> None:
        while True:
            await asyncio.sleep(PROFILE_INTERVAL_S)
            try:
                profiles = await load_profiles(self._config, self._redis, self._config_path)
            except (RedisError, OSError, TimeoutError):
                continue
            for profile in profiles.values():
                self.handle(ProfileChanged(profile))
