from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from catenary.runtime import local_sockets
from catenary.runtime.rpc import GrpcServer, channel

METHOD = "/test/Peer"


class Peer(grpc.GenericRpcHandler):
    """Answers with where the caller comes from."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        async def peer(request: bytes, context: Any) -> bytes:
            return str(context.peer()).encode()

        if handler_call_details.method != METHOD:
            return None
        return grpc.unary_unary_rpc_method_handler(peer, request_deserializer=bytes, response_serializer=bytes)


def peers(server: GrpcServer) -> None:
    server.add(lambda servicer, raw: raw.add_generic_rpc_handlers((servicer,)), Peer(), "test")


async def asked(connection: grpc.aio.Channel) -> str:
    ask: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = connection.unary_unary(METHOD)
    return (await ask(b"", timeout=5, wait_for_ready=True)).decode().partition(":")[0]


async def came_by(address: str) -> str:
    async with channel(address, by_socket=True) as connection:
        return await asked(connection)


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        yield Path(short)


@pytest.fixture
async def server() -> AsyncIterator[GrpcServer]:
    server = GrpcServer("127.0.0.1:0")
    peers(server)
    await server.start()
    yield server
    await server.stop(0)


def path_of(server: GrpcServer) -> Path:
    path = local_sockets.socket_of(server.address)
    assert path is not None
    return path


async def test_processes_of_one_machine_meet_at_a_socket_that_is_the_users_own(server: GrpcServer) -> None:
    assert await came_by(server.address) == "unix"
    assert path_of(server).parent.stat().st_mode & 0o777 == 0o700


async def test_others_come_by_the_port(server: GrpcServer) -> None:
    async with channel(server.address) as connection:
        assert await asked(connection) == "ipv4"


async def test_a_server_takes_its_socket_away(server: GrpcServer) -> None:
    await server.stop(0)
    assert not path_of(server).exists()


async def test_a_socket_that_a_killed_server_left_is_passed_over_and_replaced(server: GrpcServer) -> None:
    path = path_of(server)
    await server.stop(0)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert local_sockets.target(server.address) == server.address
    again = GrpcServer(server.address)
    peers(again)
    await again.start()
    assert await came_by(again.address) == "unix"
    await again.stop(0)


async def test_a_channel_finds_a_server_that_starts_again(server: GrpcServer) -> None:
    async with channel(server.address, by_socket=True) as connection:
        assert await asked(connection) == "unix"
        await server.stop(0)
        again = GrpcServer(server.address)
        peers(again)
        await again.start()
        assert await asked(connection) == "unix"
        await again.stop(0)


async def test_a_folder_that_others_can_write_to_is_not_used(server: GrpcServer) -> None:
    path_of(server).parent.chmod(0o777)
    assert await came_by(server.address) == "ipv4"
    assert local_sockets.prepared(server.address) is None


@pytest.mark.parametrize("address", ["0.0.0.0:7450", "[::1]:7450", "example.org:7450", "127.0.0.1:0", "127.0.0.1"])
def test_only_a_port_of_this_machine_has_a_socket(address: str) -> None:
    assert local_sockets.socket_of(address) is None
    assert local_sockets.target(address) == address


def test_a_folder_with_a_long_name_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/" + "x" * 90)
    assert local_sockets.socket_of("127.0.0.1:7450") is None


def test_the_folder_is_named_after_the_user(own_folder: Path) -> None:
    path = local_sockets.prepared("127.0.0.1:7450")
    assert path is not None
    assert path.parent == own_folder / f"catenary-rpc-{os.getuid()}"
