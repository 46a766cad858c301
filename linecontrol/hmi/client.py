"""The display's only way to the line: its API, over HTTP. Who asks is a Session; its token never reaches a browser."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any

import httpx

DEADLINE_S = 8.0
LOOPBACK = ("127.0.0.1", "::1")
LOG_IN_DEADLINE_S = 30.0
"""A password takes its time to be checked, by design; a busy computer takes longer, and whoever waits has only this."""
LONG_DEADLINE_S = 90.0
"""For what is worked out from a whole history."""
PAPER_DEADLINE_S = 60.0


class ApiError(Exception):
    """The API answered no. ``detail`` is its sentence, ``errors`` its rows (RFC 9457)."""

    def __init__(self, status: int, detail: str, errors: list[dict[str, Any]] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors = status, detail, errors or []


class ApiGone(ApiError):
    """The API did not answer."""

    def __init__(self, detail: str) -> None:
        super().__init__(0, detail)


class ApiSlow(ApiGone):
    """The API was reached and did not answer in time. Of a change nobody knows whether it was made."""


@dataclass
class Session:
    """Somebody at a browser, as the API knows them.

    Attributes:
        rights: words of the API's role table.
        is_demo: a demo user, to be marked on the screen.
        is_locked: idle too long; only what halts is left until unlocked.
        address: where the browser is.
    """

    token: str = ""
    user: str = ""
    role: str = ""
    rights: frozenset[str] = frozenset()
    language: str = ""
    is_demo: bool = False
    is_locked: bool = False
    address: str = ""
    asked_at: float = float("-inf")
    """When the API was last asked who this is [s, monotonic]."""

    @property
    def is_in(self) -> bool:
        return bool(self.user)

    def may(self, right: str) -> bool:
        """Whether this right is held; the empty right is anybody's who is in."""
        return self.is_in and (not right or right in self.rights)

    def take(self, row: Mapping[str, Any]) -> None:
        """Be whom the API says."""
        self.token = str(row.get("token") or self.token)
        self.user, self.role = str(row.get("user", "")), str(row.get("role", ""))
        self.rights = frozenset(row.get("rights", ()))
        self.language = str(row.get("language") or self.language)
        self.is_demo, self.is_locked = bool(row.get("demo")), bool(row.get("locked"))

    def forget(self) -> None:
        self.token = self.user = self.role = ""
        self.rights = frozenset()
        self.is_demo = self.is_locked = False


