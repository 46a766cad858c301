"""How the display may be reached: by which names, with what headers, and never through a foreign page.

As tight as NiceGUI allows: Vue compiles its templates in the browser, hence ``unsafe-eval``; Quasar and the charts
place things by ``style`` attributes, hence ``style-src-attr``. Scripts and style elements within a page count only with
the page's own nonce, which NiceGUI's template is given before anything is filled in, so that no text that becomes
markup can bear it. Nothing is loaded from elsewhere, no page may frame this one, and a foreign page's request or
WebSocket is refused.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from jinja2 import BaseLoader, Environment
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "::1")
EMPTY = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
"""Of nothing: NiceGUI writes an element for the styles of Vue components, and no component here has any."""
POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "style-src-elem 'self' 'nonce-{nonce}' {empty}; style-src-attr 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
NONCE = "linecontrol.nonce"
"""Where a request's scope keeps its page's nonce."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class WithNonce(BaseLoader):
    """Another loader's templates, each ``script`` in them with the page's nonce."""

    def __init__(self, inner: BaseLoader) -> None:
        self._inner = inner

    def get_source(self, environment: Environment, template: str) -> tuple[str, str | None, Callable[[], bool] | None]:
        source, path, is_fresh = self._inner.get_source(environment, template)
        nonce = f"nonce=\"{{{{ request.scope['{NONCE}'] }}}}\""
        for element in ("script", "style"):
            source = source.replace(f"<{element}", f"<{element} {nonce}")
        return source, path, is_fresh


@dataclass(frozen=True)
class Doors:
    """Host names, and whether it listens beyond loopback and over TLS."""

    names: tuple[str, ...] = ()
    is_open: bool = False
    has_tls: bool = False

    def is_own_host(self, host: str) -> bool:
        """False for a name that was rebound to this computer's address in somebody's browser."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if name in LOOPBACK:
            return True
        if not self.is_open:
            return False
        return name in {one.lower() for one in self.names} or name == socket.gethostname().lower() or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class OwnPagesOnly:
    """Refuses what a foreign page asks through somebody's browser, and a host name that is not ours; adds headers."""

    def __init__(self, app: ASGIApp, doors: Doors) -> None:
        self._app, self._doors = app, doors
        more = {"Strict-Transport-Security": "max-age=31536000"} if doors.has_tls else {}
        self._headers = [(key.encode(), value.encode()) for key, value in (HEADERS | more).items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        if not self._is_own(headers):
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008})
            else:
                await Response("foreign host or origin", 403)(scope, receive, send)
            return

        nonce = scope[NONCE] = secrets.token_urlsafe(16)
        policy = (b"content-security-policy", POLICY.format(nonce=nonce, empty=EMPTY).encode())

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], policy, *self._headers]
            await send(message)

        await self._app(scope, receive, with_headers)

    def _is_own(self, headers: dict[str, str]) -> bool:
        host = headers.get("host", "")
        if not self._doors.is_own_host(host):
            return False
        origin = headers.get("origin")
        if origin is None:
            return True
        try:
            found = urlsplit(origin)
        except ValueError:
            return False
        return found.netloc == host and found.scheme == ("https" if self._doors.has_tls else "http")
