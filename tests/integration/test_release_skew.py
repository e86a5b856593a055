"""Services of another release beside those of this one, in every mixture that a rolling upgrade or its undoing passes.

CATENARY_TEST_RELEASE names the checkout of the other release, as ``git worktree add ../older REVISION`` makes it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from extra_service import kept_extra_service
from histories import History
from rolling import KEEPING, load, restart
from tracked_runs import check
from whole_cluster import write_config

from catenary.client import Client
from catenary.runtime.cluster import Cluster

OTHER = os.environ.get("CATENARY_TEST_RELEASE", "")
HERE = str(Path(__file__).resolve().parents[2])
SERVICES = ("router", "gateway", "profiler", "provisioner")

pytestmark = pytest.mark.skipif(not OTHER, reason="CATENARY_TEST_RELEASE names no other release")


def use(monkeypatch: pytest.MonkeyPatch, release: str) -> None:
    """Processes that start from now on are of this release; with the provisioner its workers are."""
    folder = Path(release).resolve()
    monkeypatch.setenv("PYTHONPATH", f"{folder / 'libs'}{os.pathsep}{folder / 'services'}")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("order", [SERVICES, SERVICES[::-1]], ids=["router first", "workers first"])
@pytest.mark.parametrize("upgrade", [True, False], ids=["upgrade", "undoing it"])
async def test_another_release_takes_over_service_by_service_and_no_admitted_run_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, upgrade: bool, order: tuple[str, ...]
) -> None:
    before, after = (OTHER, HERE) if upgrade else (HERE, OTHER)
    config = write_config(tmp_path)
    histories: list[History] = []
    use(monkeypatch, before)
    async with (
        Cluster(config, settings=KEEPING) as cluster,
        kept_extra_service(cluster, "gateway", "gateway-1", config, KEEPING) as other,
        Client([cluster.addresses.gateway, other.address]) as client,
    ):
        use(monkeypatch, after)
        async with load(client, histories):
            for name in order:
                await restart(cluster, name)
        admitted = [history for history in histories if history.admitted]
        await check(client, admitted)
    assert len(admitted) > 10
