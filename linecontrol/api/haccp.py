"""The HACCP plan over HTTP: limits as they stand, deviations and what was done about them, the calibration register."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from linecontrol.api.alarms import By
from linecontrol.api.bridge import Bridge, beside
from linecontrol.api.callers import noted, permit, signed
from linecontrol.api.people import People
from linecontrol.api.problems import responses
from linecontrol.api.rights import Right
from linecontrol.api.signing import SignedIn, signature
from linecontrol.api.wire import Titles
from linecontrol.line.haccp import UnknownDeviation

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

DeviationId = Annotated[str, Path(max_length=60, examples=["D1768190400000-CCP1-moisture"])]


class LimitsOut(BaseModel):
    low: float | None
    high: float | None


class MonitoringOut(BaseModel):
    every_s: float
    how: Titles


class StandardOut(BaseModel):
    name: str
    text_verified: bool
    note: str


class CcpOut(BaseModel):
    """One limit of the plan as it stands."""

    name: str = Field(examples=["CCP1-moisture"])
    kind: Literal["ccp", "oprp"]
    title: Titles
    hazard: Titles | None
    tag: str
    unit: str
    value: float | None
    low: float | None
    high: float | None
    operational: LimitsOut
    guard_band: float
    state: Literal["inside", "operational", "guarded", "outside", "unmeasured", "deviation"] = Field(
        description="operational: inside, but a person should act. guarded: inside by less than the guard band, so the "
        "gate is turned. outside: but nothing good is being made."
    )
    deviation_id: str | None
    diverts: bool
    stage: str
    monitoring: MonitoringOut | None
    corrective_action: Titles | None
    responsible: str
    source: Titles
    standard: StandardOut | None
    checked_by: list[str]
    last_good_check: str | None


class SpoilageOut(BaseModel):
    """Water activity of the powder being bagged, by moisture and temperature; there is no word for safe."""

    outlook: Literal["unknown", "above", "doubtful", "below"]
    aw: float | None
    aw_low: float | None
    aw_high: float | None
    limit: float
    store_c: list[float]
    source: str
    isotherm_source: str


class PlanOut(BaseModel):
    limits: list[CcpOut]
    spoilage: SpoilageOut | None


class DeviationOut(BaseModel):
    """A limit that was broken; what was made from ``since`` to ``until`` is suspect."""

    deviation_id: str
    run_id: str | None
    ccp: str
    kind: str = Field(examples=["ccp"], description="ccp, oprp or interlock")
    stage: str = Field(description="Equipment where it was measured.")
    since: str | None = Field(description="The last good check before it.")
    opened: str | None
    until: str | None = Field(description="Back inside; None: still going on.")
    value: float | None = Field(description="The worst measured.")
    limit: float | None
    unit: str
    text: Titles
    corrective_action: Titles = Field(description="What the plan asks for.")
    responsible: str
    suspect_kg: float = Field(description="Good powder that fell before the gate had turned [kg].")
    state: Literal["open", "acted", "closed"]
    action: str = Field(description="What was done.")
    acted_by: str | None
    acted_at: str | None
    closed_by: str | None
    closed_at: str | None
    note: str


class ActionIn(By):
    """What was done about a deviation, in words."""

    action: str = Field(max_length=1000, examples=["bags 14 to 16 opened, dried again, oven 12.8 %"])


class CheckOut(BaseModel):
    """One item of the register, and whether it is due."""

    name: str = Field(examples=["CAL-MT-306"])
    kind: Literal["calibration", "verification", "cleaning"]
    title: Titles
    tag: str | None
    every_h: float
    how: Titles
    responsible: str
    blocks_start: bool
    due_at: str | None
    due_h: float | None
    is_overdue: bool
    why: Titles
    done_at: str | None
    who: str | None
    result: str | None
    found: str
    certificate: str


class EntryIn(By):
    """That a check was done, with its result. Nothing is overwritten: what was wrong is entered anew."""

    item: str = Field(max_length=40, examples=["METAL-TEST"])
    result: Literal["passed", "failed"]
    done_at: AwareDatetime | None = Field(None, description="When, with its offset from UTC; default: now.")
    found: str = Field("", max_length=1000, description="What was found; needed for a failure.")
    certificate: str = Field("", max_length=200)


def haccp_routes(line: Line, bridge: Bridge, people: People) -> APIRouter:
    """Limits, deviations, register."""
    routes = APIRouter(tags=["haccp"], responses=responses(403, 404, 409, 422, 429))

    def name_of(request: Request, wish: By) -> str:
        return signed(request, wish.who).partition(":")[2]

    @routes.get("/ccp", response_model=PlanOut)
    async def ccp() -> Any:
        """Every critical and operational limit as it stands, and whether the powder being bagged may spoil."""
        return {"limits": line.haccp.plan(), "spoilage": line.quality.view()}

    @routes.get("/deviations", response_model=list[DeviationOut])
    async def deviations(
        run_id: Annotated[str | None, Query(max_length=200, description="only this run")] = None,
        state: Annotated[Literal["open", "acted", "closed"] | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Any:
        """Deviations, newest first."""
        return await line.haccp.deviations(run_id, state, limit)

    @routes.post("/deviations/{deviation_id}/action", response_model=DeviationOut)
    async def act(deviation_id: DeviationId, request: Request, wish: ActionIn) -> Any:
        """Record the corrective action. 409 when it is closed."""
        try:
            noted(request, old=line.haccp.standing(deviation_id))
            return await line.haccp.act(deviation_id, name_of(request, wish), wish.action)
        except UnknownDeviation as error:
            raise HTTPException(404, str(error)) from None

    @routes.post("/deviations/{deviation_id}/close", response_model=DeviationOut)
    @beside
    async def close(deviation_id: DeviationId, request: Request, wish: SignedIn) -> Any:
        """Verify, under a signature, that the action was enough. 409 without a recorded action, or while it goes on."""
        try:
            before = await bridge.ask(lambda: line.haccp.standing(deviation_id))
            noted(request, old=before)
            by = await signature(request, people, "close", {"deviation": deviation_id}, wish)
            return await bridge.do(lambda: line.haccp.verify(deviation_id, by, wish.reason))
        except UnknownDeviation as error:
            raise HTTPException(404, str(error)) from None

    @routes.get("/calibrations", response_model=list[CheckOut])
    async def calibrations() -> Any:
        """Every calibration, verification and cleaning: last done, due, by whom; what is due first."""
        return line.checks.rows()

    @routes.post("/calibrations", status_code=201, response_model=CheckOut)
    async def enter(request: Request, wish: EntryIn) -> Any:
        """Enter that one was done. A calibration is a technician's; a test piece or a magnet anybody's at the line."""
        item = line.checks.items.get(wish.item)
        if item is None:
            raise HTTPException(404, f"there is no check {wish.item!r} on this line")
        permit(request, Right.TUNE if item.kind == "calibration" else Right.OPERATE)
        noted(request, old=line.checks.standing(wish.item))
        return await line.checks.enter(
            wish.item,
            name_of(request, wish),
            result=wish.result,
            done=None if wish.done_at is None else wish.done_at.timestamp(),
            found=wish.found,
            certificate=wish.certificate,
        )

    return routes
