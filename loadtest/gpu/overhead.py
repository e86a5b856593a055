"""Throughput, TTFT and TPOT through Catenary, on the same engine in this process, and through ``vllm serve``.

    python loadtest/gpu/overhead.py [--config FILE] [--out FOLDER] [--sequences 1 16 64 256] [--rounds 5]

Three engines with the same arguments sit on one accelerator, one busy at a time: the one of a Catenary cluster, one in
this process, one of ``vllm serve``. A round sends n prompts of 128 tokens at once and waits for 128 greedy tokens of
each. Catenary and ``vllm serve`` are driven over the network by the same client processes, with streaming; the rounds
of the three take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import aiohttp
from cluster import wait_ready, worker_address
from direct import DirectWorker
from prompts import Prompts
from rows import print_table, write_rows

from catenary.client.request import resolve, submit_request
from catenary.runtime.config import Config, load_config
from catenary.runtime.rpc import channel
from catenary.v1 import gateway_service_pb2_grpc as rpc
from catenary_worker.vllm_settings import VllmSettings

HERE = Path(__file__).parent
TOKENS = 128
CLIENTS = 4
SERVE_PORT = 7480
START_TIMEOUT_S = 330.0
SHOWN = ("tokens_per_s", "ttft_ms", "ttft_median_ms", "ttft_min_ms", "tpot_ms", "ready_ms", "gateway_first_ms")


@dataclass(frozen=True, slots=True)
class Timed:
    """One call; points of time.monotonic(). By the gateway, seconds from the submission: when it was ready and had its
    first token."""

    submit: float
    first: float
    end: float
    tokens: int
    ready_s: float = 0.0
    gateway_first_s: float = 0.0


async def through_catenary(address: str, model: str, texts: list[str], go: Awaitable[None]) -> list[Timed]:
    from calls import one_call

    spec = resolve(one_call(model, TOKENS))

    async def call(stub: Any, text: str) -> Timed:
        request = submit_request(spec, "", {"text": text}, {"tokens": True})
        submit, first, tokens, ready_s, ttft_s = time.monotonic(), 0.0, 0, 0.0, 0.0
        async for response in stub.SubmitWorkflow(request):
            for event in response.events:
                if event.WhichOneof("event") == "call_tokens":
                    first = first or time.monotonic()
                    tokens += event.call_tokens.num_tokens
                elif event.WhichOneof("event") == "call_finished":
                    ready_s, ttft_s = event.call_finished.call.start_s, event.call_finished.call.ttft_s
        return Timed(submit, first, time.monotonic(), tokens, ready_s, ready_s + ttft_s)

    async with channel(address) as connection:
        stub = rpc.GatewayServiceStub(connection)
        await connection.channel_ready()
        await go
        return list(await asyncio.gather(*(call(stub, text) for text in texts)))


async def through_serve(address: str, model: str, texts: list[str], go: Awaitable[None]) -> list[Timed]:
    async def call(session: aiohttp.ClientSession, text: str) -> Timed:
        body = {"model": model, "prompt": text, "max_tokens": TOKENS, "min_tokens": TOKENS, "ignore_eos": True,
                "temperature": 0, "stream": True, "stream_options": {"include_usage": True}}  # fmt: skip
        submit, first, tokens = time.monotonic(), 0.0, 0
        async with session.post(f"http://{address}/v1/completions", json=body) as response:
            response.raise_for_status()
            async for line in response.content:
                if not line.startswith(b"data: {"):
                    continue
                chunk = json.loads(line[6:])
                if chunk["choices"]:
                    first = first or time.monotonic()
                elif chunk.get("usage"):
                    tokens = chunk["usage"]["completion_tokens"]
        return Timed(submit, first, time.monotonic(), tokens)

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=300)) as session:
        await go
        return list(await asyncio.gather(*(call(session, text) for text in texts)))


async def through_worker(connection: Any, model: str, count: int) -> list[Timed]:
    """Straight to the worker, past gateway and router; token ids instead of texts, times as the worker has them."""
    async with DirectWorker(connection, model) as worker:
        served = await asyncio.gather(*(worker.serve(TOKENS, TOKENS) for _ in range(count)))
    return [
        Timed(one.submit, one.submit + one.ttft_s, one.submit + one.duration_s, one.output_tokens) for one in served
    ]


async def in_process(llm: Any, texts: list[str]) -> list[Timed]:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    sampling = SamplingParams(
        max_tokens=TOKENS, min_tokens=TOKENS, ignore_eos=True, temperature=0, output_kind=RequestOutputKind.DELTA
    )

    async def call(number: int, text: str) -> Timed:
        submit, first, tokens = time.monotonic(), 0.0, 0
        async for output in llm.generate(text, sampling, f"{submit}-{number}"):
            first = first or time.monotonic()
            tokens += len(output.outputs[0].token_ids)
        return Timed(submit, first, time.monotonic(), tokens)

    return list(await asyncio.gather(*(call(number, text) for number, text in enumerate(texts))))


def client_process(pipe: Any, barrier: Any) -> None:
    """Takes (way, address, model, texts) until None; answers with the calls' times."""
    asyncio.run(_client(pipe, barrier))


