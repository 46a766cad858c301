"""What a person looks at before and during a run: the permissives of a recipe, and the procedure of the run in hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, HTTPException, Query

from linecontrol.api.problems import PROBLEM_RESPONSES
from linecontrol.line.permissives import permissives
from linecontrol.line.run_view import procedure_view

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line


def procedure_routes(line: Line) -> APIRouter:
    """Read only."""
    routes = APIRouter(prefix="/runs", tags=["runs"], responses={404: PROBLEM_RESPONSES[404]})

    @routes.get("/permissives")
    async def ready(
        recipe: Annotated[str, Query(max_length=120, examples=["kudzu-lobata-standard"])],
    ) -> list[dict[str, Any]]:
        """What a start of this recipe needs: each condition, whether it is met, and what clears it."""
        line.book.look()
        for entry in line.recipes():
            if entry.name == recipe:
                return [row.as_json() for row in permissives(line, entry.recipe)]
        raise HTTPException(404, f"there is no recipe {recipe!r}")

    @routes.get("/current/procedure")
    async def procedure() -> dict[str, Any] | None:
        """Unit procedures and phases of the run in hand, as they will be run; null when there is none."""
        engine = line.runs.engine
        return None if engine is None else procedure_view(engine.run_id, engine.recipe)

    return routes
