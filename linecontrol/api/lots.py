"""Root lots over HTTP: register, tip into the hopper, and recall."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from linecontrol.api.bridge import Bridge, beside
from linecontrol.api.callers import noted, signed
from linecontrol.api.problems import responses
from linecontrol.api.wire import WHO
from linecontrol.history.trace import NO_LOT, bags_of_lot
from linecontrol.line.lots import lot_view, use_view
from linecontrol.line.run_view import iso

if TYPE_CHECKING:
    from linecontrol.history.aside import Aside
    from linecontrol.line.assembly import Line


class LotIn(BaseModel):
    """A lot of roots as it was received. It is never changed afterwards."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"lot_id": "YY-0112", "species": "lobata", "received_kg": 1200}]},
    )
    lot_id: str = Field(max_length=60, description="Its name, unique on the line.")
    species: str = Field(max_length=100, examples=["Pueraria lobata"])
    received_kg: float = Field(gt=0, allow_inf_nan=False)
    received_at: AwareDatetime | None = Field(None, description="Default: now.")
    origin: str = Field("", max_length=200)
    grower: str = Field("", max_length=200)
    harvested: str = Field("", max_length=10, description="Date, as 2026-01-10.")
    season: str = Field("", max_length=60)
    note: str = Field("", max_length=500)
    who: str | None = WHO


class LotUseIn(BaseModel):
    """From a time on, this lot is tipped into the hopper."""

    model_config = ConfigDict(extra="forbid")
    lot: str = Field(max_length=60)
    from_at: AwareDatetime | None = Field(None, description="Default: now. Bags that are closed are told again.")
    note: str = Field("", max_length=500)
    who: str | None = WHO


def lot_routes(line: Line, bridge: Bridge, aside: Aside | None) -> APIRouter:
    """The routes under ``/lots``, and the lots of a run."""
    routes = APIRouter(tags=["lots and bags"], responses=responses(404, 409, 422))

    @routes.get("/lots")
    async def lots() -> list[dict[str, Any]]:
        """Every lot on record, oldest first."""
        return [lot_view(lot) for lot in line.lots.lots.values()]

    @routes.post("/lots", status_code=201)
    async def add(request: Request, wish: LotIn) -> dict[str, Any]:
        """Register a lot. 409 when the name is taken."""
        received = None if wish.received_at is None else wish.received_at.timestamp()
        facts = wish.model_dump(exclude={"who", "received_at"})
        return lot_view(await line.lots.add(**facts, received_at=received, who=signed(request, wish.who)))

    @routes.get("/lots/{lot_id}")
    @beside
    async def recall(lot_id: str) -> dict[str, Any]:
        """Recall: every closed bag that holds powder of this lot, and how much.

        ``unnamed_bags``: how many bags hold powder of roots that nobody named; some may be of this lot as well.
        """
        if aside is None:
            raise HTTPException(404, "this line keeps no history on disk")
        if not await bridge.ask(lambda: lot_id in line.lots.lots):
            raise HTTPException(404, f"there is no lot {lot_id!r}")
        await bridge.do(line.historian.flush)
        lot, bags = await aside.ask(bags_of_lot, lot_id)
        _, unnamed = await aside.ask(bags_of_lot, NO_LOT)
        rows = [
            {
                "bag_id": one.bag.bag_id,
                "run_id": one.bag.run_id,
                "status": one.bag.status,
                "closed_at": iso(one.bag.closed_at),
                "weight_kg": one.bag.weight_kg,
                "share": one.share,
                "kg": one.kg,
            }
            for one in bags
        ]
        kg = round(sum(one.kg for one in bags), 3)
        return {**lot_view(lot), "bags": rows, "bags_kg": kg, "unnamed_bags": len(unnamed)}

    @routes.post("/runs/{run_id}/lots", status_code=201)
    async def use(request: Request, run_id: str, wish: LotUseIn) -> dict[str, Any]:
        """A change of lots at the hopper of the run in hand."""
        at = None if wish.from_at is None else wish.from_at.timestamp()
        who = signed(request, wish.who)
        noted(request, old={"lot": line.lots.uses[-1].lot_id if line.lots.uses else None})
        return use_view(await line.lots.use(run_id, wish.lot, who=who, from_at=at, note=wish.note))

    return routes
