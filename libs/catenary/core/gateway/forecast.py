"""What the gateway expects of the calls of a run that have not ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from catenary.core.gateway.run import ActiveRun, Foreseen
from catenary.core.gateway.settings import ModelInfo
from catenary.model.compiled import CompiledWorkflow
from catenary.model.dispatch import PoolState
from catenary.model.lengths import LengthEstimate
from catenary.model.profile import EngineProfile
from catenary.model.workflow import Call
from catenary.policy.lengths import LengthModel, fewest
from catenary.policy.path_errors import PathErrors
from catenary.policy.prediction import SPEED_SPREAD, Traffic, engine_work_s, loaded_step_s
from catenary.policy.regression import Features
from catenary.policy.run_shapes import RunShapes
from catenary.policy.slack import PathCall, longest
from catenary.policy.span import Span, narrowed, of_many, scaled

BYTES_PER_TOKEN = 4
UNKNOWN_ITEMS = 4
MAX_KEYS = 4096
MAX_STAGES = 3


@dataclass(frozen=True, slots=True)
class _Engines:
    """What a profile and the report of a pool come to. ``step_s``: from token to token at the pool's present batch."""

    profile: EngineProfile
    pool: PoolState | None
    traffic: Traffic
    step_s: float

    @classmethod
    def of(cls, profile: EngineProfile, pool: PoolState | None) -> _Engines:
        traffic = _traffic(pool)
        return cls(profile, pool, traffic, loaded_step_s(profile, _batch(pool), traffic))


