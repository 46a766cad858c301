"""Every request passes here before anything of it is read: who asks, may they, and what is written down of it.

An ASGI middleware and not a dependency of the routes: what a router has been given, by whomever, is out of reach unless
``rights.py`` names it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import secrets
from collections import Counter
from http.cookies import CookieError, SimpleCookie
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from linecontrol.api.callers import Caller
from linecontrol.api.door import LOOPBACK
from linecontrol.api.limits import BODY_BYTES, STRANGERS, STRANGERS_EACH
from linecontrol.api.matching import Match, match, match_socket
from linecontrol.api.people import People
from linecontrol.api.problems import problem
from linecontrol.api.rights import OPEN_IN_DEMO, WHILE_LOCKED, Right
from linecontrol.api.trail import AuditTrail, as_json, shown
from linecontrol.history import AuditRow

COOKIE = "linecontrol_session"
CSRF_HEADER, CSRF_VALUE = "x-requested-with", "linecontrol"
ACTIVE_HEADER = "x-linecontrol-active"
DISPLAY_HEADER, ADDRESS_HEADER = "x-linecontrol-display", "x-linecontrol-client"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOOK_AGAIN_S = 1.0
"""So often an open WebSocket's right is looked at again."""
_OUTCOMES = {401: "denied", 403: "denied", 423: "denied", 429: "denied"}


class Gatekeeper:
    """Lets through what the table of rights allows to who asks."""

    def __init__(self, app: ASGIApp, people: People, trail: AuditTrail) -> None:
        self._app, self._people, self._trail = app, people, trail
        self._door = people.door
        self._strangers: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, _with_headers(send, is_tls=self._door.tls is not None, path=scope["path"]))
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    # -- requests
    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        state = scope.setdefault("state", {})
        caller, is_by_cookie = self._who(request)
        state["caller"], state["address"] = caller, self._address(request)
        found = match(request.method, scope["path"])
        refusal = self._refusal(request, found, caller, is_by_cookie=is_by_cookie)
        if request.method in SAFE_METHODS:
            if refusal is not None:
                await self._refuse(request, *refusal)(scope, receive, send)
                return
            if caller is not None and request.headers.get(ACTIVE_HEADER):
                self._people.touch(caller)
            await self._app(scope, receive, send)
            return
        if caller is not None:
            if refusal is None:
                self._people.touch(caller)
            await self._audited(request, found, caller, refusal, send)
            return
        address = state["address"]
        if refusal is None and (self._strangers.total() >= STRANGERS or self._strangers[address] >= STRANGERS_EACH):
            refusal = 429, "too many who are not logged in ask at once; try again in a few seconds"
        self._strangers[address] += 1
        try:
            await self._audited(request, found, caller, refusal, send)
        finally:
            self._strangers -= Counter([address])

    def _refusal(
        self, request: Request, found: Match, caller: Caller | None, *, is_by_cookie: bool
    ) -> tuple[int, str] | None:
        if not self._door.is_own_host(request.headers.get("host", "")):
            return 403, "this API does not go by that name; see --name"
        if not self._door.is_own_origin(request.headers):
            return 403, "a page of another origin may not ask this API"
        if found.right is Right.PUBLIC or (self._door.demo is not None and found.route in OPEN_IN_DEMO):
            return None
        if caller is None:
            return 401, "log in first: POST /session, then Authorization: Bearer <token>"
        if found.right is None:
            return (405, "not with this method") if found.is_path else (404, f"there is nothing at {request.url.path}")
        if (why := caller.why_not(found.right)) is not None:
            return why
        if (
            is_by_cookie
            and request.method not in SAFE_METHODS
            and request.headers.get(CSRF_HEADER, "").lower() != CSRF_VALUE
        ):
            return 403, f"a change by cookie needs the header {CSRF_HEADER}: {CSRF_VALUE}"
        if self._trail.is_failing and request.method not in SAFE_METHODS and found.right not in WHILE_LOCKED:
            return 503, "the audit trail cannot be kept; nothing is changed but towards safety"
        return None

    def _refuse(self, request: Request, status: int, why: str) -> ASGIApp:
        answer = problem(request, status, why)
        if status == 401:
            answer.headers["WWW-Authenticate"] = 'Bearer realm="linecontrol"'
        return answer

    def _who(self, connection: HTTPConnection) -> tuple[Caller | None, bool]:
        """Whom the request's token is of, and whether it came by cookie."""
        header = connection.headers.get("authorization")
        if header is not None:
            kind, _, token = header.partition(" ")
            return (self._people.caller(token.strip()) if kind.lower() == "bearer" else None), False
        cookies: SimpleCookie = SimpleCookie()
        try:
            cookies.load(connection.headers.get("cookie", ""))
        except CookieError:
            return None, False
        found = cookies.get(cookie_name(is_tls=self._door.tls is not None))
        return (None, False) if found is None else (self._people.caller(found.value), True)

    def _address(self, connection: HTTPConnection) -> str:
        """Where the person sits; the display on this computer says so for its own."""
        here = connection.client.host if connection.client else ""
        said, secret = connection.headers.get(ADDRESS_HEADER), connection.headers.get(DISPLAY_HEADER)
        if said is None or secret is None or here not in LOOPBACK or not _same(secret, self._door.display):
            return here
        try:
            return str(ipaddress.ip_address(said))
        except ValueError:
            return here

    # -- changes leave a row
    async def _audited(
        self, request: Request, found: Match, caller: Caller | None, refusal: tuple[int, str] | None, send: Send
    ) -> None:
        body, sent = bytearray(), list[Message]()

        async def receive() -> Message:
            message = await request.receive()
            if message["type"] == "http.request" and len(body) <= BODY_BYTES:
                body.extend(message.get("body", b""))
            return message

        async def hold(message: Message) -> None:
            sent.append(message)

        if refusal is not None:
            await self._refuse(request, *refusal)(request.scope, receive, hold)
        else:
            try:
                await self._app(request.scope, receive, hold)
            except Exception:  # whatever it was is in the trail before it is answered as an error
                await self._note(request, found, caller, 500, "internal error", bytes(body))
                raise
        status, detail = _answer(sent)
        await self._note(request, found, caller, status, detail, bytes(body))
        for message in sent:
            await send(message)

    async def _note(
        self, request: Request, found: Match, caller: Caller | None, status: int, detail: str, body: bytes
    ) -> None:
        facts: dict[str, Any] = request.scope["state"].get("audit", {})
        new, why = shown(body)
        if "new" in facts:
            new = as_json(facts["new"])
        outcome = _OUTCOMES.get(status) or ("done" if status < 400 else "refused" if status < 500 else "failed")
        row = AuditRow(
            time=await self._trail.now(),
            who=str(facts.get("who") or (caller.actor if caller else "anonymous"))[:200],
            role=caller.role.value if caller else "",
            session=caller.credential if caller else "",
            address=request.scope["state"]["address"][:60],
            action=(found.route or f"{request.method[:10]} (none)")[:200],
            target=request.scope["path"][:500],
            old=as_json(facts["old"]) if "old" in facts else None,
            new=new,
            why=str(facts.get("why") or why),
            outcome=str(facts.get("outcome") or outcome) if status < 400 else outcome,
            detail=detail[:500],
        )
        await self._trail.write(row, is_stranger=caller is None and status >= 400)

    # -- WebSockets
    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        right = match_socket(scope["path"])
        caller, _ = self._who(connection)
        token_is_good = caller is not None and right is not None and caller.why_not(right) is None
        if not token_is_good or right is None or not self._door.is_own_origin(connection.headers):
            await receive()
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: the answer is 403
            return
        scope.setdefault("state", {})["caller"] = caller
        is_closed = False

        async def watched() -> Message:
            nonlocal is_closed
            getter = asyncio.ensure_future(receive())
            try:
                while True:
                    done, _ = await asyncio.wait({getter}, timeout=LOOK_AGAIN_S)
                    if done and getter.result()["type"] == "websocket.disconnect":
                        return getter.result()
                    now, _ = self._who(connection)  # also of one that never stops talking
                    if now is None or now.why_not(right) is not None:
                        is_closed = True
                        await send({"type": "websocket.close", "code": 1008, "reason": "no longer logged in"})
                        return {"type": "websocket.disconnect", "code": 1008}
                    if done:
                        return getter.result()
            finally:
                getter.cancel()

        async def send_if_open(message: Message) -> None:
            if not is_closed:
                await send(message)

        await self._app(scope, watched, send_if_open)


