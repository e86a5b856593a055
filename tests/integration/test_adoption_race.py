"""A run that a gateway takes over may be submitted to it again at the same moment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from whole_cluster import chain, write_config

from catenary.core.gateway.core import GatewayCore
from catenary.core.gateway.events import PoolsReported
from catenary.core.gateway.settings import GatewaySettings, ModelInfo
from catenary.model.dispatch import PoolState
from catenary.model.profile import EngineProfile
from catenary.runtime.config import load_config
from catenary.runtime.store.runs import Unfinished
from catenary.v1 import run_pb2
from catenary_gateway.shell import Gateway
from catenary_gateway.submission import digest_of, kept_request, parse_submission

MODELS = ("fast", "slow")


@pytest_asyncio.fixture
async def gateway(redis: Redis, tmp_path: Path) -> AsyncIterator[Gateway]:
    """It has a store and a core, and nobody who calls."""
    gateway = Gateway(load_config(write_config(tmp_path)), "g1", redis)
    infos = {name: ModelInfo(name) for name in MODELS}
    gateway.core = GatewayCore(GatewaySettings(gateway_id="g1"), infos, {name: EngineProfile(name) for name in MODELS})
    await gateway.tokenizers.load()
    gateway.writer.start()
    gateway.handle(PoolsReported([PoolState(name, num_replicas=1, num_seats=8) for name in MODELS]))
    yield gateway
    await gateway.background.close()
    await gateway.writer.close()


@pytest.mark.parametrize("submitted_first", [True, False])
async def test_the_run_goes_on_under_the_epoch_of_its_take_over(gateway: Gateway, submitted_first: bool) -> None:
    request = chain()
    request.run_id = "r"
    event = await parse_submission(request, gateway.specs, gateway.limits)
    digest, kept = digest_of(request, event), kept_request(request, event)
    header = run_pb2.Run(run_id="r", workflow="chain").SerializeToString()
    admitted = run_pb2.RunEvent(run_id="r", sequence=1, run_admitted=run_pb2.RunAdmitted()).SerializeToString()
    await gateway.store.create("r", "g0:dead", 1, digest, header, kept, [admitted])
    stored = await gateway.store.get("r")
    assert stored is not None
    assert await gateway.store.take_over("r", gateway.ownership.owner, 1, 2)
    if submitted_first:
        refused = gateway.submit(event, digest, kept)
        await gateway.adopt(stored, Unfinished(kept, [admitted], 0.1), 2)
        assert refused.stored.exception() is not None
    else:
        await gateway.adopt(stored, Unfinished(kept, [admitted], 0.1), 2)
    assert gateway.core.runs["r"].epoch == 2
    assert not gateway.contexts["r"].feed.closed


async def test_a_run_that_comes_back_before_its_loss_was_noticed_goes_on_under_its_new_epoch(gateway: Gateway) -> None:
    request = chain()
    request.run_id = "r"
    event = await parse_submission(request, gateway.specs, gateway.limits)
    kept = kept_request(request, event)
    driven = gateway.submit(event, digest_of(request, event), kept)
    await driven.stored
    subscription = driven.feed.subscribe(100, False)
    for owner, epoch in (("g2:other", 1), (gateway.ownership.owner, 2)):
        assert await gateway.store.take_over("r", owner, epoch, epoch + 1)
    stored, unfinished = await gateway.store.get("r"), await gateway.store.unfinished("r")
    assert stored is not None
    assert unfinished is not None
    await gateway.adopt(stored, unfinished, 3)
    assert gateway.core.runs["r"].epoch == 3
    assert not gateway.contexts["r"].feed.closed
    while await subscription.next():
        pass  # those who followed it are sent away, and come back
    gateway.cancel("r", "enough")
    assert await gateway.keeper.journal.flush(5.0)
    ended = await gateway.store.get("r")
    assert ended is not None
    assert (ended.final, ended.epoch) == (True, 3)
