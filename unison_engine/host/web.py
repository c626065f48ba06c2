"""HTTP and WebSocket, for browsers and for OSCQuery."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import socket
from urllib.parse import urlsplit

from aiohttp import web

from unison_engine.engine import engine_version
from unison_engine.errors import BadArguments, UnknownAddress
from unison_engine.host.clients import ClientBook
from unison_engine.host.namespace import ATTRIBUTES, WATCHED, Json, Namespace
from unison_engine.host.pages import Handler, Pages
from unison_engine.host.router import Router
from unison_engine.host.websocket import WebSocketPeer


class Web:
    """Speaks HTTP on connections that are handed to it."""

    def __init__(
        self, router: Router, clients: ClientBook, namespace: Namespace, pages: Pages, token: str | None
    ) -> None:
        """Packets that come in WebSockets go to `router`. With a token, every request has to show it."""
        self._router = router
        self._clients = clients
        self._namespace = namespace
        self._token = token
        # Stands for the token where a browser asks by itself, as for a sound that it plays.
        self._session = secrets.token_urlsafe(32)
        self._peers: set[WebSocketPeer] = set()
        application = web.Application()
        application.router.add_get("/panel/session", self._checked(self._begin_session))
        for path, handler in pages.open.items():
            application.router.add_get(path, self._checked(handler, public=True))
        for path, handler in pages.kept.items():
            application.router.add_get(path, self._checked(handler))
        for path, handler in pages.made.items():
            application.router.add_post(path, self._checked(handler))
        application.router.add_get("/{path:.*}", self._get)
        application.on_shutdown.append(self._hang_up)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0, keepalive_timeout=30.0)

    async def open(self) -> None:
        """Be ready for connections."""
        await self._runner.setup()

    async def close(self) -> None:
        """Close all connections."""
        await self._runner.cleanup()

    def protocol(self) -> asyncio.Protocol:
        """What speaks HTTP on one connection."""
        assert self._runner.server is not None
        return self._runner.server()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._runner.server.connections) if self._runner.server else 0

    async def _get(self, request: web.Request) -> web.StreamResponse:
        self._check_origin(request)
        admitted = self._admitted(request)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._open_websocket(request, admitted)
        if request.query_string == "HOST_INFO":
            return self._json(request, self._host_info(request))
        if not admitted:
            raise _unauthorized()
        try:
            told = self._namespace.describe(request.path, request.query_string)
        except UnknownAddress as error:
            raise web.HTTPNotFound(text=str(error)) from error
        except BadArguments as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return web.Response(status=204) if told is None else self._json(request, told)

    def _checked(self, handler: Handler, public: bool = False) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            self._check_origin(request)
            if not (public or self._admitted(request)):
                raise _unauthorized()
            response = await handler(request)
            response.headers.update(_shared(request))
            return response

        return answer

    async def _begin_session(self, request: web.Request) -> web.StreamResponse:
        response = web.Response(status=204)
        if self._token is not None:
            response.set_cookie(_cookie(request), self._session, httponly=True, samesite="Strict")
        return response

    async def _open_websocket(self, request: web.Request, admitted: bool) -> web.StreamResponse:
        local = self._token is None
        peer = WebSocketPeer(self._router, self._clients, self._namespace, request, local, admitted)
        self._peers.add(peer)
        self._namespace.watchers.add(peer)
        try:
            return await peer.run()
        finally:
            self._namespace.watchers.discard(peer)
            self._peers.discard(peer)

    def _host_info(self, request: web.Request) -> Json:
        port = request.get_extra_info("sockname")[1]
        return {
            "NAME": f"Unison {engine_version()}",
            "EXTENSIONS": dict.fromkeys((*sorted(ATTRIBUTES - {"FULL_PATH", "CONTENTS", "TYPE"}), *WATCHED), True),
            "OSC_PORT": port,
            "OSC_TRANSPORT": "UDP" if self._token is None else "TCP",
            "WS_PORT": port,
        }

    @staticmethod
    def _json(request: web.Request, body: Json) -> web.Response:
        return web.json_response(body, headers=_shared(request))

    async def _hang_up(self, application: web.Application) -> None:
        for peer in self._peers:
            peer.close()

    def _admitted(self, request: web.Request) -> bool:
        if self._token is None:
            return True
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        known = request.cookies.get(_cookie(request), "")
        return secrets.compare_digest(given.encode(), self._token.encode()) or secrets.compare_digest(
            known.encode(), self._session.encode()
        )

    def _check_origin(self, request: web.Request) -> None:
        """Any page of the web can make its browser ask this server, under a name of its own or from its own origin."""
        host = urlsplit(f"//{request.host}").hostname or ""
        if not (_is_address(host) or host in {"localhost", socket.gethostname().lower()}):
            raise web.HTTPForbidden(text=f"the Host header is {request.host!r}; ask by address, or as localhost.")
        origin = request.headers.get("Origin")
        if origin is None:
            return
        parts = urlsplit(origin)
        if parts.netloc != request.host and not is_loopback(parts.hostname or ""):
            raise web.HTTPForbidden(text=f"the Origin is {origin!r}; pages from elsewhere are not served.")


def _unauthorized() -> web.HTTPUnauthorized:
    return web.HTTPUnauthorized(text="send the token in a header: Authorization: Bearer TOKEN.")


def _cookie(request: web.Request) -> str:
    """Name of the cookie of a session; browsers share cookies among the ports of a machine."""
    return f"unison-{request.get_extra_info('sockname')[1]}"


def _shared(request: web.Request) -> dict[str, str]:
    """Without this a page whose origin was checked could not read the answer."""
    origin = request.headers.get("Origin")
    return {"Access-Control-Allow-Origin": origin} if origin else {}


def is_loopback(host: str) -> bool:
    """Whether a name or an address means this machine itself."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
