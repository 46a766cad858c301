"""Set-point advice over HTTP: asked for freely, taken only in a person's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from linecontrol.api.bridge import Bridge, beside
from linecontrol.api.callers import noted, signed
from linecontrol.api.problems import PROBLEM_RESPONSES, problem
from linecontrol.api.wire import WHO, receipt_row
from linecontrol.core.errors import StateError
from linecontrol.core.model import Command, Outcome
from linecontrol.line.sp_advice import RISK, advice_of, check_taken, run_advice

if TYPE_CHECKING:
    from linecontrol.history.aside import Aside
    from linecontrol.line.assembly import Line


class AdviceOut(BaseModel):
    """The highest set point that keeps the risk, and what it stands on. ``set_point`` is null when there is none."""

    model_config = ConfigDict(extra="allow")
    run_id: str
    loop: str = Field(examples=["MIC-306"])
    unit: str = Field(examples=["% wb"])
    limit: float = Field(examples=[14.0], description="The critical limit.")
    most: float = Field(examples=[13.5], description="What no spread can lift it above: limit - margin, loop's limit.")
    present: float | None = Field(examples=[12.8], description="Working set point at the end of the record.")
    hours: float = Field(description="In control, settled.")
    stands_on: str = Field(examples=["estimate"], description="estimate or meter")
    set_point: float | None = Field(examples=[13.15])
    reason: str = Field(description="Why there is none.")
    risk: float = Field(examples=[0.001], description="Accepted share of time above the limit.")


class AdviceTaken(BaseModel):
    """A person takes the advice: the loop's set point is commanded in that person's name."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"set_point": 13.1}]})
    who: str | None = WHO
    set_point: float | None = Field(None, allow_inf_nan=False, description="Default: as advised; never above it.")
    risk: float = Field(RISK, allow_inf_nan=False)


def advice_routes(line: Line, bridge: Bridge, aside: Aside | None) -> APIRouter:
    """Ask for the advice on a run, and take it. The history is asked aside; only the line itself by the bridge."""
    responses: dict[int | str, dict[str, Any]] = {k: v for k, v in PROBLEM_RESPONSES.items() if k in (404, 409, 422)}
    routes = APIRouter(prefix="/runs", tags=["laboratory"], responses=responses)

    async def advice(run_id: str, risk: float) -> dict[str, Any]:
        if aside is None:
            raise HTTPException(404, "this line keeps no history on disk")
        about = await bridge.ask(lambda: advice_of(line.config))
        await bridge.do(line.historian.flush)
        return await aside.ask(run_advice, about, run_id, risk)

    @routes.get("/{run_id}/set-point-advice", response_model=AdviceOut)
    @beside
    async def ask(
        run_id: str,
        risk: Annotated[float, Query(allow_inf_nan=False, description="accepted share of time above the limit")] = RISK,
    ) -> Any:
        """The highest moisture set point that keeps the risk, from what this run's record shows. Changes nothing."""
        return await advice(run_id, risk)

    @routes.post("/{run_id}/set-point-advice", response_model=AdviceOut)
    @beside
    async def take(request: Request, run_id: str, wish: AdviceTaken) -> Any:
        """Take the advice on the run in hand. 409 when it is not in hand, or more is asked for than is advised now."""

        def in_hand() -> bool:
            engine = line.runs.engine
            return engine is not None and engine.run_id == run_id and line.runs.is_under_way

        if not await bridge.ask(in_hand):
            raise StateError(f"run {run_id!r} is not in hand; its set point cannot be changed any more")
        found = await advice(run_id, wish.risk)
        wanted = found["set_point"] if wish.set_point is None else wish.set_point
        check_taken(found, wanted if wanted is not None else float("nan"))
        reason = f"advised for a risk of {wish.risk:g}: up to {found['set_point']:g} {found['unit']}"
        command = Command(f"{found['loop']}.SP", wanted, signed(request, wish.who), reason)
        receipt = await bridge.do(lambda: line.gate.submit(command))
        noted(request, old={command.tag: receipt.old}, new={command.tag: wanted}, why=reason)
        if receipt.ok:
            return found | {"taken": wanted}
        code = 409 if receipt.outcome is Outcome.REFUSED else 502
        return problem(request, code, receipt.reason, [receipt_row(receipt)])

    return routes
