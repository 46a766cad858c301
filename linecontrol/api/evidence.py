"""The evidence pack of a run over HTTP, and whether the evidence is as it was written. Both are worked out beside the
line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import JSONResponse

from linecontrol.analysis.evidence import gather, page
from linecontrol.api.bridge import Bridge, beside
from linecontrol.api.problems import responses
from linecontrol.history import HistoryReader
from linecontrol.history.verify import as_json, verify

if TYPE_CHECKING:
    from linecontrol.history.aside import Aside
    from linecontrol.line.assembly import Line


def evidence_routes(line: Line, bridge: Bridge, aside: Aside | None) -> APIRouter:
    """The routes ``/evidence`` and ``/runs/{run_id}/evidence``."""
    routes = APIRouter(tags=["lots and bags"], responses=responses(404, 422))

    def asked() -> Aside:
        if aside is None:
            raise HTTPException(404, "this line keeps no history on disk")
        return aside

    @routes.get("/runs/{run_id}/evidence", response_class=Response)
    @beside
    async def evidence(
        run_id: str,
        lang: Annotated[Literal["en", "zh"], Query(description="language of the page")] = "en",
        form: Annotated[Literal["html", "json"], Query(description="for people, or for programs")] = "html",
    ) -> Response:
        """All that is on record of a run, as one page or as JSON."""
        asking = asked()
        if await bridge.do(lambda: line.runs.record(run_id)) is None:
            raise HTTPException(404, f"there is no run {run_id!r}")
        await bridge.do(line.historian.flush)
        now = await bridge.ask(line.clock.now)
        name = (
            f'attachment; filename="{run_id}.evidence.{form}"'
            if run_id.isascii() and '"' not in run_id
            else "attachment"
        )
        headers = {"Content-Disposition": name}
        if form == "json":
            return JSONResponse(await asking.ask(gather, run_id, now), headers=headers)
        text = await asking.ask(_page, run_id, now, lang)
        return Response(text, media_type="text/html; charset=utf-8", headers=headers)

    @routes.get("/evidence")
    @beside
    async def verified() -> dict[str, Any]:
        """Whether every record of evidence is as it was written. ``linecontrol verify`` also looks at packs."""
        asking = asked()
        await bridge.do(line.historian.flush)
        return await asking.ask(_verified)

    return routes


def _page(reader: HistoryReader, run_id: str, now: float, lang: str) -> str:
    return page(gather(reader, run_id, now), lang)


def _verified(reader: HistoryReader) -> dict[str, Any]:
    return as_json(verify(reader))
