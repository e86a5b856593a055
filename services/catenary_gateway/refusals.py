"""How the gateway says no: one function per kind of refusal, each with its ErrorInfo."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import grpc
from redis.exceptions import RedisError

from catenary.model.spec import SpecError
from catenary.runtime.rpc import abort
from catenary.runtime.store.errors import StoreError, StoreFull
from catenary_gateway.specs import UnknownWorkflow
from catenary_gateway.submission import FieldError

Context = grpc.aio.ServicerContext[Any, Any]


@asynccontextmanager
async def refusing(context: Context) -> AsyncIterator[None]:
    """What goes wrong inside ends the RPC with its status."""
    try:
        yield
    except FieldError as error:
        message, metadata = str(error), {"field": error.field}
        await abort(context, grpc.StatusCode.INVALID_ARGUMENT, message, "INVALID_ARGUMENT", metadata)
    except SpecError as error:
        await invalid_spec(context, error)
    except UnknownWorkflow as error:
        field = {"field": "workflow_name"}
        await abort(context, grpc.StatusCode.NOT_FOUND, str(error), "UNKNOWN_WORKFLOW", field)
    except StoreFull as error:
        await abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, str(error), "REJECTED_CAPACITY")
    except (RedisError, StoreError, OSError) as error:
        await unavailable(context, error)


async def invalid(context: Context, field: str, problem: str) -> NoReturn:
    await abort(context, grpc.StatusCode.INVALID_ARGUMENT, f"{field}: {problem}", "INVALID_ARGUMENT", {"field": field})


async def invalid_spec(context: Context, error: SpecError) -> NoReturn:
    places = {"field": error.problems[0].place} if error.problems else {}
    await abort(context, grpc.StatusCode.INVALID_ARGUMENT, str(error), "INVALID_WORKFLOW", places)


async def unavailable(context: Context, error: object) -> NoReturn:
    await abort(context, grpc.StatusCode.UNAVAILABLE, str(error), "STORE_UNAVAILABLE")


async def no_router(context: Context) -> NoReturn:
    message = "no router has told this gateway of its pools yet; try again or another gateway"
    await abort(context, grpc.StatusCode.UNAVAILABLE, message, "NO_ROUTER")


async def no_room(context: Context, reason: str) -> NoReturn:
    await abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, reason, "REJECTED_CAPACITY")


async def owner_lost(context: Context, run_id: str) -> NoReturn:
    message = f"the gateway that drove {run_id!r} is gone; another one takes the run over, try again"
    await abort(context, grpc.StatusCode.UNAVAILABLE, message, "OWNER_LOST")


async def unknown_run(context: Context, run_id: str) -> NoReturn:
    await abort(context, grpc.StatusCode.NOT_FOUND, f"run_id: no run {run_id!r} is kept", "UNKNOWN_RUN")


async def taken(context: Context, run_id: str) -> NoReturn:
    message = f"run_id: {run_id!r} is taken by a run of another content"
    await abort(context, grpc.StatusCode.ALREADY_EXISTS, message, "RUN_EXISTS")
