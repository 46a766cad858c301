"""Recorded values to draw and to compare, over HTTP: thinned curves and figures of a stretch of time. Read only."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, Field

from linecontrol.api.bridge import Bridge, beside
from linecontrol.api.problems import PROBLEM_RESPONSES
from linecontrol.api.wire import LineTime
from linecontrol.history.reader import HistoryReader

if TYPE_CHECKING:
    from linecontrol.history.aside import Aside
    from linecontrol.line.assembly import Line

Tags = Annotated[list[str], Query(min_length=1, max_length=20)]


class TrendOut(BaseModel):
    """A curve to draw as steps: a value holds until the next time."""

    time: list[float] = Field(description="Line time, seconds since 1970.")
    value: list[float | None] = Field(description="Null: there was no good number.")
    rows: int = Field(description="How many rows are recorded in this stretch.")
    unit: str = Field(examples=["% wb"])


class StatisticsOut(BaseModel):
    """Of the good numbers in a stretch of time, the value held at its start included."""

    rows: int = Field(description="Rows recorded in it.")
    low: float | None
    high: float | None
    mean: float | None = Field(description="Mean over time, while the value was good.")
    good_s: float = Field(description="For how long it was good.")
    unit: str


def trend_routes(line: Line, bridge: Bridge, aside: Aside | None) -> APIRouter:
    """The routes ``/trends`` and ``/statistics``."""
    responses: dict[int | str, dict[str, Any]] = {k: v for k, v in PROBLEM_RESPONSES.items() if k in (404, 422)}
    routes = APIRouter(tags=["history"], responses=responses)

    async def ask(question: Any, tags: list[str], start: float | None, end: float | None, *more: Any) -> Any:
        unknown = [name for name in tags if name not in line.image.tags]
        if unknown:
            raise HTTPException(404, f"there is no tag {unknown[0]!r} on this line")
        if aside is None:
            raise HTTPException(404, "this line keeps no history on disk")
        until = await bridge.ask(line.clock.now) if end is None else end
        return await aside.ask(question, list(dict.fromkeys(tags)), start or 0.0, until, *more)

    @routes.get("/trends", response_model=dict[str, TrendOut])
    @beside
    async def trends(
        tag: Tags,
        start: LineTime = None,
        end: LineTime = None,
        points: Annotated[int, Query(ge=10, le=20_000, description="about so many of each tag")] = 1000,
    ) -> Any:
        """Curves thinned to about so many points; peaks and outages are kept, however long the stretch."""
        return await ask(trends_of, tag, start, end, points)

    @routes.get("/statistics", response_model=dict[str, StatisticsOut])
    @beside
    async def statistics(tag: Tags, start: LineTime = None, end: LineTime = None) -> Any:
        """Smallest, largest and mean over time of a stretch, however long; quick, for it is kept hour by hour."""
        return await ask(statistics_of, tag, start, end)

    return routes


def trends_of(reader: HistoryReader, tags: list[str], start: float, end: float, points: int) -> dict[str, Any]:
    """Asked in the process that reads the history."""
    units = reader.tags()
    return {
        tag: {
            "time": (trend.times / 1e6).tolist(),
            "value": [_number(value) for value in trend.values.tolist()],
            "rows": trend.rows,
            "unit": units[tag],
        }
        for tag, trend in reader.trend(tags, start, end, points).items()
    }


def statistics_of(reader: HistoryReader, tags: list[str], start: float, end: float) -> dict[str, Any]:
    """Asked in the process that reads the history."""
    units = reader.tags()
    return {
        tag: {
            "rows": found.rows,
            "low": _number(found.low),
            "high": _number(found.high),
            "mean": _number(found.mean),
            "good_s": found.weight_us / 1e6,
            "unit": units[tag],
        }
        for tag, found in reader.statistics(tags, start, end).items()
    }


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
