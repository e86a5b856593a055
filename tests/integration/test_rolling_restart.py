"""Every service is asked to stop and comes back, one after the other, under load: no run fails or is refused.

The provisioner of one machine takes all its workers with it: new runs wait for them.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from extra_service import kept_extra_service
from histories import History
from rolling import KEEPING, load, restart
from tracked_runs import check
from whole_cluster import write_config

from catenary.client import Client
from catenary.runtime.cluster import Cluster


@pytest.mark.timeout(240)
async def test_a_rolling_restart_fails_no_run(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    histories: list[History] = []
    async with (
        Cluster(config, settings=KEEPING) as cluster,
        kept_extra_service(cluster, "gateway", "gateway-1", config, KEEPING) as other,
        kept_extra_service(cluster, "router", "router-1", config, KEEPING),
        Client([cluster.addresses.gateway, other.address]) as client,
    ):
        async with load(client, histories):
            for name in ("gateway", "router", "profiler", "w0", "w1", "provisioner"):
                await restart(cluster, name)
        assert [history.events for history in histories if not history.admitted] == []
        await check(client, histories)
    assert len(histories) > 10
