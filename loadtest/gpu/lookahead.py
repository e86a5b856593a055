"""Priorities inside the engine, and what places in its queue are worth.

    catenary up --config loadtest/gpu/lookahead.cluster.yaml &
    python loadtest/gpu/lookahead.py [--config FILE] [--out FOLDER] [--seconds 6]

For each model: clients keep more short calls under way than the engine has seats, all with a late deadline; beside them
a slow stream of probes. In one phase the probes' deadline is early (urgent), in the other it is as late as the rest's.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
from calls import Seen, run_call
from cluster import wait_ready
from prompts import Prompts
from rows import print_table, write_rows

from catenary.client import Client
from catenary.runtime.config import load_config

HERE = Path(__file__).parent
PROMPT_TOKENS, OUTPUT_TOKENS = 64, 32
LATE_S, URGENT_S = 120.0, 1.0
PROBES_PER_S = 6.0
RAMP_S = 0.5


class Phase:
    """One model under a standing backlog, with probes."""

    def __init__(self, client: Client, model: str, texts: list[str], probe_deadline_s: float) -> None:
        self._client = client
        self._model = model
        self._texts = texts
        self._probe_deadline_s = probe_deadline_s
        self.backlog: list[Seen] = []
        self.probes: list[Seen] = []

    async def run(self, clients: int, seconds: float) -> float:
        """Returns when the phase began to count, a while after its start."""
        began = time.monotonic()
        until = began + RAMP_S + seconds
        await asyncio.gather(self._probe(until), *(self._client_loop(until) for _ in range(clients)))
        return began + RAMP_S

    async def _client_loop(self, until: float) -> None:
        while time.monotonic() < until:
            self.backlog.append(await self._call(LATE_S))

    async def _probe(self, until: float) -> None:
        rng = random.Random(3)
        await asyncio.sleep(RAMP_S)
        tasks = []
        while time.monotonic() < until:
            tasks.append(asyncio.create_task(self._call(self._probe_deadline_s)))
            await asyncio.sleep(rng.expovariate(PROBES_PER_S))
        self.probes += await asyncio.gather(*tasks)

    async def _call(self, deadline_s: float) -> Seen:
        return await run_call(self._client, self._model, self._texts.pop(), OUTPUT_TOKENS, deadline_s)


def row(model: str, probes: str, phase: Phase, began: float, seconds: float) -> dict[str, Any]:
    counted = [seen for seen in phase.backlog if began <= seen.end < began + seconds]
    waits = [seen.record.queue_s * 1e3 for seen in counted if seen.record]
    probe_waits = [seen.record.queue_s * 1e3 for seen in phase.probes if seen.record]
    return {
        "model": model,
        "probes": probes,
        "calls_per_s": len(counted) / seconds,
        "tokens_per_s": sum(seen.tokens for seen in counted) / seconds,
        "backlog queue ms": float(np.median(waits)),
        "probes n": len(probe_waits),
        "probe queue ms": float(np.median(probe_waits)),
        "probe queue p95": float(np.percentile(probe_waits, 95)),
        "probe e2e ms": float(np.median([seen.end - seen.submit for seen in phase.probes]) * 1e3),
        "met": sum(seen.met for seen in phase.probes) / len(phase.probes),
        "failed": sum(seen.outcome != "SUCCEEDED" for seen in phase.backlog + phase.probes),
    }


async def lookahead(args: argparse.Namespace) -> None:
    config = load_config(args.config)
    await wait_ready(args.config, args.timeout)
    rows = []
    async with Client(config.gateway.address) as client:
        for model in config.models:
            prompts = Prompts(Path(config.models[model].source), seed=41)
            for probes, deadline_s in (("warm-up", LATE_S), ("urgent", URGENT_S), ("as late", LATE_S)):
                seconds = 1.0 if probes == "warm-up" else args.seconds
                phase = Phase(client, model, [prompts.text(PROMPT_TOKENS) for _ in range(args.texts)], deadline_s)
                began = await phase.run(args.clients, seconds)
                if probes != "warm-up":
                    rows.append(row(model, probes, phase, began, seconds))
                    write_rows(args.out / "lookahead.jsonl", rows)
    title = f"{args.clients} clients on {next(iter(config.models.values())).max_num_seqs} seats"
    print_table(f"{title}, {PROMPT_TOKENS} + {OUTPUT_TOKENS} tokens", rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=HERE / "lookahead.cluster.yaml")
    parser.add_argument("--out", type=Path, default=Path("loadtest/out/gpu"))
    parser.add_argument("--clients", type=int, default=48)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--texts", type=int, default=4000)
    parser.add_argument("--timeout", type=float, default=200.0)
    asyncio.run(lookahead(parser.parse_args()))


if __name__ == "__main__":
    main()
