"""The measure of recovery that drills print."""

from __future__ import annotations

from faults import Fault
from probes import Probe, Sample
from recovery import recoveries

UP = {"fast": frozenset({1, 2}), "slow": frozenset({3})}


def samples(**down: tuple[float, float, dict[str, frozenset[int]]]) -> list[Sample]:
    """One each 0.1 s for 20 s; ``down``: from, to, and what is awake meanwhile."""
    found = []
    for step in range(200):
        at_s = step / 10
        awake = next((awake for begin, end, awake in down.values() if begin <= at_s < end), UP)
        found.append(Sample(at_s, awake))
    return found


def missed(at_s: float, ended_s: float, model: str = "fast") -> Probe:
    return Probe(at_s, ended_s, model, met=False)


def test_it_is_the_submission_of_the_last_probe_that_missed() -> None:
    probes = [missed(5.2, 6.0), missed(6.5, 7.0), Probe(8.0, 8.1, "fast", met=True)]
    (found,) = recoveries([Fault(5.0, "gateway")], probes, samples())
    assert (found.ready_s, round(found.recovery_s, 3), found.cut) == (0.0, 1.5, False)


def test_a_probe_that_the_next_fault_hit_is_not_the_last_one_s() -> None:
    faults = [Fault(5.0, "gateway"), Fault(8.0, "router")]
    first, second = recoveries(faults, [missed(7.9, 9.0), missed(8.5, 9.0)], samples())
    assert (first.recovery_s, second.recovery_s) == (0.0, 0.5)


def test_after_a_worker_s_end_it_counts_from_the_replacement() -> None:
    lacks = {**UP, "fast": frozenset({2})}
    replaced = {**UP, "fast": frozenset({2, 4})}
    (found,) = recoveries(
        [Fault(5.0, "worker", victim="1")],
        [missed(5.5, 6.0), missed(8.0, 8.5)],
        samples(gone=(5.1, 7.0, lacks), back=(7.0, 99.0, replaced)),
    )
    assert (round(found.ready_s, 3), round(found.recovery_s, 3)) == (2.0, 1.0)


def test_without_a_replacement_before_the_next_fault_there_is_no_figure() -> None:
    lacks = {**UP, "fast": frozenset({2})}
    first, _ = recoveries(
        [Fault(5.0, "worker", victim="1"), Fault(7.0, "router")], [], samples(gone=(5.1, 99.0, lacks))
    )
    assert first.cut


def test_a_model_without_any_replica_is_no_fault_of_the_router() -> None:
    (found,) = recoveries(
        [Fault(5.0, "router")], [missed(6.0, 6.1, "slow")], samples(gone=(5.0, 8.0, {**UP, "slow": frozenset()}))
    )
    assert found.recovery_s == 0.0
