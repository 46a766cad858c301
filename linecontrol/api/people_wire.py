"""What users, sessions, tokens and the audit trail look like on the wire."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from linecontrol.api.callers import Caller
from linecontrol.api.passwords import LONGEST, SHORTEST
from linecontrol.api.people import People
from linecontrol.api.rights import PAGES, WHILE_LOCKED, Right, Role
from linecontrol.history import AuditRow, SessionRow, TokenRow, UserRow
from linecontrol.line.run_view import iso

_NAME = Field(min_length=1, max_length=60, examples=["li"])
_GIVEN = Field(max_length=512, examples=["correct horse battery"])
_NEW = Field(max_length=512, examples=["correct horse battery"], description=f"{SHORTEST} to {LONGEST} characters")
_REASON = Field("", max_length=500)


def _forbid(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [example]})


class LogIn(BaseModel):
    model_config = _forbid({"user": "li", "password": "correct horse battery"})
    user: str = Field(max_length=200)
    password: str = _GIVEN


class Unlock(BaseModel):
    model_config = _forbid({"password": "correct horse battery"})
    password: str = _GIVEN


class PasswordChange(BaseModel):
    model_config = _forbid({"password": "correct horse battery", "new_password": "an even better one"})
    password: str = _GIVEN
    new_password: str = _NEW


class Language(BaseModel):
    model_config = _forbid({"language": "zh"})
    language: Literal["en", "zh"]


class FirstAdmin(BaseModel):
    """The first administrator, made once with the token the controller printed at its start."""

    model_config = _forbid({"token": "lcf_…", "name": "wang", "password": "correct horse battery"})
    token: str = Field(max_length=200)
    name: str = _NAME
    password: str = _NEW
    language: Literal["en", "zh"] = "en"


class PasswordReset(BaseModel):
    """A new password for a one-time token that an administrator has handed over."""

    model_config = _forbid({"token": "lcr_…", "name": "li", "new_password": "an even better one"})
    token: str = Field(max_length=200)
    name: str = Field(max_length=200)
    new_password: str = _NEW


class ResetReason(BaseModel):
    model_config = _forbid({"reason": "forgot it"})
    reason: str = _REASON


class ResetToken(BaseModel):
    token: str = Field(examples=["lcr_…"], description="Shown once, good once")
    name: str = _NAME
    expires_at: str | None


class UserIn(BaseModel):
    model_config = _forbid({"name": "li", "role": "operator", "password": "correct horse battery", "language": "zh"})
    name: str = _NAME
    role: Role
    password: str = _NEW
    language: Literal["en", "zh"] = "en"
    reason: str = _REASON


class UserChange(BaseModel):
    """What is left out stays. The user's sessions end."""

    model_config = _forbid({"role": "technician", "reason": "tunes the dryer from now on"})
    role: Role | None = None
    is_enabled: bool | None = None
    password: str | None = Field(None, max_length=512)
    reason: str = _REASON


class UserOut(BaseModel):
    name: str = _NAME
    role: Role
    language: str
    is_enabled: bool
    created_at: str | None
    sessions: int = Field(description="How many are open")


class Welcome(BaseModel):
    """What a log-in page shows to whom it does not know yet."""

    line: str = Field(examples=["demo"])
    title: dict[str, str]
    simulated: bool
    demo: bool = Field(description="Everybody at this computer is the demo user")
    needs_admin: bool = Field(description="No administrator yet: make the first with POST /users/first")
    roles: list[Role]
    languages: list[str]


class SessionOut(BaseModel):
    """Who one is, and what one may do."""

    user: str = Field(examples=["li"])
    role: Role
    rights: list[Right] = Field(description="As of now: those of a locked session are fewer")
    all_rights: list[Right] = Field(description="Those of the role, once unlocked")
    pages: list[str] = Field(examples=[["/", "/run"]], description="Pages of the display it may see")
    language: str | None = Field(examples=["zh"], description="null for scripts and the command line")
    kind: str = Field(examples=["session"], description="session, token, console or demo")
    session: str | None = Field(examples=["4f1c0a92d3b8e761"])
    locked: bool
    locks_in_s: float | None = Field(description="null = never by itself")
    demo: bool


