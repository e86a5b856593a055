"""Python client of Catenary: ``Client`` for asyncio, ``SyncClient`` for everything else."""

from catenary.client.client import DEFAULT_ADDRESS, Client
from catenary.client.errors import CatenaryError
from catenary.client.handle import RunHandle
from catenary.client.records import Explanation, ModelStatus, Registration, Run, RunPage
from catenary.client.request import RunOptions, WorkflowLike
from catenary.client.stream import Reattach
from catenary.client.sync import SyncClient, SyncRunHandle
from catenary.model.explanation import CallShare
from catenary.model.run import (
    CallFinished,
    CallRecord,
    CallRestarted,
    CallStarted,
    CallTokens,
    Quote,
    RunAdmitted,
    RunEventBody,
    RunFinished,
    RunRefused,
)

__all__ = [
    "DEFAULT_ADDRESS",
    "CallFinished",
    "CallRecord",
    "CallRestarted",
    "CallShare",
    "CallStarted",
    "CallTokens",
    "CatenaryError",
    "Client",
    "Explanation",
    "ModelStatus",
    "Quote",
    "Reattach",
    "Registration",
    "Run",
    "RunAdmitted",
    "RunEventBody",
    "RunFinished",
    "RunHandle",
    "RunOptions",
    "RunPage",
    "RunRefused",
    "SyncClient",
    "SyncRunHandle",
    "WorkflowLike",
]
