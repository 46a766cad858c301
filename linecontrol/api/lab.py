"""Laboratory values over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from linecontrol.api.callers import signed
from linecontrol.api.problems import PROBLEM_RESPONSES
from linecontrol.api.wire import WHO, Titles
from linecontrol.core.errors import ConfigError, Problem

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
    tag: str = Field(max_length=80, description="The meter it is a check of, or the sample point; in its unit.")
    value: float = Field(allow_inf_nan=False)
    sampled_at: AwareDatetime | None = Field(
        None,
        description="When the sample was taken, with its offset from UTC. For a sample point it may be left out where "
        "the run is named: then it is the run's end.",
    )
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


class SamplePointOut(BaseModel):
    """What the laboratory may be asked of a run. Its values are entered as those of a meter, under ``name``."""

    name: str = Field(examples=["PULP-BOUND"])
    title: Titles
    unit: str = Field(examples=["% wb"])
    low: float
    high: float
    u: float = Field(description="Standard uncertainty of one determination, where none is entered.")
    sampling_u: float = Field(description="How far one sample may differ from all that passed.")


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
        rest: dict[str, Any] = wish.model_dump(include={"u", "note", "run_id", "lab_id", "replaces"})
        rest["who"] = signed(request, wish.who).partition(":")[2]
        sampled_at = None if wish.sampled_at is None else wish.sampled_at.timestamp()
        if wish.tag in line.samples.points:
            return await line.samples.add(wish.tag, wish.value, sampled_at=sampled_at, **rest)
        if sampled_at is None:
            message = "is missing: a meter's check needs the time of its sample"
            raise ConfigError([Problem("", None, "sampled_at", message, "a time with its offset from UTC")])
        return await line.lab.add(wish.tag, wish.value, sampled_at=sampled_at, **rest)

    @routes.get("", response_model=list[LabOut])
    async def entered(
        tag: Annotated[str | None, Query(description="only this meter")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Any:
        """The values of the last 30 days, newest sample first."""
        if tag in line.samples.points:
            return (await line.samples.rows(tag))[:limit]
        rows = line.lab.rows(tag, limit) + ([] if tag is not None else await line.samples.rows())
        return sorted(rows, key=lambda row: (row["sampled_at"], row["entered_at"]), reverse=True)[:limit]

    @routes.get("/samples", response_model=list[SamplePointOut])
    async def sample_points() -> Any:
        """The sample points of this line."""
        return [row.model_dump() for row in line.samples.points.values()]

    @routes.get("/bias", response_model=list[BiasOut])
    async def biases() -> Any:
        """The bias of every meter that is checked by a laboratory."""
        return line.lab.biases()

    return routes
