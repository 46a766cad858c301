"""Runs as files over HTTP: tidy tables, and the report of a run. Made in the process that reads the history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Response

from linecontrol.analysis.export.answer import exported
from linecontrol.analysis.export.write import MEDIA
from linecontrol.analysis.report.write import asked_report
from linecontrol.api.bridge import Bridge, beside
from linecontrol.api.compare import Names, Runs, Where
from linecontrol.api.problems import PROBLEM_RESPONSES

if TYPE_CHECKING:
    from linecontrol.history.aside import Aside
    from linecontrol.line.assembly import Line

_REPORTS = {"html": "text/html; charset=utf-8", "pdf": "application/pdf"}


def export_routes(line: Line, bridge: Bridge, aside: Aside | None) -> APIRouter:
    """The routes ``/export`` and ``/runs/{run_id}/report``."""
    responses: dict[int | str, dict[str, Any]] = {k: v for k, v in PROBLEM_RESPONSES.items() if k in (404, 422)}
    routes = APIRouter(tags=["research"], responses=responses)

    @routes.get("/export", response_class=Response)
    @beside
    async def export(
        run: Runs = [],  # noqa: B006 - FastAPI copies it
        where: Where = "",
        what: Literal["samples", "runs", "events"] = "samples",
        signal: Names = [],  # noqa: B006
        every: Annotated[float | None, Query(ge=0.1, le=86_400, description="a value each so many seconds")] = None,
        form: Annotated[Literal["csv", "json", "parquet"], Query(alias="format")] = "csv",
    ) -> Response:
        """A tidy table of runs as a file, units in the metadata; texts are safe in spreadsheets."""
        if aside is None:
            raise HTTPException(404, "this line keeps no history on disk")
        await bridge.do(line.historian.flush)
        content = await aside.ask(exported, run, where, what, signal, every, form)
        return _file(content, MEDIA[form], f"{what}.{form}")

    @routes.get("/runs/{run_id}/report", response_class=Response)
    @beside
    async def report(
        run_id: str,
        lang: Literal["en", "zh"] = "en",
        form: Annotated[Literal["html", "pdf"], Query(alias="format")] = "html",
    ) -> Response:
        """The report of a run as one file: record, trends, alarms, phases."""
        if aside is None:
            raise HTTPException(404, "this line keeps no history on disk")
        await bridge.do(line.historian.flush)
        return _file(await aside.ask(asked_report, run_id, lang, form), _REPORTS[form], f"report.{form}")

    return routes


def _file(content: bytes, media: str, name: str) -> Response:
    return Response(content, media_type=media, headers={"Content-Disposition": f'attachment; filename="{name}"'})
