"""Whether a run is taken on."""

from collections.abc import Callable

from catenary.policy.admission.decision import AdmissionContext, AdmissionDecision
from catenary.policy.admission.feasible import feasible
from catenary.policy.admission.open_door import open_door

AdmissionPolicy = Callable[[AdmissionContext], AdmissionDecision]

ADMISSIONS: dict[str, AdmissionPolicy] = {"none": open_door, "feasible": feasible}

__all__ = ["ADMISSIONS", "AdmissionContext", "AdmissionDecision", "AdmissionPolicy", "feasible", "open_door"]
