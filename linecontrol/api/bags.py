"""Bags over HTTP: what they hold, labels to print, and decisions under a signature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from linecontrol.analysis.labels import label_sheet
from linecontrol.analysis.wallclock import Face
from linecontrol.api.bridge import Bridge, beside
from linecontrol.api.callers import caller_of, noted, signed
from linecontrol.api.people import People
from linecontrol.api.problems import responses
from linecontrol.api.signing import SignedIn, signature
from linecontrol.api.wire import WHO
from linecontrol.line.signing import MEANINGS, Signer

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

Lang = Annotated[Literal["en", "zh"], Query(description="en or zh")]


class HoldIn(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=3, max_length=500)
    who: str | None = WHO


class ActionIn(BaseModel):
    """What was done about suspect powder."""

    model_config = ConfigDict(extra="forbid")
    action: str = Field(min_length=3, max_length=1000)
    who: str | None = WHO


def bag_routes(line: Line, bridge: Bridge, people: People) -> APIRouter:
    """The routes under ``/bags``, and the bags and labels of a run."""
    routes = APIRouter(tags=["lots and bags"], responses=responses(403, 404, 409, 422, 429))

    async def decide(request: Request, bag_id: str, kind: str, wish: SignedIn) -> dict[str, Any]:
        by = await signature(request, people, kind, {"bag": bag_id}, wish)
        before = await bridge.do(lambda: line.bag_acts.bag(bag_id))
        noted(request, old={"status": before["status"]})
        return await bridge.do(lambda: line.bag_acts.decide(bag_id, kind, wish.reason, by))

    @routes.get("/signatures")
    async def signatures() -> dict[str, dict[str, str]]:
        """What a signature stands for, by the decision."""
        return {kind: {"en": text.en, "zh": text.zh} for kind, text in MEANINGS.items()}

    @routes.get("/runs/{run_id}/bags")
    async def bags(run_id: str) -> dict[str, Any]:
        """Lots, bags, suspect intervals and decisions of a run."""
        return await line.bag_acts.bags(run_id)

    @routes.get("/runs/{run_id}/labels", response_class=Response)
    @beside
    async def labels(run_id: str, lang: Lang = "en") -> Response:
        """A sheet of labels, one for each closed bag, each with a QR code."""
        found = await bridge.do(lambda: line.bag_acts.bags(run_id))
        about = line.config.line
        title = about.title.zh if lang == "zh" else about.title.en
        face = Face(line.clock.ahead_of_utc_s(line.clock.now()))
        page = label_sheet(about.name, title, found["bags"], lang, face, is_simulated=about.simulated)
        return Response(page, media_type="text/html; charset=utf-8")

    @routes.post("/runs/{run_id}/suspects/{suspect_id}", status_code=201)
    async def act(request: Request, run_id: str, suspect_id: str, wish: ActionIn) -> dict[str, Any]:
        """Write down the corrective action for a suspect interval, under one's name."""
        who = signed(request, wish.who)
        noted(request, why=wish.action)
        by = Signer(who, caller_of(request).role.value)
        return await line.bag_acts.act_on(run_id, suspect_id, wish.action, by)

    @routes.get("/bags/{bag_id}")
    async def bag(bag_id: str) -> dict[str, Any]:
        """Recall: the roots that made this bag, its suspect intervals and what was decided about it."""
        return await line.bag_acts.bag(bag_id)

    @routes.post("/bags/{bag_id}/hold")
    async def hold(request: Request, bag_id: str, wish: HoldIn) -> dict[str, Any]:
        """Put a bag aside. Anybody who operates may do so."""
        by = Signer(signed(request, wish.who), caller_of(request).role.value)
        noted(request, old={"status": (await line.bag_acts.bag(bag_id))["status"]})
        return await line.bag_acts.decide(bag_id, "hold", wish.reason, by)

    @routes.post("/bags/{bag_id}/release")
    @beside
    async def release(request: Request, bag_id: str, wish: SignedIn) -> dict[str, Any]:
        """Release a held bag. 409 names every suspect interval that nobody has acted on."""
        return await decide(request, bag_id, "release", wish)

    @routes.post("/bags/{bag_id}/reject")
    @beside
    async def reject(request: Request, bag_id: str, wish: SignedIn) -> dict[str, Any]:
        """Reject a bag for good."""
        return await decide(request, bag_id, "reject", wish)

    return routes
