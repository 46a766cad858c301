"""Laboratory values over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from linecontrol.api.callers import signed
from linecontrol.api.problems import PROBLEM_RESPONSES
from linecontrol.api.wire import WHO

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line


class LabIn(BaseModel):
    """A laboratory value, with the time its *sample* was taken. Nothing is ever overwritten: see ``replaces``."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"tag": "MT-306", "value": 12.9, "sampled_at": "2026-01-12T10:40:00+08:00", "u": 0.1}]
        },
    )
    tag: str = Field(max_length=80, description="The meter it is a check of, in the tag's unit.")
    value: float = Field(allow_inf_nan=False)
    sampled_at: AwareDatetime = Field(description="When the sample was taken, with its offset from UTC.")
    who: str | None = WHO
    u: float | None = Field(None, allow_inf_nan=False, description="Standard uncertainty; default: the line file's.")
    note: str = Field("", max_length=500)
    run_id: str | None = Field(None, max_length=200, description="Refused when it was not under way then.")
    lab_id: str | None = Field(None, max_length=60, pattern=r"^[\w-]+$", description="Your own id makes a retry safe.")
    replaces: str | None = Field(None, max_length=60, description="lab_id of an entry that was wrong.")


class LabOut(BaseModel):
    """A laboratory value and what was thought of it."""

    lab_id: str = Field(examples=["L5f0c2a91"])
    tag: str = Field(examples=["MT-306"])
    unit: str = Field(examples=["% wb"])
    value: float = Field(examples=[12.9])
    u: float = Field(examples=[0.1])
    sampled_at: str = Field(examples=["2026-01-12T02:40:00.000Z"])
    entered_at: str = Field(examples=["2026-01-12T04:10:00.000Z"])
    who: str = Field(examples=["li"])
    note: str
    run_id: str | None
    replaces: str | None
    verdict: str = Field(examples=["used"], description="used, outlier, absurd, no-reading or replaced")
    meter: float | None = Field(examples=[13.2], description="What the meter showed around the time of the sample.")
    difference: float | None = Field(examples=[0.3], description="meter - laboratory")


class BiasOut(BaseModel):
    """The bias of a meter (what it shows minus what is true) and its standard uncertainty (k = 1)."""

    tag: str = Field(examples=["MT-306"])
    unit: str = Field(examples=["% wb"])
    bias: float = Field(examples=[0.28])
    u: float | None = Field(examples=[0.09])
    applied: float = Field(examples=[0.28], description="The part of it that has reached the loop.")
    values_used: int
    last_sampled_at: str | None
    is_accepted: bool = Field(description="Whether the critical limit is judged by the corrected reading alone.")


def lab_routes(line: Line) -> APIRouter:
    """Enter and list laboratory values."""
    routes = APIRouter(
        prefix="/lab", tags=["laboratory"], responses={k: v for k, v in PROBLEM_RESPONSES.items() if k == 422}
    )

    @routes.post("", status_code=201, response_model=LabOut)
    async def enter(request: Request, wish: LabIn) -> Any:
        """Enter a value. 422 for a sample in the future, a value out of range, a wrong tag or a wrong run."""
        return await line.lab.add(
            wish.tag,
            wish.value,
            sampled_at=wish.sampled_at.timestamp(),
            who=signed(request, wish.who).partition(":")[2],
            u=wish.u,
            note=wish.note,
            run_id=wish.run_id,
            lab_id=wish.lab_id,
            replaces=wish.replaces,
        )

    @routes.get("", response_model=list[LabOut])
    async def entered(
        tag: Annotated[str | None, Query(description="only this meter")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Any:
        """The values of the last 30 days, newest sample first."""
        return line.lab.rows(tag, limit)

    @routes.get("/bias", response_model=list[BiasOut])
    async def biases() -> Any:
        """The bias of every meter that is checked by a laboratory."""
        return line.lab.biases()

    return routes