def cookie_name(*, is_tls: bool) -> str:
    """With TLS a name that browsers take only with Secure and Path=/, and only from this very host."""
    return f"__Host-{COOKIE}" if is_tls else COOKIE


def _answer(sent: list[Message]) -> tuple[int, str]:
    """Status of what was answered, and what it says of why not."""
    status, parts = 500, bytearray()
    for message in sent:
        if message["type"] == "http.response.start":
            status = message["status"]
        elif status >= 400 and len(parts) < BODY_BYTES:
            parts.extend(message.get("body", b""))
    if status < 400:
        return status, ""
    try:
        return status, str(json.loads(bytes(parts)).get("detail", ""))
    except (ValueError, AttributeError):
        return status, ""


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode("utf-8", "replace"), other.encode())


def _with_headers(send: Send, *, is_tls: bool, path: str) -> Send:
    """The same ``send`` with the headers that keep browsers strict."""
    is_page = path == "/docs" or path.startswith("/docs/")
    csp = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        if is_page
        else "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        if path.startswith("/runs/")
        and path.endswith(("/labels", "/evidence"))  # papers: no script, styles of their own
        else "default-src 'none'; "
    ) + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Content-Security-Policy"] = csp
            headers["X-Content-Type-Options"] = "nosniff"
            headers["X-Frame-Options"] = "DENY"
            headers["Referrer-Policy"] = "no-referrer"
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
            headers.setdefault("Cache-Control", "no-store")
            if is_tls:
                headers["Strict-Transport-Security"] = "max-age=31536000"
        await send(message)

    return sending
