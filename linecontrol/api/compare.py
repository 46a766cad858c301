"""Runs compared over HTTP: read only, worked out beside the line in the process that reads the history."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from linecontrol.analysis.answer import in_json
from linecontrol.analysis.charts import asked_charts
from linecontrol.analysis.compare import asked_compare
from linecontrol.analysis.experiment import asked_surface
from linecontrol.analysis.overlay.answer import asked_overlay
from linecontrol.analysis.runs_needed import asked_power
from linecontrol.api.bridge import Bridge, beside
from linecontrol.api.problems import PROBLEM_RESPONSES
from linecontrol.core.errors import ConfigError, Problem

if TYPE_CHECKING:
    from linecontrol.history.aside import Aside
    from linecontrol.line.assembly import Line

MOST_LETTERS = 2000
Where = Annotated[
    str,
    Query(
        max_length=MOST_LETTERS,
        description='a condition, e.g. recipe == "kudzu-*" and yield > 85 and alarms < 5',
        examples=["yield > 85 and alarms < 5"],
    ),
]
Runs = Annotated[list[str], Query(max_length=200, description="run ids")]
Names = Annotated[list[str], Query(max_length=20)]


class CompareOut(BaseModel):
    """Runs, and either ``figures`` side by side or, with ``by``, ``compared`` groups with their differences."""

    model_config = ConfigDict(extra="allow")
    runs: list[dict[str, Any]]
    by: str | None
    figures: list[dict[str, Any]] | None = Field(None, description="Each figure of each run, and apart from the first.")
    compared: list[dict[str, Any]] | None = Field(
        None, description="Of each figure: groups, differences with interval, effect and p, the model of lots."
    )


class OverlayOut(BaseModel):
    """Signals of runs on a common time, with the golden band and how far each run lies from it."""

    align: str
    golden: list[str]
    signals: list[dict[str, Any]]
    deviations: list[dict[str, Any]]


class ChartsOut(BaseModel):
    """Control charts of one figure: I, MR, EWMA and CUSUM with limits and signals."""

    model_config = ConfigDict(extra="allow")
    metric: str
    unit: str
    charts: dict[str, Any]


async def answered(
    line: Line, bridge: Bridge, aside: Aside | None, question: Callable[..., Any], *args: Any
) -> Response:
    """Ask the history aside, after what is recorded has been stored. 404 on a line that keeps none."""
    if aside is None:
        raise HTTPException(404, "this line keeps no history on disk")
    await bridge.do(line.historian.flush)
    return Response(await aside.ask(in_json, question, *args), media_type="application/json")


def compare_routes(line: Line, bridge: Bridge, aside: Aside | None) -> APIRouter:
    """The routes below ``/compare``."""
    responses: dict[int | str, dict[str, Any]] = {k: v for k, v in PROBLEM_RESPONSES.items() if k in (404, 422)}
    routes = APIRouter(prefix="/compare", tags=["research"], responses=responses)

    @routes.get("", response_model=CompareOut)
    @beside
    async def compare(
        run: Runs = [],  # noqa: B006 - FastAPI copies it
        where: Where = "",
        by: Annotated[str, Query(max_length=100, examples=["recipe"])] = "",
        metric: Names = [],  # noqa: B006
        method: Literal["t", "bootstrap"] = "t",
        adjust: Literal["holm", "bh", "none"] = "holm",
        lots: Literal["auto", "yes", "no"] = "auto",
    ) -> Any:
        """Runs side by side; with ``by`` their groups compared, lots accounted for. Without runs the complete ones."""
        return await answered(line, bridge, aside, asked_compare, run, where, by, metric, method, adjust, lots)

    @routes.get("/overlay", response_model=OverlayOut)
    @beside
    async def overlay(
        run: Runs = [],  # noqa: B006
        signal: Names = [],  # noqa: B006
        align: Literal["start", "end", "phase"] = "start",
        golden: Runs = [],  # noqa: B006
        golden_where: Where = "",
        points: Annotated[int, Query(ge=20, le=5000)] = 400,
    ) -> Any:
        """Signals of runs laid over each other; against a band of three or more golden runs."""
        return await answered(line, bridge, aside, asked_overlay, run, signal, align, golden, golden_where, points)

    @routes.get("/control-charts", response_model=list[ChartsOut])
    @beside
    async def control_charts(
        metric: Names = ["yield", "moisture", "energy"],  # noqa: B006
        where: Where = "",
        baseline: Annotated[int | None, Query(ge=8, le=10_000)] = None,
        rule: Annotated[list[str], Query(max_length=8)] = ["1", "5", "6", "2"],  # noqa: B006
    ) -> Any:
        """I-MR, EWMA and CUSUM of figures over runs, oldest first."""
        return await answered(line, bridge, aside, asked_charts, metric, where, (), baseline, tuple(rule))

    @routes.get("/power")
    @beside
    async def power(
        see: Annotated[str, Query(max_length=30, examples=["1%"])] = "1%",
        metric: Annotated[str, Query(max_length=100)] = "yield",
        where: Where = "",
        paired: bool = False,
        power: Annotated[float, Query(gt=0.05, lt=1.0)] = 0.8,
    ) -> dict[str, Any]:
        """How many runs it takes to see a difference, at the spread of the runs on record."""
        return await answered(line, bridge, aside, asked_power, see, metric, where, paired, power)  # type: ignore[return-value]

    @routes.get("/surface")
    @beside
    async def surface(
        metric: Annotated[str, Query(max_length=100)] = "yield",
        factor: Names = [],  # noqa: B006
        where: Where = "",
        instead_of: Annotated[list[str], Query(max_length=20, description="name=value")] = [],  # noqa: B006
        goal: Literal["max", "min"] = "max",
        model: Literal["auto", "linear", "interactions", "quadratic"] = "auto",
    ) -> dict[str, Any]:
        """A designed experiment as a response surface, with a proposal what to try next. Changes nothing."""
        here = _settings(instead_of)
        return await answered(line, bridge, aside, asked_surface, metric, factor, where, (), here, goal, model)  # type: ignore[return-value]

    return routes


def _settings(words: list[str]) -> dict[str, float] | None:
    found = {}
    for word in words:
        name, _, text = word.partition("=")
        try:
            found[name.strip()] = float(text)
        except ValueError:
            raise ConfigError([Problem("", None, "instead_of", f"{word!r} is no setting", "name=value")]) from None
    return found or None
