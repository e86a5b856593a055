"""The faults of a scenario that befall its workers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from catenary.core.gateway.events import WorkerGone
from catenary.core.router import WorkerLost
from catenary.model.worker import ReplicaState
from catenary.simulation.faults import Fault, SlowStart, WorkerCrash, WorkerDrain
from catenary.simulation.gateway import SimGateway
from catenary.simulation.network import Network
from catenary.simulation.router import SimRouter
from catenary.simulation.worker import SimWorker


class WorkerFaults:
    """``snapshot`` sends a worker's snapshot to who follows it."""

    def __init__(
        self,
        network: Network,
        gateways: Mapping[str, SimGateway],
        router: SimRouter,
        workers: Mapping[str, SimWorker],
        snapshot: Callable[[SimWorker], None],
    ) -> None:
        self._network = network
        self._heap = network.heap
        self._gateways = gateways
        self._router = router
        self._workers = workers
        self._snapshot = snapshot

    def plan(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            if isinstance(fault, WorkerCrash):
                self._heap.at(fault.at_s, self._crash, self._workers[fault.worker], fault.restart_s)
            elif isinstance(fault, SlowStart):
                worker = self._workers[fault.worker]
                worker.set_state(ReplicaState.LOADING)
                self._heap.at(fault.until_s, self._awake, worker)
            elif isinstance(fault, WorkerDrain):
                self._heap.at(fault.at_s, self._drain, self._workers[fault.worker])
                self._heap.at(fault.until_s, self._awake, self._workers[fault.worker])

    def _crash(self, worker: SimWorker, restart_s: float) -> None:
        for gateway_id in worker.crash():
            at = self._network.arrival(f"{worker.worker_id}>{gateway_id}", self._network.hop_s())
            self._heap.at(at, self._gateways[gateway_id].handle, WorkerGone(worker.worker_id))
        lost_at = self._network.arrival(f"{worker.worker_id}>router", self._network.hop_s())
        self._heap.at(lost_at, self._router.handle, WorkerLost(worker.worker_id))
        self._heap.after(restart_s, self._restart, worker)

    def _restart(self, worker: SimWorker) -> None:
        worker.restart()
        self._snapshot(worker)

    def _drain(self, worker: SimWorker) -> None:
        worker.set_state(ReplicaState.DRAINING)
        self._snapshot(worker)

    def _awake(self, worker: SimWorker) -> None:
        worker.set_state(ReplicaState.AWAKE)
        self._snapshot(worker)
