"""The MCP server over streamable HTTP, by itself or inside another ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings

from ...state import Context
from .server import mcp_server
from .service import Service, service_of

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
"""Names under which a server is asked for on its own machine."""


class McpApp:
    """An ASGI application that answers at every path under the one that it is mounted at.

    It starts with its first request where nobody tells it of its life, since a mounted application is not told.

    Args:
        service: What it offers.
        hosts: Names, with `:*` for any port, that requests may be addressed to, beside those of the own machine: a page
            in a browser must not reach a server on a laptop through a name of its own.
    """

    def __init__(self, service: Service, hosts: Sequence[str] = ()) -> None:
        """Start nothing yet."""
        self.service = service
        self._hosts = [form for host in (*LOOPBACK, *hosts) for form in (host, f"{host}:*")]
        self._most = service.store.max_bytes // 3 * 4 + 2**20  # of a body: a picture in base64, and the rest
        self._running: asyncio.Task[None] | None = None
        self._manager: StreamableHTTPSessionManager | None = None

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request, or go through the life of the application."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await (await self.start()).handle_request(scope, receive, send)

    async def start(self) -> StreamableHTTPSessionManager:
        """What handles requests, in a task of its own on this event loop."""
        loop = asyncio.get_running_loop()
        if self._manager is None or self._running is None or self._running.done() or self._running.get_loop() != loop:
            self._manager, started = self._made(), asyncio.Event()
            self._running = asyncio.create_task(_run(self._manager, started), name="g2u-mcp")
            await started.wait()
        return self._manager

    def _made(self) -> StreamableHTTPSessionManager:
        security = TransportSecuritySettings(
            enable_dns_rebinding_protection=True,
            allowed_hosts=self._hosts,
            allowed_origins=[f"{scheme}://{host}" for host in self._hosts for scheme in ("http", "https")],
        )
        return StreamableHTTPSessionManager(
            mcp_server(self.service), stateless=True, security_settings=security, max_request_body_size=self._most
        )

    async def stop(self) -> None:
        """End what `start` began."""
        if self._running:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
        self._running = self._manager = None

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


async def _run(manager: StreamableHTTPSessionManager, started: asyncio.Event) -> None:
    async with manager.run():
        started.set()
        await asyncio.Event().wait()


def mcp_app(context: Context | None = None, *, hosts: Sequence[str] = (), **options: Any) -> McpApp:
    """The MCP server as an ASGI application: `Mount("/g2u/mcp", g2u.mcp_app())` in Starlette.

    Args:
        context: Settings of every run; `None` for the defaults.
        hosts: Names that requests may be addressed to, beside those of the own machine.
        **options: Those of `service_of`: `out`, `folder`, `turns`, `images`, and fields of `Context`.
    """
    return McpApp(service_of(context, **options), hosts)
