"""How few runs of a chain can miss their deadlines at all: a lower bound that no policy beats, and the distance to it.

    python loadtest/bound.py TRACES [--scenario tests/scenarios/chain_fixed.yaml ...] [--policy catenary]

TRACES is a folder as loadtest/policy_table.py reads it. The bound is a relaxation with every output length known in
advance: a call takes no less engine time than its prefill and its share of decode steps at full batch; before it the
run needs at least its unloaded time, and after it too; engines of a pool count as one that is as fast as all of them
and may be preempted. Of the calls whose whole window lies between two moments, those that fit are the cheapest; what
does not fit is missed. Disjoint stretches of time add up, and the worst pool counts. Runs whose unloaded time is over
their deadline miss in any case. The idea is the interval bound of Baptiste, "Polynomial time algorithms for minimizing
the weighted number of late jobs on a single machine with equal processing times" (Journal of Scheduling 1999), cut to a
grid of seconds.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from catenary.model.profile import EngineProfile
from catenary.simulation.ends import SubmittedRun
from catenary.simulation.parts import true_profiles
from catenary.simulation.scenario import Scenario, load_scenario
from catenary.simulation.simulate import prepare, simulate
from policy_table import SCENARIOS, traces


@dataclass(frozen=True, slots=True)
class Window:
    """``work_s`` seconds of one engine, between ``begin`` and ``end`` (s)."""

    begin: float
    end: float
    work_s: float


def bound(scenario: Scenario, trace: Path) -> float:
    """The least share of runs that miss, 0..1."""
    submitted = prepare(scenario, 1, trace)[0].submitted
    profiles = true_profiles(scenario)
    hopeful = [run for run in submitted if run.deadline_s is None or run.job.own_latency_s <= run.deadline_s]
    hopeless = len(submitted) - len(hopeful)
    pools: dict[str, list[Window]] = {model: [] for model in scenario.replicas}
    for run in hopeful:
        for model, window in windows(scenario, run, profiles):
            pools[model].append(window)
    worst = max(missed(found, scenario.replicas[model]) for model, found in pools.items())
    return (hopeless + worst) / len(submitted)


def windows(scenario: Scenario, run: SubmittedRun, profiles: Mapping[str, EngineProfile]) -> list[tuple[str, Window]]:
    """One per call of the chain: its prompt is the input and every output before it."""
    job = run.job
    prompt = sum(len(text) for text in job.inputs.values()) / 4
    calls = []
    for name, call in scenario.workflow["calls"].items():
        tokens = job.answers[name][0].tokens
        profile = profiles[call["model"]]
        seats = profile.max_num_seqs
        own_s = profile.prefill_s(prompt) + tokens * profile.step_s(1)
        work_s = profile.prefill_s(prompt) + tokens * profile.step_s(seats) / seats
        calls.append((call["model"], own_s, work_s))
        prompt += tokens
    left_s = sum(own_s for _, own_s, _ in calls)
    begin, found = job.arrival_s, []
    for model, own_s, work_s in calls:
        left_s -= own_s
        end = math.inf if run.deadline_s is None else job.arrival_s + run.deadline_s - left_s
        found.append((model, Window(begin, end, work_s)))
        begin += own_s
    return found


def missed(found: Sequence[Window], engines: int) -> int:
    """The most that is missed over sets of disjoint stretches, each between two whole seconds."""
    last = math.ceil(max((window.end for window in found if window.end < math.inf), default=0.0))
    best = [0] * (last + 1)
    by_end = sorted(found, key=lambda window: window.end)
    for end in range(1, last + 1):
        best[end] = best[end - 1]
        inside = sorted((window for window in by_end if window.end <= end), key=lambda window: window.work_s)
        for begin in range(end):
            room = engines * (end - begin)
            best[end] = max(best[end], best[begin] + too_many(inside, begin, room))
    return best[last]


def too_many(by_work: Sequence[Window], begin: float, room_s: float) -> int:
    """How many of the windows that open after ``begin`` do not fit into ``room_s``, the cheapest taken first."""
    out = 0
    for window in by_work:
        if window.begin >= begin:
            room_s -= window.work_s
            out += room_s < 0
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("traces", type=Path)
    names = ("chain_fixed", "chain_own")
    parser.add_argument("--scenario", type=Path, nargs="+", default=[SCENARIOS / f"{name}.yaml" for name in names])
    parser.add_argument("--policy", default="catenary")
    args = parser.parse_args()
    by_load = traces(args.traces)
    print(f"{'missed, per cent':<28}" + "".join(f"{load:>8}" for load in by_load))
    for path in args.scenario:
        scenario = load_scenario(path, args.policy)
        least = {load: [bound(scenario, trace) for trace in found] for load, found in by_load.items()}
        ours = {
            load: [simulate(scenario, args.policy, 1, t)[0].missed for t in found] for load, found in by_load.items()
        }
        for name, values in ((f"{path.stem} bound", least), (f"{path.stem} {args.policy}", ours)):
            medians = "".join(f"{100 * statistics.median(found):>8.1f}" for found in values.values())
            print(f"{name:<28}{medians}", flush=True)


if __name__ == "__main__":
    main()
