"""Offers, placements and pools between the model and the wire. Moments travel as microseconds from the sending."""

from __future__ import annotations

from catenary.core.router.events import Assign, Reject
from catenary.core.router.waiting import WaitingCalls
from catenary.model.dispatch import NEVER, PoolState, QueuedCall
from catenary.model.lengths import LengthEstimate
from catenary.runtime.clock import from_remaining_us, to_remaining_us
from catenary.runtime.wire.enums import OUTCOME_TO_PROTO, PRIORITY_TO_PROTO, priority_from_proto
from catenary.v1 import dispatch_pb2, router_service_pb2


def offer_to_proto(call: QueuedCall, now: float, traceparent: str = "") -> dispatch_pb2.CallOffer:
    message = dispatch_pb2.CallOffer(
        call_id=call.call_id,
        attempt=call.attempt,
        model=call.model,
        tenant=call.tenant,
        workflow=call.workflow,
        priority=PRIORITY_TO_PROTO[call.priority],
        prompt_tokens=call.prompt_tokens,
        max_tokens=call.max_tokens,
        late=call.late,
        over_share=call.over_share,
        error_budget=call.error_budget,
        prefix_hashes=call.prefix_hashes,
        rest_us=round(call.rest_s * 1e6),
        ready_us=max(0, to_remaining_us(now, call.ready_at)),
        traceparent=traceparent,
    )
    output, known = message.output, call.output
    output.q10_tokens, output.q50_tokens, output.q90_tokens = round(known.q10), round(known.q50), round(known.q90)
    output.mean_tokens = known.mean
    if call.deadline != NEVER:
        message.has_deadline = True
        message.latest_finish_us = to_remaining_us(call.latest_finish, now)
        message.lost_finish_us = to_remaining_us(call.lost_finish, now)
        message.deadline_us = to_remaining_us(call.deadline, now)
    return message


def offer_from_proto(message: dispatch_pb2.CallOffer, gateway_id: str, now: float) -> QueuedCall:
    timed = message.has_deadline
    output = message.output
    return QueuedCall(
        call_id=message.call_id,
        attempt=message.attempt,
        gateway_id=gateway_id,
        model=message.model,
        prompt_tokens=message.prompt_tokens,
        max_tokens=message.max_tokens,
        output=LengthEstimate(output.q10_tokens, output.q50_tokens, output.q90_tokens, output.mean_tokens),
        ready_at=now - message.ready_us * 1e-6,
        latest_finish=from_remaining_us(message.latest_finish_us, now) if timed else NEVER,
        lost_finish=from_remaining_us(message.lost_finish_us, now) if timed else NEVER,
        deadline=from_remaining_us(message.deadline_us, now) if timed else NEVER,
        rest_s=message.rest_us * 1e-6,
        tenant=message.tenant,
        workflow=message.workflow,
        priority=priority_from_proto(message.priority),
        late=message.late,
        over_share=message.over_share,
        error_budget=message.error_budget,
        prefix_hashes=tuple(message.prefix_hashes),
        traceparent=message.traceparent,
    )


def assignment_to_proto(action: Assign, now: float) -> dispatch_pb2.CallAssignment:
    return dispatch_pb2.CallAssignment(
        call_id=action.call.call_id,
        attempt=action.call.attempt,
        worker_id=action.worker_id,
        worker_address=action.worker_address,
        latest_start_us=to_remaining_us(action.latest_start, now),
        reason=action.reason,
    )


def rejection_to_proto(action: Reject) -> dispatch_pb2.CallRejection:
    return dispatch_pb2.CallRejection(
        call_id=action.call.call_id,
        attempt=action.call.attempt,
        outcome=OUTCOME_TO_PROTO[action.outcome],
        reason=action.reason,
    )


_POOL_FIELDS = tuple(PoolState.__slots__)


def pool_to_proto(pool: PoolState) -> dispatch_pb2.PoolState:
    return dispatch_pb2.PoolState(**{name: getattr(pool, name) for name in _POOL_FIELDS})


def pool_from_proto(message: dispatch_pb2.PoolState) -> PoolState:
    return PoolState(**{name: getattr(message, name) for name in _POOL_FIELDS})


def waiting_to_proto(waiting: WaitingCalls) -> router_service_pb2.WaitingCalls:
    return router_service_pb2.WaitingCalls(**{name: getattr(waiting, name) for name in WaitingCalls.__slots__})
