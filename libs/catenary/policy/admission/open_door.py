"""Every run is admitted."""

from __future__ import annotations

from catenary.model.run import Quote
from catenary.policy.admission.decision import AdmissionContext, AdmissionDecision


def open_door(context: AdmissionContext) -> AdmissionDecision:
    """Rule: admit. Trade-off: the bounds of the queues are all that protects the runs already there."""
    return AdmissionDecision(None, "admission is off", 1.0, context.path.median, Quote(context.path.high, 0.9))
