"""A signature over HTTP: the password of who signs, given again, and what it stands for."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field

from linecontrol.api.callers import caller_of, noted
from linecontrol.api.people import People
from linecontrol.api.rights import Right
from linecontrol.line.signing import MEANINGS, Signer


class SignedIn(BaseModel):
    """A decision under a signature: the password of who signs, given again, and what it stands for."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=3, max_length=500)
    password: str = Field(max_length=200, repr=False)
    user: str | None = Field(None, max_length=60, description="Only at this computer's command line, and in a demo.")
    lang: Literal["en", "zh"] = Field("en", description="Language of the meaning that is signed; see /signatures.")


async def signature(request: Request, people: People, kind: str, target: dict[str, Any], wish: SignedIn) -> Signer:
    """Who signs for ``kind`` of ``target``, kept in the audit trail whether it is right or not.

    Raises HTTPException where the user may not approve, and what ``People.sign`` raises.
    """
    caller = caller_of(request)
    noted(request, why=wish.reason, new={**target, "user": wish.user or caller.name})
    signer = await people.sign(caller, wish.user, wish.password, request.state.address)
    if (why := signer.why_not(Right.APPROVE)) is not None:
        raise HTTPException(*why)
    meaning = getattr(MEANINGS[kind], wish.lang)
    noted(request, who=signer.actor, new={**target, "user": signer.name, "meaning": meaning})
    return Signer(signer.actor, signer.role.value, meaning)
