"""Interlocks over HTTP: how each stands with its value and limit, bypassing one, resetting a latched one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Request
from pydantic import BaseModel, Field

from linecontrol.api.alarms import Because
from linecontrol.api.callers import noted, signed
from linecontrol.api.problems import responses
from linecontrol.api.wire import Titles

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

Name = Annotated[str, Path(max_length=40, examples=["IL-301"])]


class BypassIn(Because):
    """Set an interlock out of action for a time. A reason must be given; it ends by itself."""

    for_s: float = Field(1800.0, allow_inf_nan=False, description="60 s up to the interlock's own bypass_s [line s].")


class RefusesOut(BaseModel):
    tag: str
    above: float | None
    below: float | None


class BypassOut(BaseModel):
    who: str
    reason: str
    since: str | None
    until: str | None
    left_s: float


class InterlockOut(BaseModel):
    """A condition as it stands, what is refused or done while it is not met, and what clears it."""

    name: str = Field(examples=["IL-301"])
    station: str
    title: Titles
    purpose: Titles
    measured: str = Field(examples=["FT-307"], description="A tag, or arithmetic over tags.")
    called: Titles = Field(description="What people call what is measured; the same where it has no words.")
    value: float | None = Field(description="None: not measured well.")
    low: float | None
    high: float | None
    unit: str
    state: Literal["blocking", "bypassed", "met", "idle"] = Field(description="idle: it has no meaning now.")
    is_met: bool
    since: str | None
    why: Titles | None
    clears: Titles
    refuses: list[RefusesOut]
    then: list[str] = Field(examples=[["hold"]], description="start, hold, stop, divert")
    is_latched: bool
    can_reset: bool
    bypass_s: float = Field(description="Longest bypass [s]; 0: it cannot be bypassed.")
    bypass: BypassOut | None
    source: str


def interlock_routes(line: Line) -> APIRouter:
    """List, bypass, reset."""
    routes = APIRouter(prefix="/interlocks", tags=["interlocks"], responses=responses(404, 409, 422))

    def known(name: str) -> str:
        if name not in line.interlocks.system.standings:
            raise HTTPException(404, f"there is no interlock {name!r} on this line")
        return name

    def name_of(request: Request, wish: Because) -> str:
        return signed(request, wish.who).partition(":")[2]

    async def acted(request: Request, name: str, wish: Because, act: Callable[[str], Awaitable[dict[str, Any]]]) -> Any:
        """Do it, and leave in the audit trail what the interlock was before and is after."""
        noted(request, old={"state": line.interlocks.row(known(name))["state"]})
        row = await act(name_of(request, wish))
        noted(request, new={**wish.model_dump(exclude={"who"}, exclude_defaults=True), "state": row["state"]})
        return row

    @routes.get("", response_model=list[InterlockOut])
    async def interlocks() -> Any:
        """Every interlock, those that block first."""
        return line.interlocks.rows()

    @routes.get("/{name}", response_model=InterlockOut)
    async def interlock(name: Name) -> Any:
        """One interlock."""
        return line.interlocks.row(known(name))

    @routes.post("/{name}/bypass", response_model=InterlockOut)
    async def bypass(name: Name, request: Request, wish: BypassIn) -> Any:
        """Set it out of action for a time. 409 for one that has no bypass, 422 for a time too long or no reason."""
        return await acted(request, name, wish, lambda who: line.interlocks.bypass(name, who, wish.reason, wish.for_s))

    @routes.post("/{name}/bypass/end", response_model=InterlockOut)
    async def end_bypass(name: Name, request: Request, wish: Because) -> Any:
        """End a bypass before its time. 409 when there is none."""
        return await acted(request, name, wish, lambda who: line.interlocks.end_bypass(name, who, wish.reason))

    @routes.post("/{name}/reset", response_model=InterlockOut)
    async def reset(name: Name, request: Request, wish: Because) -> Any:
        """Let a latched one go whose cause is gone. 409 while it is not, or when it is not latched."""
        return await acted(request, name, wish, lambda who: line.interlocks.reset(name, who, wish.reason))

    return routes
