"""Who asks: what a token turns into, and how an endpoint learns of it."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException
from starlette.requests import HTTPConnection

from linecontrol.api.rights import WHILE_LOCKED, Right, Role

LOCKED = "this session is locked: nobody was at it for a while. Give the password again; Hold and Stop still work"


@dataclass(frozen=True, slots=True)
class Caller:
    """A person at a session, a script with a token, or somebody at this computer's command line.

    Attributes:
        name: of the person or script. actor: as history keeps it, ``operator:li`` or ``script:lims``.
        credential: what it is known by, for the audit trail: ``session:4f…``, ``token:9a…``, ``console``, ``demo``.
        is_locked: nobody was there for a while; rights are those of a locked session.
        may_speak_for_others: the command line signs in whatever name its user gives.
    """

    name: str
    role: Role
    rights: frozenset[Right]
    actor: str
    credential: str
    is_locked: bool = False
    may_speak_for_others: bool = False
    is_demo: bool = False

    def why_not(self, right: Right) -> tuple[int, str] | None:
        """Status and sentence of a refusal; None = it may."""
        if right not in self.rights:
            return 403, f"the role {self.role} has no right to {right}"
        if self.is_locked and right not in WHILE_LOCKED:
            return 423, LOCKED
        return None


def caller_of(request: HTTPConnection) -> Caller:
    """Who asks. The gatekeeper has let it through."""
    caller: Caller = request.state.caller
    return caller


def permit(request: HTTPConnection, right: Right) -> None:
    """What asks for more than its route does, because of what is in the body. Raises HTTPException 403 or 423."""
    if (why := caller_of(request).why_not(right)) is not None:
        raise HTTPException(*why)


def signed(request: HTTPConnection, who: str | None = None) -> str:
    """The name a change goes under, as history keeps it. ``who`` counts only from who may speak for others."""
    caller = caller_of(request)
    name = f"operator:{who}" if who and caller.may_speak_for_others else caller.actor
    noted(request, who=name)
    return name


def noted(request: HTTPConnection, **facts: Any) -> None:
    """Facts for the audit row of this request: ``who``, ``old``, ``new``, ``why``, ``outcome``; others are ignored."""
    known: dict[str, Any] = request.scope.setdefault("state", {}).setdefault("audit", {})
    known.update(facts)


def new_token(kind: str) -> str:
    """A token nobody can guess; ``kind`` shows in it, so that one that got about is recognised."""
    return f"lc{kind}_{secrets.token_urlsafe(32)}"


def fingerprint(token: str) -> str:
    """What is kept of a token. It has 256 random bits: a plain hash gives nothing to guess from."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
