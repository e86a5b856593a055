"""Prediction against reality: a chain of three models on one accelerator at two loads, beside the simulator.

    python loadtest/gpu/chain.py [--config FILE] [--out FOLDER] [--profiles FOLDER] [--accelerator NAME]
        [--seconds 30] [--rates 2 4]

First it measures how much the models slow each other (loadtest/gpu/sharing.py); then it simulates several rates on the
profiles and takes the two whose predicted attainment is nearest to 0.9 and 0.5 (or those of --rates); then it sends
exactly those arrivals to the cluster. Everybody is admitted and nothing is shed, so that what differs is time alone.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from cluster import wait_ready, worker_address
from direct import DirectWorker
from prompts import Prompts
from rows import print_table, write_rows
from sharing import SharedAccelerator, Slowdowns, measure, slowdowns

from catenary.client import Client
from catenary.model.profile import EngineProfile
from catenary.runtime.config import load_config
from catenary.runtime.rpc import channel
from catenary.runtime.wire.profile import load_profile_file
from catenary.simulation.job import Job, text_tokens
from catenary.simulation.scenario import Scenario, parse_scenario
from catenary.simulation.simulate import prepare

HERE = Path(__file__).parent
OUTPUTS = {"a": 64, "b": 96, "c": 128}
WANTED = (0.9, 0.5)
CALIBRATION_TOKENS = {"a": 400, "b": 250, "c": 128}
COEFFICIENTS = (
    "prefill_base_s", "prefill_token_s", "prefill_token2_s", "step_base_s", "step_seq_s", "step_context_s",
    "submit_s", "kv_capacity_tokens", "prefill_curve",
)  # fmt: skip


def workflow(models: list[str], deadline_s: float) -> dict[str, Any]:
    """Prompts of later calls hold nothing of the earlier texts, so that their lengths are known."""
    calls: dict[str, Any] = {}
    before = ""
    for name, model in zip(OUTPUTS, models, strict=True):
        after = f"{{{{ '' if {before}.text else '.' }}}}" if before else ""
        calls[name] = {
            "model": model,
            "prompt": f"{{{{ inputs.prompt }}}}{after}",
            "max_tokens": OUTPUTS[name],
            "min_tokens": OUTPUTS[name],
            "ignore_eos": True,
            "temperature": 0,
        }
        before = name
    slo = {"deadline": f"{deadline_s:g}s", "attainment": 0.95, "on_miss": "finish"}
    return {"name": "chain", "slo": slo, "inputs": {"prompt": "string"}, "calls": calls}


def scenario(
    args: argparse.Namespace, profiles: dict[str, EngineProfile], seats: int, lookahead: int, rate: float
) -> Scenario:
    models = {
        name: {field: getattr(profile, field) for field in COEFFICIENTS}
        | {"max_num_seqs": seats, "lookahead": lookahead}
        for name, profile in profiles.items()
    }
    lengths = {name: {"tokens": {"median": count, "sigma": 0}} for name, count in OUTPUTS.items()}
    return parse_scenario(
        {
            "name": "chain",
            "workflow": workflow(list(profiles), args.deadline),
            "models": models,
            "replicas": dict.fromkeys(models, 1),
            "work": {
                "rate": rate,
                "phases": [{"duration_s": args.seconds}],
                "inputs": {"prompt": {"tokens": {"median": 256, "sigma": 0.4, "min": 32, "max": 1024}}},
                "outputs": lengths,
            },
            "delays": {"network_s": statistics.mean(p.overhead_s for p in profiles.values()) / 2},
            "gateway": {"admission": "none", "shed_lost": False, "shed_crowded": False, "late_multiple": 20.0},
            "router": {"shed_lost": False, "triage": False},
        }
    )


def simulated(made: Scenario, shares: Slowdowns, seed: int) -> tuple[list[float], list[Job]]:
    """Seconds of each run, and the runs."""
    cluster, _ = prepare(made, seed, None, SharedAccelerator(shares))
    cluster.run()
    jobs = [one.job for one in cluster.submitted]
    return [cluster.ends.runs[job.run_id].e2e_s for job in jobs], jobs


async def real(client: Client, spec: str, jobs: list[Job], prompts: Prompts) -> list[dict[str, Any]]:
    texts = [prompts.text(text_tokens(job.inputs["prompt"])) for job in jobs]
    began = time.monotonic()

    async def one(job: Job, text: str) -> dict[str, Any]:
        await asyncio.sleep(max(0.0, began + job.arrival_s - time.monotonic()))
        submit = time.monotonic()
        run = await client.run(spec, {"prompt": text})
        return {
            "run": job.run_id,
            "arrival_s": submit - began,
            "prompt_tokens": text_tokens(job.inputs["prompt"]),
            "client_s": time.monotonic() - submit,
            "e2e_s": run.e2e_s,
            "outcome": run.outcome.value if run.outcome else "",
            "met": run.met,
            "calls": {c.ref.name: {"queue_s": c.queue_s, "ttft_s": c.ttft_s, "duration_s": c.duration_s}
                      for c in run.calls},
        }  # fmt: skip

    return list(await asyncio.gather(*(one(job, text) for job, text in zip(jobs, texts, strict=True))))


def attainment(times: list[float], deadline_s: float) -> float:
    return sum(one <= deadline_s for one in times) / len(times)


def line(rate: float, way: str, times: list[float], deadline_s: float) -> dict[str, Any]:
    ordered = sorted(times)
    return {
        "runs/s": rate,
        "way": way,
        "runs": len(times),
        "attainment": attainment(times, deadline_s),
        "p50_s": statistics.median(times),
        "p95_s": ordered[int(0.95 * (len(ordered) - 1))],
    }


def load_profiles(args: argparse.Namespace) -> dict[str, EngineProfile]:
    return {m: load_profile_file(args.profiles / f"{m}--{args.accelerator}.json") for m in args.models}


def chosen(args: argparse.Namespace, predicted: dict[float, float]) -> list[float]:
    if args.rates:
        return list(args.rates)
    return sorted({min(predicted, key=lambda rate: abs(predicted[rate] - wanted)) for wanted in WANTED})


async def chain(args: argparse.Namespace) -> None:
    config = load_config(args.config)
    plan = await wait_ready(args.config, 60)
    profiles = load_profiles(args)
    first = config.models[args.models[0]]
    tokens = dict(zip(args.models, CALIBRATION_TOKENS.values(), strict=True))
    async with AsyncExitStack() as stack:
        workers = {}
        for model in args.models:
            connection = await stack.enter_async_context(channel(worker_address(plan, config, model)))
            workers[model] = await stack.enter_async_context(DirectWorker(connection, model))
        shared = await measure(workers, tokens)
    print_table("models awake on one accelerator", shared)
    write_rows(args.out / "sharing.jsonl", shared)
    shares = slowdowns(shared, profiles, tokens)

    def at(rate: float) -> Scenario:
        return scenario(args, profiles, first.max_num_seqs, first.lookahead, rate)

    candidates = args.rates or [args.least * 1.25**n for n in range(14)]
    predicted = {r: attainment(simulated(at(r), shares, args.seed)[0], args.deadline) for r in candidates}
    print_table("predicted", [{"runs/s": r, "attainment": share} for r, share in predicted.items()])
    table, raw = [], []
    prompts = Prompts(Path(first.source), seed=41)
    async with Client(config.gateway.address) as client:
        spec = yaml.safe_dump(workflow(args.models, args.deadline), sort_keys=False)
        for _ in range(8):
            await client.run(spec, {"prompt": prompts.text(256)})
        for rate in chosen(args, predicted):
            foreseen, jobs = simulated(at(rate), shares, args.seed)
            alone, _ = simulated(at(rate), dict.fromkeys(shares, 1.0), args.seed)
            seen = await real(client, spec, jobs, prompts)
            table += [
                line(rate, "reality", [row["client_s"] for row in seen], args.deadline),
                line(rate, "simulator", foreseen, args.deadline),
                line(rate, "simulator, nothing shared", alone, args.deadline),
            ]
            raw += [row | {"rate": rate, "simulated_s": s} for row, s in zip(seen, foreseen, strict=True)]
            write_rows(args.out / "chain.jsonl", raw)
    failed = sum(row["outcome"] != "SUCCEEDED" for row in raw)
    print_table(f"chain of three models, deadline {args.deadline:g} s; {failed} failed", table)
    print({name: asdict(profile)["version"] for name, profile in profiles.items()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=HERE / "cluster.yaml")
    parser.add_argument("--out", type=Path, default=Path("loadtest/out/gpu"))
    parser.add_argument("--profiles", type=Path, default=Path("profiles"))
    parser.add_argument("--accelerator", default="nvidia-h100-80gb-hbm3")
    parser.add_argument("--models", nargs=3, default=["llama-1b-shape", "llama-3b-shape", "llama-8b-shape"])
    parser.add_argument("--deadline", type=float, default=3.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--least", type=float, default=1.0, help="lowest rate that is simulated")
    parser.add_argument("--rates", type=float, nargs="*")
    parser.add_argument("--seed", type=int, default=3)
    asyncio.run(chain(parser.parse_args()))


if __name__ == "__main__":
    main()