async def _client(pipe: Any, barrier: Any) -> None:
    while (work := await asyncio.to_thread(pipe.recv)) is not None:
        way, address, model, texts = work

        async def go() -> None:
            await asyncio.to_thread(barrier.wait)

        drive = through_catenary if way == "catenary" else through_serve
        found = await drive(address, model, texts, go())
        pipe.send([astuple(one) for one in found])


class Clients:
    """Client processes that begin each round together."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._barrier = context.Barrier(CLIENTS)
        pairs = [context.Pipe() for _ in range(CLIENTS)]
        self._pipes = [mine for mine, _ in pairs]
        self._processes = [
            context.Process(target=client_process, args=(theirs, self._barrier), daemon=True) for _, theirs in pairs
        ]
        for process in self._processes:
            process.start()

    async def round(self, way: str, address: str, model: str, texts: list[str]) -> list[Timed]:
        for number, pipe in enumerate(self._pipes):
            pipe.send((way, address, model, texts[number::CLIENTS]))
        answers = await asyncio.gather(*(asyncio.to_thread(pipe.recv) for pipe in self._pipes))
        return [Timed(*one) for answer in answers for one in answer]

    def close(self) -> None:
        for pipe in self._pipes:
            pipe.send(None)
        for process in self._processes:
            process.join(10)


def engine_settings(config: Config, model: str) -> VllmSettings:
    return VllmSettings(
        model=model,
        config=config.models[model],
        worker=config.workers[0],
        cache_dir=config.cache_dir,
        device_variable=config.provisioner.device_variable,
    )


def serve_command(arguments: dict[str, Any]) -> list[str]:
    """``vllm serve`` with the engine arguments of the worker."""
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--host", "127.0.0.1"]
    command += ["--port", str(SERVE_PORT)]
    for name, value in arguments.items():
        option = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            command += [option] if value else []
        else:
            command += [option, str(value)]
    return command


@contextlib.contextmanager
def children(args: argparse.Namespace, settings: VllmSettings, folder: Path) -> Iterator[None]:
    """The cluster and ``vllm serve``, ended afterwards."""
    environment = os.environ | {"CATENARY_STORE__DATA_DIR": f"{args.work}/store"}
    commands = {"catenary": [sys.executable, "-m", "catenary.cli.main", "up", "--config", str(args.config)]}
    if "serve" in args.ways:
        commands["serve"] = serve_command(dict(settings.engine_args(folder)))
    with contextlib.ExitStack() as logs:
        started = []
        for name, command in commands.items():
            log = logs.enter_context((args.work / f"{name}.log").open("w"))
            own = settings.environment() | {"VLLM_CACHE_ROOT": f"{args.work}/serve-cache"} if name == "serve" else {}
            started.append(
                subprocess.Popen(
                    command, env=environment | own, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
                )
            )
        try:
            yield
        finally:
            for process in started:
                process.send_signal(signal.SIGINT)
            for process in started:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(40)


async def serve_ready(timeout_s: float) -> None:
    give_up_at = time.monotonic() + timeout_s
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < give_up_at:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"http://127.0.0.1:{SERVE_PORT}/health") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.5)
    raise RuntimeError(f"vllm serve was not ready after {timeout_s:g} s")


def start_in_process(settings: VllmSettings, folder: Path, work: Path) -> Any:
    os.environ.update(settings.environment())
    os.environ["VLLM_CACHE_ROOT"] = str(work / "own-cache")
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.v1.engine.async_llm import AsyncLLM

    return AsyncLLM.from_engine_args(AsyncEngineArgs(**settings.engine_args(folder)))


def figures(way: str, count: int, number: int, calls: list[Timed]) -> dict[str, Any]:
    tokens = sum(call.tokens for call in calls)
    took = max(call.end for call in calls) - min(call.submit for call in calls)
    ttft = sorted(call.first - call.submit for call in calls)
    return {
        "way": way,
        "sequences": count,
        "round": number,
        "tokens": tokens,
        "tokens_per_s": tokens / took,
        "ttft_ms": statistics.mean(ttft) * 1e3,
        "ttft_median_ms": statistics.median(ttft) * 1e3,
        "ttft_min_ms": ttft[0] * 1e3,
        "tpot_ms": statistics.mean((c.end - c.first) / (c.tokens - 1) for c in calls) * 1e3,
        "ready_ms": statistics.mean(call.ready_s for call in calls) * 1e3,
        "gateway_first_ms": statistics.mean(call.gateway_first_s for call in calls) * 1e3,
        "whole": sum(call.tokens == TOKENS for call in calls),
    }


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Medians of the rounds, and Catenary's throughput as a share of the others'."""
    table = []
    for count in sorted({row["sequences"] for row in rows}):
        rates: dict[str, float] = {}
        for way in ("in-process", "worker", "catenary", "serve"):
            mine = [row for row in rows if row["sequences"] == count and row["way"] == way]
            if not mine:
                continue
            middle = {name: statistics.median(row[name] for row in mine) for name in SHOWN}
            rates[way] = middle["tokens_per_s"]
            share = middle["tokens_per_s"] / rates["in-process"] if "in-process" in rates else None
            table.append({"sequences": count, "way": way, "rounds": len(mine), **middle, "of_in_process": share})
    return table


