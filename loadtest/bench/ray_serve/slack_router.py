"""Our routing rule as a request router of Ray Serve: what the policy gives without the platform."""

from __future__ import annotations

import time
from typing import Any

from ray.serve.request_router import PendingRequest, ReplicaID, ReplicaResult, RequestRouter, RunningReplica

from catenary.model.dispatch import QueuedCall, ReplicaLoad, Resident
from catenary.model.lengths import LengthEstimate
from catenary.model.profile import EngineProfile
from catenary.policy.prediction import Traffic
from catenary.policy.routing.decision import RoutingContext
from catenary.policy.routing.slack_aware import slack_aware

UNBOUNDED = 1_000_000
FORGET_S = 60.0


class SlackRouter(RequestRouter):  # type: ignore[misc]
    """Every call of the pool passes through one router, which therefore knows the residents of every replica.

    Calls beyond an engine's seats wait in that engine, the earliest latest start first. Ray Serve gives a router no
    place to hold a call back or to refuse it.
    """

    def initialize_state(self, **settings: Any) -> None:
        self._profile = EngineProfile(settings["model"], **settings["profile"])
        self._loads: dict[str, ReplicaLoad] = {}

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        if pending_request is None or "latest_finish" not in pending_request.kwargs:
            return [candidate_replicas]
        by_id = {replica.replica_id.unique_id: replica for replica in candidate_replicas}
        loads = [self._load(name) for name in by_id]
        now = time.monotonic()
        for load in loads:
            load.residents = {key: held for key, held in load.residents.items() if held.expires_at > now}
        context = RoutingContext(now, self._profile, Traffic())
        call = self._call(pending_request)
        decision = slack_aware(call, loads, context)
        if decision.worker_id is None:
            return [candidate_replicas]
        placed = Resident(call, now + FORGET_S, decision.expected_finish)
        self._load(decision.worker_id).residents[call.call_id] = placed
        return [[by_id[decision.worker_id]]]

    def on_request_completed(self, replica_id: ReplicaID, internal_request_id: str) -> None:
        self._load(replica_id.unique_id).residents.pop(internal_request_id, None)

    def on_request_routed(self, pending_request: PendingRequest, replica_id: ReplicaID, result: ReplicaResult) -> None:
        """The call counts from the moment that its replica was chosen."""

    def _load(self, replica: str) -> ReplicaLoad:
        profile = self._profile
        return self._loads.setdefault(replica, ReplicaLoad(replica, "", profile.model, profile.max_num_seqs, UNBOUNDED))

    def _call(self, request: PendingRequest) -> QueuedCall:
        hints = request.kwargs
        return QueuedCall(
            call_id=request.metadata.internal_request_id,
            attempt=1,
            gateway_id="",
            model=self._profile.model,
            prompt_tokens=int(hints["prompt_tokens"]),
            max_tokens=400,
            output=LengthEstimate.exactly(hints["output_tokens"]),
            ready_at=hints["ready_at"],
            latest_finish=hints["latest_finish"],
        )
