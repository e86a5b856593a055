"""Round trip of one message over one gRPC stream between two processes, and its processor time on each side.

    python loadtest/stream_latency.py [--messages 2000] [--unix]
    GRPC_EXPERIMENTS=-event_engine_client,-event_engine_listener python loadtest/stream_latency.py  # the older poller

What a hop between two services costs before either does anything, over loopback or with ``--unix`` a Unix socket.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import AsyncIterator
from multiprocessing.connection import Connection

import grpc
import grpc.aio
import psutil

SIZE = 200
WARM_UP = 200


class Echo(grpc.GenericRpcHandler):
    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        return grpc.stream_stream_rpc_method_handler(_echo)


async def _echo(requests: AsyncIterator[bytes], context: object) -> AsyncIterator[bytes]:
    async for request in requests:
        yield request


async def serve(told: Connection, socket: str) -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Echo(),))
    port = server.add_insecure_port(socket or "127.0.0.1:0")
    told.send(socket or f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


def host(told: Connection, socket: str) -> None:
    asyncio.run(serve(told, socket))


async def measure(address: str, peer: psutil.Process, messages: int) -> str:
    async with grpc.aio.insecure_channel(address) as channel:
        call = channel.stream_stream("/echo/Echo")()
        for number in range(WARM_UP + messages):
            if number == WARM_UP:
                began, own, theirs = time.perf_counter(), time.process_time(), _cpu_s(peer)
            await call.write(bytes(SIZE))
            await call.read()
        spent = (time.perf_counter() - began, time.process_time() - own, _cpu_s(peer) - theirs)
        call.cancel()
    round_trip, client, server = (seconds / messages * 1e6 for seconds in spent)
    return f"round trip {round_trip:.0f} us; processor time: client {client:.0f} us, server {server:.0f} us"


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=2_000)
    parser.add_argument("--unix", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report(f"unix:{folder}/echo" if args.unix else "", args.messages)


def report(socket: str, messages: int) -> None:
    hears, told = multiprocessing.Pipe(duplex=False)
    server = multiprocessing.get_context("spawn").Process(target=host, args=(told, socket), daemon=True)
    server.start()
    try:
        print(asyncio.run(measure(hears.recv(), psutil.Process(server.pid), messages)))
    finally:
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