class Forecaster:
    """Profiles, pools and what finished calls taught, turned into spans. Nothing here is random or reads a clock."""

    def __init__(self, models: Mapping[str, ModelInfo], profiles: Mapping[str, EngineProfile]) -> None:
        self.models = models
        self.profiles = dict(profiles)
        self.pools: dict[str, PoolState] = {}
        self.lengths = LengthModel(MAX_KEYS)
        self._engines: dict[str, _Engines] = {}
        self.shapes = RunShapes(MAX_KEYS)
        self.path_errors = PathErrors(MAX_KEYS)

    def length(self, version: str, call: Call, done: int = 0) -> LengthEstimate:
        default = self.models[call.model].default_output_tokens
        return self.lengths.estimate(version, call.name, call.sampling, default, done)

    def output(self, run: ActiveRun, call: Call, done: int = 0) -> LengthEstimate:
        """Tokens still to come of a call, from what is known of its run at this stage."""
        stage, features = self._circumstances(run, call)
        run.circumstances.setdefault(call.name, {})[stage] = features
        default = self.models[call.model].default_output_tokens
        return self.lengths.estimate(run.workflow.version, call.name, call.sampling, default, done, stage, features)

    def observe_output(self, run: ActiveRun, call: Call, tokens: int) -> None:
        for stage, features in run.circumstances.get(call.name, {}).items():
            self.lengths.observe(run.workflow.version, call.name, tokens, stage, features)

    def _circumstances(self, run: ActiveRun, call: Call) -> tuple[int, Features]:
        """The stage (even: not rendered yet) and (1, objective in s, unloaded time so far in s, prompt tokens)."""
        prompt = run.known_prompts.get(call.name)
        stage = 2 * _stage(run) + (prompt is not None)
        size = sum(run.input_tokens.values()) if prompt is None else prompt
        return stage, (1.0, run.deadline_s or 0.0, run.spent_s, size)

    def span(self, model: str, prompt_tokens: float, output: LengthEstimate) -> Span:
        """The call's own duration, once it has a seat, at the pool's present batch."""
        return _span(self._engines_of(model), prompt_tokens, output)

    def _engines_of(self, model: str) -> _Engines:
        profile, pool = self.profiles[model], self.pools.get(model)
        known = self._engines.get(model)
        if known is None or known.profile is not profile or known.pool is not pool:
            known = self._engines[model] = _Engines.of(profile, pool)
        return known

    def path(self, run: ActiveRun) -> list[PathCall]:
        """The calls of the run that have not ended, in topological order."""
        share = self.path_errors.share(run.workflow.version, _stage(run))
        calls = []
        for compiled in run.workflow.calls:
            state = run.progress.state(compiled.call.name)
            if state not in ("finished", "skipped"):
                calls.append(self._path_call(run, compiled.call, share, active=state == "active"))
        return calls

    def foresee(self, run: ActiveRun, path: Sequence[PathCall], after: Mapping[str, Span], now: float) -> None:
        """Keep what is predicted of the run with so many calls ended, to learn from it when it ends; ``after``: the
        tails of the path."""
        stage = _stage(run)
        if stage not in run.foreseen and not run.late:
            whole = longest(path, after)
            variance = whole.variance / self.path_errors.share(run.workflow.version, stage)
            run.foreseen[stage] = Foreseen(now + whole.mean, variance)

    def observe_end(self, run: ActiveRun, now: float) -> None:
        """The run has succeeded."""
        for stage, foreseen in run.foreseen.items():
            if foreseen.variance > 0:
                self.path_errors.observe(run.workflow.version, stage, now - foreseen.end, foreseen.variance)

    def briefest(self, run: ActiveRun, calls: Sequence[PathCall]) -> Span | None:
        """The path if the calls of which no lengths are learned gave their fewest tokens; None: all are learned."""
        version = run.workflow.version
        unknown = {
            compiled.call.name: fewest(compiled.call.sampling)
            for compiled in run.workflow.calls
            if not self.lengths.knows(version, compiled.call.name)
        }
        if not unknown:
            return None
        return longest(
            [
                replace(call, span=self.span(call.model, 0, unknown[call.name])) if call.name in unknown else call
                for call in calls
            ]
        )

    def fuller(self, calls: Sequence[PathCall], share: float) -> Span:
        """The path if each engine had ``share`` times its calls."""
        slower = {model: self._slowdown(model, share) for model in {call.model for call in calls}}
        return longest([replace(call, span=scaled(call.span, slower[call.model])) for call in calls])

    def _slowdown(self, model: str, share: float) -> float:
        engines = self._engines_of(model)
        slower_s = loaded_step_s(engines.profile, share * _batch(engines.pool), engines.traffic)
        return slower_s / engines.step_s if engines.step_s > 0 else 1.0

    def prompt_tokens(self, workflow: CompiledWorkflow, name: str, input_tokens: Mapping[str, float]) -> float:
        """Size of a prompt that is not rendered yet: its fixed text, its inputs and the outputs that it includes."""
        total = workflow.literal_bytes(name) / BYTES_PER_TOKEN
        total += sum([input_tokens.get(read, 0.0) for read in workflow.reads_inputs(name)])
        for parent in workflow.calls_of_prompt(name):
            total += self.length(workflow.version, workflow.by_name[parent].call).mean
        return total

    def _path_call(self, run: ActiveRun, call: Call, share: float, *, active: bool) -> PathCall:
        """``share``: of the variance of its duration, what the path has."""
        version, model = run.workflow.version, call.model
        surely = active or call.when is None
        probability = 1.0 if surely else self.shapes.probability(version, call.name)
        children = run.workflow.children(call.name)
        engines = self._engines_of(model)
        held = run.calls.get(call.name)
        if held is not None and held.token_ids:
            span = _span(engines, 0, self.output(run, call, len(held.token_ids)))
            return PathCall(call.name, children, narrowed(span, share), probability, model)
        output = self.output(run, call)
        known = run.known_prompts.get(call.name)
        prompt = self.prompt_tokens(run.workflow, call.name, run.input_tokens) if known is None else known
        span = _span(engines, prompt, output)
        work_s = engine_work_s(engines.profile, prompt, output.mean) * engines.traffic.interference
        left = 1
        if call.for_each is not None:
            left = self._items_left(run, call)
            span, work_s = of_many(span, left, self._free_seats(model)), work_s * left
        span = narrowed(span, share)
        return PathCall(call.name, children, span, probability, model, work_s, left, prompt, output.mean)

    def _items_left(self, run: ActiveRun, call: Call) -> int:
        items = run.progress.items(call.name)
        if items is not None:
            return items - run.progress.done(call.name)
        default = min(call.max_items or UNKNOWN_ITEMS, UNKNOWN_ITEMS)
        return round(self.shapes.items(run.workflow.version, call.name, default))

    def traffic(self, model: str) -> Traffic:
        """The calls that share the pool, as the router last reported them."""
        return self._engines_of(model).traffic

    def _free_seats(self, model: str) -> int:
        """Seats that a map finds while it runs: those free now, and at least half of all, since others' calls end."""
        pool = self.pools.get(model)
        if pool is None or pool.num_seats == 0:
            return self.profiles[model].max_num_seqs
        return max(1, pool.num_seats // 2, pool.num_seats - pool.num_running)


def _traffic(pool: PoolState | None) -> Traffic:
    if pool is None or pool.num_replicas == 0:
        return Traffic()
    return Traffic(pool.mean_prompt_tokens, pool.mean_output_tokens, pool.interference)


def _batch(pool: PoolState | None) -> float:
    if pool is None or pool.num_replicas == 0:
        return 1.0
    return max(1.0, min(pool.num_seats, pool.num_running + pool.num_queued + 1) / pool.num_replicas)


def _span(engines: _Engines, prompt_tokens: float, output: LengthEstimate) -> Span:
    """The call's own duration, once it has a seat."""
    profile, step_s = engines.profile, engines.step_s
    fixed_s = (profile.overhead_s + profile.prefill_s(prompt_tokens)) * profile.correction if prompt_tokens else 0.0
    mean = fixed_s + step_s * output.mean
    return Span(mean, (step_s * output.deviation) ** 2 + (SPEED_SPREAD * mean) ** 2)


def _stage(run: ActiveRun) -> int:
    return min(run.num_ended, MAX_STAGES)
