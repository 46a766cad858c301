"""Users, their open sessions, tokens of scripts, and the audit trail over HTTP: an administrator's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request

from linecontrol.api.bridge import Bridge, beside
from linecontrol.api.callers import noted, signed
from linecontrol.api.people import People
from linecontrol.api.people_wire import (
    AuditOut,
    NewToken,
    OpenSession,
    ResetReason,
    ResetToken,
    TokenIn,
    TokenOut,
    UserChange,
    UserIn,
    UserOut,
    audit_view,
    open_session_view,
    token_view,
    user_view,
)
from linecontrol.api.problems import responses
from linecontrol.api.wire import LineTime
from linecontrol.history import Historian, UserRow
from linecontrol.line.run_view import iso

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

DAY_S = 86_400.0


def user_routes(people: People) -> APIRouter:
    """The routes under ``/users`` and ``/sessions``."""
    routes = APIRouter(tags=["users"], responses=responses(404, 409, 422))

    def known(name: str) -> UserRow:
        found = people.user(name)
        if found is None:
            raise HTTPException(404, f"there is no user {name!r}")
        return found

    @routes.get("/users", response_model=list[UserOut])
    @beside
    async def users() -> Any:
        """Everybody who may log in, by name."""
        return [user_view(people, row) for row in sorted(people.users.values(), key=lambda row: row.name)]

    @routes.post("/users", response_model=UserOut, status_code=201)
    @beside
    async def add(request: Request, wish: UserIn) -> Any:
        """A new user. 409 when there is one of this name; 422 says what is wrong with the name or the password."""
        signed(request)
        row = await people.add_user(wish.name, wish.role, wish.password, wish.language)
        return user_view(people, row)

    @routes.get("/users/{name}", response_model=UserOut)
    @beside
    async def one(name: str) -> Any:
        """One user."""
        return user_view(people, known(name))

    @routes.patch("/users/{name}", response_model=UserOut)
    @beside
    async def change(request: Request, name: str, wish: UserChange) -> Any:
        """Another role, a new password, shut out or let in again. The user's sessions end, WebSockets too.

        409 when no administrator would be left.
        """
        old = known(name)
        noted(request, old={"role": old.role, "is_enabled": old.is_enabled})
        row = await people.change_user(name, wish.role, is_enabled=wish.is_enabled, password=wish.password)
        return user_view(people, row)

    @routes.post("/users/{name}/reset", response_model=ResetToken, status_code=201)
    @beside
    async def offer_reset(request: Request, name: str, wish: ResetReason) -> Any:
        """A one-time token with which a user chooses a new password: nobody else need ever know one.

        It is shown once and good for a day. The token before it is void; the password holds until it is used.
        """
        signed(request)
        row = known(name)
        noted(request, new={"name": row.name}, why=wish.reason)
        token, ends = people.offer_reset(name)
        return {"token": token, "name": row.name, "expires_at": iso(ends)}

    @routes.delete("/users/{name}", status_code=204)
    @beside
    async def remove(request: Request, name: str) -> None:
        """Remove a user. What was done under the name stays on record; 409 for the only administrator."""
        old = known(name)
        noted(request, old={"name": old.name, "role": old.role})
        await people.remove_user(name)

    @routes.get("/sessions", response_model=list[OpenSession])
    @beside
    async def sessions() -> Any:
        """Open sessions, oldest first."""
        rows = sorted(people.sessions.values(), key=lambda row: row.created_at)
        return [view for row in rows if (view := open_session_view(people, row)) is not None]

    @routes.delete("/sessions/{session_id}", status_code=204)
    @beside
    async def end(request: Request, session_id: str) -> None:
        """End somebody's session; its token is worth nothing from now on."""
        row = people.sessions.get(session_id)
        if row is None:
            raise HTTPException(404, f"there is no open session {session_id!r}")
        noted(request, old=open_session_view(people, row))
        await people.end_session(session_id)

    return routes


def token_routes(people: People) -> APIRouter:
    """The routes under ``/tokens``."""
    routes = APIRouter(prefix="/tokens", tags=["users"], responses=responses(404, 409, 422))

    @routes.get("", response_model=list[TokenOut])
    @beside
    async def tokens() -> Any:
        """Tokens of scripts, oldest first; never the tokens themselves."""
        return [token_view(row) for row in sorted(people.tokens.values(), key=lambda row: row.created_at)]

    @routes.post("", response_model=NewToken, status_code=201)
    @beside
    async def add(request: Request, wish: TokenIn) -> Any:
        """A token for a script. It is shown once. Give it the narrowest role and scope that do."""
        by = signed(request)
        lasts_s = None if wish.days is None else wish.days * DAY_S
        token, row = await people.add_token(wish.name, wish.role, tuple(wish.scope), by, lasts_s)
        return {**token_view(row), "token": token}

    @routes.delete("/{token_id}", status_code=204)
    @beside
    async def revoke(request: Request, token_id: str) -> None:
        """Revoke a token. It is worth nothing from now on."""
        if token_id not in people.tokens:
            raise HTTPException(404, f"there is no token {token_id!r}")
        noted(request, old=token_view(people.tokens[token_id]))
        await people.remove_token(token_id)

    return routes


def audit_routes(line: Line, bridge: Bridge) -> APIRouter:
    """The route ``/audit``."""
    routes = APIRouter(tags=["audit"], responses=responses(404, 422))

    @routes.get("/audit", response_model=list[AuditOut])
    @beside
    async def audit(
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        since: LineTime = None,
        until: LineTime = None,
        who: Annotated[str | None, Query(max_length=200, description="e.g. operator:li")] = None,
        action: Annotated[str | None, Query(max_length=200, description="e.g. POST /commands")] = None,
        outcome: Annotated[str | None, Query(max_length=20, description="e.g. denied")] = None,
        before: Annotated[int | None, Query(ge=0, le=2**62, description="only rows with a smaller number")] = None,
    ) -> Any:
        """The audit trail, newest first: one row for every change that was asked for, also when it was refused."""
        historian = line.historian
        if not isinstance(historian, Historian):
            raise HTTPException(404, "this line keeps no history on disk")
        rows = await bridge.do(
            lambda: historian.audit(
                since=since, until=until, limit=limit, who=who, action=action, outcome=outcome, before=before
            )
        )
        return [audit_view(row) for row in rows]

    return routes
