"""Prometheus metrics of one process: a registry and the port that answers scrapes."""

from __future__ import annotations

import asyncio
from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
SLACK_S = (-60.0, -10.0, -5.0, -1.0, -0.1, 0.0, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class MetricsServer:
    """A service's metrics derive from it and register themselves in ``registry``."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._server: tuple[WSGIServer, Thread] | None = None

    def serve(self, port: int) -> None:
        """Answer scrapes on every interface; port 0: not at all. Raises OSError."""
        if port:
            self._server = start_http_server(port, registry=self.registry)

    async def close(self) -> None:
        if self._server is not None:
            server, thread = self._server
            self._server = None
            await asyncio.to_thread(server.shutdown)
            server.server_close()
            await asyncio.to_thread(thread.join)
