"""What each system is, in the order of tables."""

from __future__ import annotations

from collections.abc import Mapping

DESCRIPTIONS: Mapping[str, str] = {
    "ray_fixed": "Ray Serve with its defaults, the scenario's replicas.",
    "ray_tuned": "The same in Ray's throughput-optimised mode.",
    "ray_split": "Ray Serve with its defaults, the same accelerators in the best fixed split.",
    "ray_slack": "ray_tuned with Catenary's routing rule as its request router: policy without platform.",
    "ray_auto": "Ray Serve tuned, with its autoscaler: 1 to 4 replicas a model.",
    "ray_auto_default": "The same autoscaler in Ray's default mode.",
    "catenary": "Catenary with its defaults, the scenario's replicas.",
    "catenary_split": "The same in ray_split's split.",
    "catenary_blind": "Catenary without its policies: least loaded, first come, first served, everybody admitted.",
    "catenary_shared": "Catenary on the same number of accelerators, every model on each, one awake.",
    "catenary_auto": "Catenary on up to twelve such accelerators, as many as ray_auto may take.",
}