async def overhead(args: argparse.Namespace) -> None:
    config = load_config(args.config)
    model = config.workers[0].models[0]
    settings, folder = engine_settings(config, model), Path(config.models[model].source)
    args.work.mkdir(parents=True, exist_ok=True)
    prompts = Prompts(folder, seed=31)
    clients = Clients()
    rows: list[dict[str, Any]] = []
    with children(args, settings, folder):
        began = time.monotonic()
        build = start_in_process if "in-process" in args.ways else lambda *_: None
        building = asyncio.create_task(asyncio.to_thread(build, settings, folder, args.work))
        plan = await wait_ready(args.config, START_TIMEOUT_S)
        connection = channel(worker_address(plan, config))
        print(f"catenary ready after {time.monotonic() - began:.0f} s", flush=True)
        if "serve" in args.ways:
            await serve_ready(START_TIMEOUT_S)
        print(f"vllm serve ready after {time.monotonic() - began:.0f} s", flush=True)
        llm = await building
        print(f"in-process engine ready after {time.monotonic() - began:.0f} s", flush=True)

        async def own(texts: list[str]) -> list[Timed]:
            return await in_process(llm, texts)

        async def catenary(texts: list[str]) -> list[Timed]:
            return await clients.round("catenary", config.gateway.address, model, texts)

        async def worker(texts: list[str]) -> list[Timed]:
            return await through_worker(connection, model, len(texts))

        async def serve(texts: list[str]) -> list[Timed]:
            return await clients.round("serve", f"127.0.0.1:{SERVE_PORT}", model, texts)

        ways: dict[str, Callable[[list[str]], Awaitable[list[Timed]]]] = {
            "in-process": own,
            "worker": worker,
            "catenary": catenary,
            "serve": serve,
        }
        for count in args.sequences:
            for number in range(args.rounds + 1):
                for way in args.ways:
                    calls = await ways[way]([prompts.text(TOKENS) for _ in range(count)])
                    if number:
                        rows.append(figures(way, count, number, calls))
            write_rows(args.out / "overhead.jsonl", rows)
            print_table(f"{count} sequences", [row for row in summary(rows) if row["sequences"] == count])
        if llm is not None:
            llm.shutdown()
        await connection.close()
    clients.close()
    print_table(f"{TOKENS} + {TOKENS} tokens, arriving together; medians of {args.rounds} rounds", summary(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=HERE / "overhead.cluster.yaml")
    parser.add_argument("--out", type=Path, default=Path("loadtest/out/gpu"))
    parser.add_argument("--work", type=Path, default=Path("/tmp/catenary-overhead"))
    parser.add_argument("--sequences", type=int, nargs="+", default=[1, 16, 64, 256])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ways", nargs="+", default=["in-process", "catenary", "serve", "worker"])
    asyncio.run(overhead(parser.parse_args()))


if __name__ == "__main__":
    main()
