"""Versions of a run's record, where its material went, and why one run made more powder than another, over HTTP."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from linecontrol.analysis.attribution import attribution_or_refusal
from linecontrol.analysis.flows import run_flows
from linecontrol.api.problems import PROBLEM_RESPONSES
from linecontrol.api.wire import RunRecord, Titles
from linecontrol.core.errors import StateError
from linecontrol.line.aside import aside
from linecontrol.line.run_view import iso

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line


class VersionOut(BaseModel):
    """One version of a run's record: the first as the run ended, a further one with every later laboratory value."""

    version: int = Field(examples=[2])
    made_at: str = Field(examples=["2026-01-13T02:10:00.000Z"])
    who: str = Field(examples=["li"])
    why: str = Field(examples=["PULP-BOUND 1.72 ± 0.08 % wb in the laboratory (L5f0c2a91)"])
    extraction_yield: float | None = Field(examples=[0.882], description="As measured by the meters.")
    extraction_yield_reconciled: float | None = Field(examples=[0.879])
    extraction_yield_low_95: float | None = Field(examples=[0.855])
    extraction_yield_high_95: float | None = Field(examples=[0.903])


class PartOut(BaseModel):
    """Kilograms of powder with their standard uncertainty (k = 1) and 95 % interval."""

    kg: float = Field(examples=[1.84])
    u: float = Field(examples=[0.42])
    low_95: float
    high_95: float


class StepOut(PartOut):
    """One step's part of the difference, and its factor in either run."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(examples=["washing"])
    title: Titles
    factor_a: float
    factor_b: float


class AttributionOut(BaseModel):
    """The difference in good powder, the other run less this one; the steps sum to it exactly."""

    powder_a: PartOut
    powder_b: PartOut
    difference: PartOut
    steps: list[StepOut]
    left_out: list[str] = Field(description="Steps that one run does not know; they are within the unaccounted one.")


class FlowOut(BaseModel):
    """What a stream carries from a place of the line to another; an empty place is outside of what is balanced."""

    stream: str = Field(examples=["cake"])
    title: Titles
    source: str = Field(examples=["wet end"])
    target: str = Field(examples=["dryer"])
    kg: float = Field(examples=[14.07])


class FlowsOut(BaseModel):
    """Where one quantity of a run went, by its reconciled balance."""

    quantity: str = Field(examples=["starch"], description="As the line file's balances begin.")
    flows: list[FlowOut]


def version_routes(line: Line) -> APIRouter:
    """Versions, flows and attribution of runs."""
    routes = APIRouter(
        prefix="/runs", tags=["runs"], responses={k: v for k, v in PROBLEM_RESPONSES.items() if k in (404, 409, 422)}
    )

    @routes.get("/{run_id}/versions", response_model=list[VersionOut])
    async def versions(run_id: str) -> Any:
        """Every version of a finished run's record, the first first, with who made it and why."""
        await _record(run_id)  # 404 for a run that is none, and the first version has been made
        keys = [key for key in VersionOut.model_fields if key.startswith("extraction_yield")]
        return [
            {"version": row.version, "made_at": iso(row.made_at), "who": row.who, "why": row.why}
            | {key: row.record.get(key) for key in keys}
            for row in await line.runs.versions(run_id)
        ]

    @routes.get("/{run_id}/versions/{version}", response_model=RunRecord)
    async def one_version(run_id: str, version: int) -> Any:
        """The record as it was in this version."""
        await _record(run_id)
        rows = await line.runs.versions(run_id)
        for row in rows:
            if row.version == version:
                return row.record
        known = ", ".join(str(row.version) for row in rows) or "none yet: the run has not ended"
        raise HTTPException(404, f"run {run_id!r} has no version {version} (accepted: {known})")

    @routes.get("/{run_id}/attribution/{other}", response_model=AttributionOut)
    async def attribution(run_id: str, other: str) -> Any:
        """Why the other run made more or less good powder than this one. 409 when they cannot be compared this way."""
        found = await aside(attribution_or_refusal, await _record(run_id), await _record(other))
        if isinstance(found, str):
            raise StateError(found)
        return found.to_dict()

    @routes.get("/{run_id}/flows", response_model=list[FlowsOut])
    async def flows(run_id: str) -> Any:
        """What every stream of the balance carried, by quantity [kg]. 409 for a run that has no balance (yet)."""
        balance = (await _record(run_id)).get("balance") or {}
        if "streams" not in balance:
            why = balance.get("refused") or "its line file has none, or it has not ended"
            raise StateError(f"{run_id} has no balance: {why}")
        told = line.config.line.balance
        titles = {} if told is None else {name: row.title for name, row in told.streams.items()}
        return [
            {
                "quantity": quantity,
                "flows": [asdict(flow) | {"title": _title(titles.get(flow.stream), flow.stream)} for flow in found],
            }
            for quantity, found in run_flows(balance).items()
        ]

    async def _record(run_id: str) -> dict[str, Any]:
        found = await line.runs.record(run_id)
        if found is None:
            raise HTTPException(404, f"there is no run {run_id!r}")
        return found

    return routes


def _title(title: Any, name: str) -> dict[str, str]:
    """The line file's words for a stream; its name for one that the line file no longer has."""
    return {"en": name, "zh": name} if title is None else {"en": title.en, "zh": title.zh}
