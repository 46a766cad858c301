"""Alarms over HTTP: what stands, what people do about it, what has been, and whether the alarm system is in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from linecontrol.api.callers import noted, signed
from linecontrol.api.problems import PROBLEM_RESPONSES
from linecontrol.api.wire import WHO, LineTime, Titles
from linecontrol.core.model import Value

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

Name = Annotated[str, Path(max_length=120, examples=["TT-305.HIGH"])]
Verb = Literal[
    "raised",
    "cleared",
    "annunciated",
    "acknowledged",
    "silenced",
    "reset",
    "shelved",
    "unshelved",
    "removed",
    "returned",
    "commented",
    "proposed",
]


class By(BaseModel):
    """Who acts. Every act on an alarm is recorded with this name."""

    model_config = ConfigDict(extra="forbid")
    who: str | None = WHO


class Because(By):
    """Who acts, and why."""

    reason: str = Field("", max_length=500, examples=["meter being cleaned"])


class AcknowledgeIn(By):
    """Alarms to acknowledge; without names, all that wait for it. A comment is kept with each."""

    names: list[Annotated[str, Field(max_length=120)]] | None = Field(None, max_length=1000, examples=[["TT-305.HIGH"]])
    comment: str = Field("", max_length=500)


class ShelveIn(Because):
    """Shelve an alarm for a time, with a reason; it comes back by itself."""

    for_s: float = Field(3600.0, allow_inf_nan=False, description="60 s up to 12 h; a critical alarm up to 1 h.")


class CommentIn(By):
    text: str = Field(max_length=500, examples=["belt tightened"])


class CommentOut(BaseModel):
    time: str | None
    who: str
    text: str


class AlarmOut(BaseModel):
    """One alarm as it stands. ``annunciated`` false: another one, its ``first_out``, tells of it."""

    name: str = Field(examples=["TT-305.HIGH"])
    tag: str = Field(examples=["TT-305"], description="What is watched; for an alarm of an event its source.")
    station: str = Field(examples=["drying"], description="line: belongs to no station")
    kind: str = Field(examples=["high"])
    state: str = Field(
        examples=["UNACK"], description="NORM, UNACK, ACKED, RTNUN, LUNAK, LACKD, SHLVD, DSUPR or OOSRV (ISA-18.2)"
    )
    active: bool = Field(description="Whether its condition is there now, also while shelved or out of service.")
    priority: str = Field(examples=["high"], description="low, medium, high or critical")
    latched: bool
    since: str | None = Field(description="When its state last changed.")
    raised_at: str | None
    acked_by: str | None
    acked_at: str | None
    value: Value | None = Field(description="What the tag showed when the alarm came.")
    set_point: float | None
    unit: str
    text: Titles
    consequence: Titles
    action: Titles
    detail: str
    respond_s: float = Field(description="Time a person has to respond [s].")
    group: str | None
    first_out: str | None = Field(description="Name of the alarm that tells of this one.")
    annunciated: bool
    silenced: bool
    shelved_until: str | None
    put_by: str | None = Field(description="Who shelved it or took it out of service.")
    put_why: str | None
    shelve_proposed: str | None = Field(description="Why shelving is proposed; it is never done by itself.")
    nuisance: str | None = Field(examples=["chattering"], description="chattering or fleeting")
    stale: bool = Field(description="Standing for more than a day.")
    comments: list[CommentOut]


class Refused(BaseModel):
    name: str
    reason: str


class AcknowledgedOut(BaseModel):
    acknowledged: list[AlarmOut]
    refused: list[Refused]


class SilencedOut(BaseModel):
    silenced: int


class JournalOut(BaseModel):
    """One thing that happened to an alarm."""

    time: str | None
    name: str
    verb: str = Field(examples=["acknowledged"])
    was: str | None
    state: str | None
    priority: str | None
    who: str | None
    why: str | None
    value: Value | None
    annunciated: bool | None
    first_out: str | None
    text: Titles


class FloodOut(BaseModel):
    began: str | None
    ended: str | None
    alarms: int


class TopOut(BaseModel):
    name: str
    alarms: int


class KpisOut(BaseModel):
    """ISA-18.2 figures. Alarms that another one told of are counted; ``annunciated`` are those a person was told of."""

    hours: float
    alarms: int
    annunciated: int
    per_day: float
    rate_10_min: float
    peak_10_min: int
    peak_annunciated: int
    last_10_min: int
    floods: list[FloodOut]
    in_flood_pct: float
    is_flood: bool
    priorities: dict[str, float] = Field(examples=[{"low": 80.0, "medium": 15.0, "high": 5.0, "critical": 0.0}])
    top: list[TopOut]
    chattering: list[str]
    stale: list[str]


def alarm_routes(line: Line) -> APIRouter:
    """List alarms, act on them, read their journal and their figures."""
    codes = (404, 409, 422)
    routes = APIRouter(
        prefix="/alarms", tags=["alarms"], responses={k: v for k, v in PROBLEM_RESPONSES.items() if k in codes}
    )
    desk = line.alarms

    def known(name: str) -> str:
        if name not in desk.system.alarms:
            raise HTTPException(404, f"there is no alarm {name!r} on this line")
        return name

    def name_of(request: Request, wish: By) -> str:
        return signed(request, wish.who).partition(":")[2]

    async def acted(request: Request, name: str, wish: By, act: Callable[[str], Awaitable[dict[str, Any]]]) -> Any:
        """Do it, and leave in the audit trail what the alarm was before and is after."""
        noted(request, old={"state": desk.row(known(name))["state"]})
        row = await act(name_of(request, wish))
        asked = wish.model_dump(exclude={"who"}, exclude_defaults=True)
        noted(request, new={**asked, "state": row["state"]})
        return row

    @routes.get("", response_model=list[AlarmOut])
    async def alarms(everything: Annotated[bool, Query(alias="all", description="normal ones too")] = False) -> Any:
        """Alarms that are not normal: in alarm, unseen, latched, shelved, suppressed, out of service. Urgent first."""
        return desk.rows(everything=everything)

    @routes.get("/journal", response_model=list[JournalOut])
    async def journal(
        name: Annotated[str | None, Query(max_length=120, description="only this alarm")] = None,
        verb: Annotated[Verb | None, Query(description="only this act")] = None,
        since: LineTime = None,
        until: LineTime = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Any:
        """What happened to alarms, newest first: came, went, told, acknowledged, shelved, by whom and why."""
        return await desk.journal(limit, name=name, verb=verb, since=since, until=until)

    @routes.get("/kpis", response_model=KpisOut)
    async def kpis(hours: Annotated[float, Query(gt=0, le=24)] = 24.0) -> Any:
        """Rate, floods, chattering, stale, the ten most frequent, shares of priorities."""
        return desk.kpis(hours)

    @routes.post("/acknowledge", response_model=AcknowledgedOut)
    async def acknowledge(request: Request, wish: AcknowledgeIn) -> Any:
        """Acknowledge, in alarm or returned to normal. 409 when none of them could be, with the reason of each."""
        for name in wish.names or ():
            known(name)
        before = {row["name"]: row["state"] for row in desk.rows()}
        done = await desk.acknowledge(wish.names, name_of(request, wish), wish.comment)
        after = {row["name"]: row["state"] for row in done["acknowledged"]}
        noted(request, old={name: before.get(name) for name in after}, new=after, why=wish.comment)
        return done

    @routes.post("/silence", response_model=SilencedOut)
    async def silence(request: Request, wish: By) -> Any:
        """Stop the sound. Alarms stay as they are; the next one sounds again."""
        names = await desk.silence(name_of(request, wish))
        noted(request, old={"sounding": names}, new={"sounding": []})
        return {"silenced": len(names)}

    @routes.get("/{name}", response_model=AlarmOut)
    async def alarm(name: Name) -> Any:
        """One alarm."""
        return desk.row(known(name))

    @routes.post("/{name}/shelve", response_model=AlarmOut)
    async def shelve(name: Name, request: Request, wish: ShelveIn) -> Any:
        """Take it from view for a time, with a reason. It goes on being evaluated and recorded."""
        return await acted(request, name, wish, lambda who: desk.shelve(name, who, wish.reason, wish.for_s))

    @routes.post("/{name}/unshelve", response_model=AlarmOut)
    async def unshelve(name: Name, request: Request, wish: Because) -> Any:
        """Bring it back before its time. 409 when it is not shelved."""
        return await acted(request, name, wish, lambda who: desk.unshelve(name, who, wish.reason))

    @routes.post("/{name}/reset", response_model=AlarmOut)
    async def reset(name: Name, request: Request, wish: Because) -> Any:
        """Let a latched alarm go. 409 while its cause is there, while it is not acknowledged, or not latched."""
        return await acted(request, name, wish, lambda who: desk.reset(name, who, wish.reason))

    @routes.post("/{name}/out-of-service", response_model=AlarmOut)
    async def out_of_service(name: Name, request: Request, wish: Because) -> Any:
        """Take it out of service for maintenance, with a reason."""
        return await acted(request, name, wish, lambda who: desk.remove(name, who, wish.reason))

    @routes.post("/{name}/return", response_model=AlarmOut)
    async def return_(name: Name, request: Request, wish: Because) -> Any:
        """Put it back into service. 409 when it is in service."""
        return await acted(request, name, wish, lambda who: desk.return_to_service(name, who, wish.reason))

    @routes.post("/{name}/comment", response_model=AlarmOut)
    async def comment(name: Name, request: Request, wish: CommentIn) -> Any:
        """Write something down about it, in whatever state it is."""
        return await acted(request, name, wish, lambda who: desk.comment(name, who, wish.text))

    return routes
