"""Catenary. Importing it settles how gRPC polls in this process, unless gRPC was imported before."""

import os
from importlib.metadata import version

# gRPC 1.80 made EventEngine the default in Python. Its poller hands each message to one more thread: twice the thread
# switches and 1.4 times the processor time of the poller before it, which 1.85 still has (docs/performance.md).
# A release that has dropped the switch would complain about it.
if tuple(map(int, version("grpcio").split(".")[:2])) < (1, 86):
    os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_client,-event_engine_listener")