@dataclass
class Api:
    """Asks the API. Raises ApiGone when it does not answer, ApiError with its sentence when it refuses."""

    url: str
    access: Path | None = None
    """Where a controller of this account keeps what it tells this computer's own programs."""
    certificate: Path | None = None
    """What the API shows over TLS; None = it is trusted as everybody trusts."""
    has_answered: bool = False  # whether it is known who is in
    tls: ssl.SSLContext | None = field(init=False)
    _http: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.tls = _only(self.certificate) if self.url.startswith("https:") and self.certificate else None
        nobodys = CookieJar(DefaultCookiePolicy(allowed_domains=()))  # one client for all browsers: it must keep none
        self._http = httpx.AsyncClient(
            base_url=self.url, trust_env=False, timeout=DEADLINE_S, cookies=nobodys, verify=self.tls or True
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        session: Session | None = None,
        *,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        active: bool | None = None,
        patience_s: float = DEADLINE_S,
    ) -> Any:
        """The JSON answer; None for an empty one.

        ``active``: a person has just done something, which keeps their session from locking; by default every change.
        """
        headers = self._headers(session)
        if method != "GET" if active is None else active:
            headers["X-Linecontrol-Active"] = "1"
        answer = await self._answer(method, path, headers, body, params, patience_s)
        return answer.json() if answer.content else None

    async def file(self, path: str, session: Session, params: Mapping[str, Any]) -> bytes:
        """A file the API makes. Raises ApiError."""
        return (await self._answer("GET", path, self._headers(session), None, params, LONG_DEADLINE_S)).content

    async def _answer(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: Any,
        params: Mapping[str, Any] | None,
        patience_s: float,
    ) -> httpx.Response:
        try:
            answer = await self._http.request(
                method, path, json=body, params=params, headers=headers, timeout=patience_s
            )
        except httpx.ReadTimeout as error:
            raise ApiSlow(f"no answer to {method} {path} in {patience_s:g} s") from error
        except httpx.HTTPError as error:
            raise ApiGone(f"{type(error).__name__}: {error}") from error
        if answer.is_success:
            return answer
        raise refusal(answer)

    def _headers(self, session: Session | None) -> dict[str, str]:
        found: dict[str, str] = {}
        if session is None:
            return found
        if session.token:
            found["Authorization"] = f"Bearer {session.token}"
        if session.address and (secret := self._kept("display.secret")):
            found |= {"X-Linecontrol-Client": session.address, "X-Linecontrol-Display": secret}
        return found

    def _kept(self, name: str) -> str:
        """A token the controller keeps for programs of its account; empty when there is none."""
        if self.access is None:
            return ""
        try:
            return (self.access / name).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return ""

    @property
    def demo_token(self) -> str:
        """The demo user's token: only a demo has one, and only the demo logs anybody in by itself."""
        return self._kept("demo.token")

    async def get(self, path: str, session: Session | None = None, **params: Any) -> Any:
        return await self.ask("GET", path, session, params=params or None)

    async def paper(self, path: str, session: Session | None = None, **params: Any) -> bytes:
        """A document as it is, to be handed to a person. It may take its time."""
        try:
            answer = await self._http.get(path, params=params, headers=self._headers(session), timeout=PAPER_DEADLINE_S)
        except httpx.HTTPError as error:
            raise ApiGone(f"{type(error).__name__}: {error}") from error
        if answer.is_success:
            return answer.content
        raise refusal(answer)

    async def post(self, path: str, body: Any, session: Session | None = None) -> Any:
        return await self.ask("POST", path, session, body=body)

    # -- who asks
    async def me(self, session: Session, *, active: bool = False) -> None:
        """Bring a session up to date; it is out when the API no longer knows its token."""
        session.asked_at = time.monotonic()
        if not session.token and session.address in LOOPBACK:
            session.token = self.demo_token
        try:
            session.take(await self.ask("GET", "/session", session, active=active))
        except ApiError as error:
            if error.status not in (401, 403):
                raise
            session.forget()
        self.has_answered = True

    async def log_in(self, session: Session, user: str, password: str) -> None:
        """Raises ApiError with the API's reason when it does not let them in."""
        body = {"user": user, "password": password}
        session.take(await self.ask("POST", "/session", body=body, patience_s=LOG_IN_DEADLINE_S))

    async def unlock(self, session: Session, password: str) -> None:
        await self.post("/session/unlock", {"password": password}, session)
        session.is_locked = False

    async def log_out(self, session: Session) -> None:
        """Out, also when the API cannot be told."""
        try:
            await self.ask("DELETE", "/session", session)
        except ApiError:
            pass
        finally:
            session.forget()

    async def keep_language(self, session: Session, language: str) -> None:
        """Remember a person's language; it is shown in any case."""
        session.language = language
        if session.token:
            try:
                await self.ask("PUT", "/session/language", session, body={"language": language})
            except ApiError:
                return


def _only(certificate: Path) -> ssl.SSLContext:
    """Trust in this very certificate, whoever signed it and whatever names are in it."""
    context = ssl.create_default_context(cafile=str(certificate))
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False
    return context


def refusal(answer: httpx.Response) -> ApiError:
    """What an unsuccessful answer says."""
    try:
        row = answer.json()
        return ApiError(answer.status_code, str(row["detail"]), row.get("errors"))
    except (ValueError, KeyError, TypeError):
        return ApiError(answer.status_code, f"{answer.status_code} {answer.reason_phrase}")