class LoggedIn(SessionOut):
    token: str = Field(examples=["lcs_…"], description="Shown once; Authorization: Bearer <token>")


class OpenSession(BaseModel):
    id: str
    user: str
    role: Role
    created_at: str | None
    seen_at: str | None
    address: str
    locked: bool


class TokenIn(BaseModel):
    model_config = _forbid({"name": "lims", "role": "operator", "scope": ["view", "lab"], "days": 90})
    name: str = Field(min_length=1, max_length=60, pattern=r"^[\w .@-]+$")
    role: Role
    scope: list[Right] = Field(default_factory=list, max_length=20, description="Narrower than the role; empty = all")
    days: float | None = Field(90.0, gt=0, le=3660, allow_inf_nan=False, description="null = until revoked")
    reason: str = _REASON


class TokenOut(BaseModel):
    id: str
    name: str
    role: Role
    scope: list[Right]
    made_by: str
    created_at: str | None
    expires_at: str | None


class NewToken(TokenOut):
    token: str = Field(examples=["lct_…"], description="Shown once")


class AuditOut(BaseModel):
    """One change that was asked for."""

    number: int = Field(description="Counts up by one order")
    time: str | None = Field(description="Line time")
    who: str = Field(examples=["operator:li"])
    role: str
    session: str
    address: str
    action: str = Field(examples=["POST /runs/{run_id}/commands"])
    target: str = Field(examples=["/runs/20260112-063000-lobata/commands"])
    old: str | None
    new: str | None
    why: str
    outcome: str = Field(examples=["done"], description="done, repeated, refused, denied or failed")
    detail: str


def session_view(people: People, caller: Caller) -> dict[str, Any]:
    row, user = people.session_of(caller), people.user_of(caller)
    now = {right for right in caller.rights if not caller.is_locked or right in WHILE_LOCKED}
    kind, _, number = caller.credential.partition(":")
    return {
        "user": caller.name,
        "role": caller.role,
        "rights": sorted(now),
        "all_rights": sorted(caller.rights),
        "pages": [page for page, right in PAGES.items() if right in caller.rights],
        "language": None if user is None else user.language,
        "kind": kind,
        "session": number if kind == "session" else None,
        "locked": caller.is_locked,
        "locks_in_s": None if row is None else round(max(0.0, people.locks_in_s(row, caller.role)), 1),
        "demo": caller.is_demo,
    }


def user_view(people: People, row: UserRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "role": row.role,
        "language": row.language,
        "is_enabled": row.is_enabled,
        "created_at": iso(row.created_at),
        "sessions": sum(one.user_id == row.id for one in people.sessions.values()),
    }


def open_session_view(people: People, row: SessionRow) -> dict[str, Any] | None:
    """None for a session that is over and only not yet forgotten."""
    user = next((user for user in people.users.values() if user.id == row.user_id), None)
    if user is None:
        return None
    return {
        "id": row.id,
        "user": user.name,
        "role": user.role,
        "created_at": iso(row.created_at),
        "seen_at": iso(row.seen_at),
        "address": row.address,
        "locked": people.locks_in_s(row, Role(user.role)) <= 0.0,
    }


def token_view(row: TokenRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "role": row.role,
        "scope": list(row.scope),
        "made_by": row.made_by,
        "created_at": iso(row.created_at),
        "expires_at": iso(row.expires_at),
    }


def audit_view(row: AuditRow) -> dict[str, Any]:
    names = [name for name in AuditOut.model_fields if name != "time"]
    return {"time": iso(row.time), **{name: getattr(row, name) for name in names}}
