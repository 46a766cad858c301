"""Log in, unlock, log out; who one is; one's own password and language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from linecontrol.api.bridge import beside
from linecontrol.api.callers import caller_of, noted
from linecontrol.api.gatekeeper import cookie_name
from linecontrol.api.people import LANGUAGES, LIFE_S, People
from linecontrol.api.people_wire import (
    FirstAdmin,
    Language,
    LoggedIn,
    LogIn,
    PasswordChange,
    PasswordReset,
    SessionOut,
    Unlock,
    UserOut,
    Welcome,
    session_view,
    user_view,
)
from linecontrol.api.problems import responses
from linecontrol.api.rights import Role

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line


def session_routes(line: Line, people: People) -> APIRouter:
    """The routes under ``/session``, ``/welcome`` and the first administrator's."""
    routes = APIRouter(tags=["session"], responses=responses(401, 403, 409, 422, 429))
    door = people.door

    @routes.get("/welcome", response_model=Welcome)
    @beside
    async def welcome() -> Any:
        """What a log-in page shows; the only thing besides logging in that anybody may ask for."""
        about = line.config.line
        return {
            "line": about.name,
            "title": {"en": about.title.en, "zh": about.title.zh},
            "simulated": about.simulated,
            "demo": door.demo is not None,
            "needs_admin": people.needs_admin and door.demo is None,
            "roles": list(Role),
            "languages": list(LANGUAGES),
        }

    @routes.post("/session", response_model=LoggedIn, status_code=201)
    @beside
    async def log_in(request: Request, response: Response, wish: LogIn) -> Any:
        """Log in. The token is for ``Authorization: Bearer``; a browser gets it as a cookie too.

        401 says the same for every reason, and takes as long. 429 after too many failures says how long to wait.
        """
        noted(request, new={"user": wish.user if people.user(wish.user) else "(unknown)"})
        old = request.state.caller
        token, caller = await people.log_in(wish.user, wish.password, request.state.address)
        if old is not None and people.session_of(old) is not None and people.user_of(old) == people.user_of(caller):
            await people.log_out(old)  # rotated: the session before this one is over
        noted(request, who=caller.actor, new={"user": caller.name, "session": caller.credential})
        response.set_cookie(
            cookie_name(is_tls=door.tls is not None),
            token,
            max_age=int(LIFE_S),
            path="/",
            secure=door.tls is not None,
            httponly=True,
            samesite="strict",
        )
        return {**session_view(people, caller), "token": token}

    @routes.get("/session", response_model=SessionOut)
    @beside
    async def me(request: Request) -> Any:
        """Who one is, what one may do, whether the session is locked. Keeps no lock away: see the header below.

        A request with the header ``X-Linecontrol-Active: 1`` says that its user has just done something.
        """
        return session_view(people, caller_of(request))

    @routes.post("/session/unlock", response_model=SessionOut)
    @beside
    async def unlock(request: Request, wish: Unlock) -> Any:
        """The user is back at a session that has locked itself; as logging in."""
        await people.unlock(caller_of(request), wish.password, request.state.address)
        return session_view(people, people.as_of_now(caller_of(request)))

    @routes.delete("/session", status_code=204)
    @beside
    async def log_out(request: Request, response: Response) -> None:
        """End the session. Its token is worth nothing from now on; its WebSockets close."""
        await people.log_out(caller_of(request))
        response.delete_cookie(
            cookie_name(is_tls=door.tls is not None),
            path="/",
            secure=door.tls is not None,
            httponly=True,
            samesite="strict",
        )

    @routes.put("/session/password", response_model=SessionOut)
    @beside
    async def password(request: Request, wish: PasswordChange) -> Any:
        """One's own new password. One's other sessions end. 403 when the old one is wrong."""
        caller = caller_of(request)
        noted(request, new={"user": caller.name})
        await people.change_password(caller, wish.password, wish.new_password, request.state.address)
        return session_view(people, people.as_of_now(caller_of(request)))

    @routes.put("/session/language", response_model=SessionOut)
    @beside
    async def language(request: Request, wish: Language) -> Any:
        """The language of one's display."""
        user = people.user_of(caller_of(request))
        noted(request, old={"language": None if user is None else user.language})
        await people.set_language(caller_of(request), wish.language)
        return session_view(people, people.as_of_now(caller_of(request)))

    @routes.post("/users/first", response_model=UserOut, status_code=201)
    @beside
    async def first(request: Request, wish: FirstAdmin) -> Any:
        """Make the first administrator, with the one-time token the controller printed. 409 when there is one."""
        noted(request, new={"name": wish.name, "role": Role.ADMIN})
        row = await people.make_first(wish.token, wish.name, wish.password, request.state.address)
        if wish.language != row.language:
            row = await people.set_language_of(row, wish.language)
        return user_view(people, row)

    @routes.post("/users/reset", response_model=UserOut)
    @beside
    async def reset(request: Request, wish: PasswordReset) -> Any:
        """A new password, for the one-time token an administrator handed over. 401 says the same for every reason."""
        noted(request, new={"name": wish.name if people.user(wish.name) else "(unknown)"})
        row = await people.use_reset(wish.token, wish.name, wish.new_password, request.state.address)
        noted(request, who=f"operator:{row.name}")
        return user_view(people, row)

    return routes
