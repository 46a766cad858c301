"""How the loops did lately, over HTTP: read only, worked out beside the line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, Field

from linecontrol.api.bridge import Bridge, beside
from linecontrol.api.problems import PROBLEM_RESPONSES
from linecontrol.line.assessed import assessed, looks_of

if TYPE_CHECKING:
    from linecontrol.history.aside import Aside
    from linecontrol.line.assembly import Line

SHORTEST_S, LONGEST_S = 60.0, 24 * 3600.0


class AssessmentOut(BaseModel):
    """A loop over a stretch of its history. Figures are null where they are not known; PV units."""

    loop: str = Field(examples=["TIC-303"])
    unit: str = Field(examples=["°C"])
    reason: str = Field(description="Why it could not be judged; empty when it was.")
    duration_s: float | None = None
    good_share: float | None = Field(None, description="Part of the time with a good PV, 0 to 1.")
    service_factor: float | None = Field(None, description="Part of the time in automatic, 0 to 1.")
    mean_error: float | None = Field(None, description="PV less set point, in automatic.")
    sd_error: float | None = None
    iae_per_h: float | None = None
    op_travel_per_h: float | None = Field(None, description="Way of the output in an hour.")
    reversals_per_h: float | None = None
    harris: float | None = Field(None, description="1: no controller could do better. Known where the delay is.")
    period_s: float | None = Field(None, description="Of its swinging.")
    amplitude: float | None = None
    verdict: str | None = Field(None, examples=["tuning"])
    why: str | None = None
    what_to_do: str | None = None
    share: float | None = Field(None, description="What mending it is worth, as a part of its set point's span.")
    sd_possible: float | None = None
    warnings: list[str] = Field(default_factory=list)


def assessment_routes(line: Line, bridge: Bridge, aside: Aside | None) -> APIRouter:
    """The route ``/assessment``."""
    responses: dict[int | str, dict[str, Any]] = {k: v for k, v in PROBLEM_RESPONSES.items() if k in (404, 422)}
    routes = APIRouter(tags=["tuning"], responses=responses)

    @routes.get("/assessment", response_model=list[AssessmentOut])
    @beside
    async def assessment(
        last_s: Annotated[
            float, Query(ge=SHORTEST_S, le=LONGEST_S, description="the newest stretch [line s]")
        ] = 3600.0,
        end: Annotated[
            float | None, Query(ge=0, lt=1e12, allow_inf_nan=False, description="its end, line time; default: now")
        ] = None,
    ) -> Any:
        """Every loop judged over a stretch of its history, first what is most worth mending. Changes nothing."""
        if aside is None:
            raise HTTPException(404, "this line keeps no history on disk")
        looks, now = await bridge.ask(lambda: (looks_of(line), line.clock.now()))
        await bridge.do(line.historian.flush)
        until = now if end is None else end
        return await aside.ask(assessed, looks, until - last_s, until)

    return routes
