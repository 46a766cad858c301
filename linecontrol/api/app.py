"""The API of one line (FastAPI). Who may do what stands in ``rights.py``, and the gatekeeper sees to it.

It runs in a thread of its own. Endpoints run in the line's event loop (``Bridge.across``); those marked ``beside`` run
in the API's thread and reach the line by the bridge.
"""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic.warnings import UnsupportedFieldAttributeWarning

from linecontrol import __version__
from linecontrol.analysis.records import find_records
from linecontrol.analysis.where import parse_where
from linecontrol.api.advice import advice_routes
from linecontrol.api.alarms import alarm_routes
from linecontrol.api.assessment import assessment_routes
from linecontrol.api.bags import bag_routes
from linecontrol.api.bridge import Bridge, beside
from linecontrol.api.callers import noted, permit, signed
from linecontrol.api.compare import Where, answered, compare_routes
from linecontrol.api.docs_page import docs_routes, with_log_in
from linecontrol.api.door import Door
from linecontrol.api.evidence import evidence_routes
from linecontrol.api.export import export_routes
from linecontrol.api.gatekeeper import Gatekeeper
from linecontrol.api.haccp import haccp_routes
from linecontrol.api.interlocks import interlock_routes
from linecontrol.api.lab import lab_routes
from linecontrol.api.limits import SmallBodies
from linecontrol.api.live import Broadcast, live_routes
from linecontrol.api.lots import lot_routes
from linecontrol.api.metrics import exposition, figures
from linecontrol.api.pages import samples_json
from linecontrol.api.people import People
from linecontrol.api.problems import PROBLEM_RESPONSES, install, problem
from linecontrol.api.procedure import procedure_routes
from linecontrol.api.recipes import known_by_name, recipe_routes
from linecontrol.api.rights import Right, right_to_command, right_to_write
from linecontrol.api.session import session_routes
from linecontrol.api.site import site_routes
from linecontrol.api.trail import AuditTrail
from linecontrol.api.trends import trend_routes
from linecontrol.api.tuning import tuning_routes
from linecontrol.api.users import audit_routes, token_routes, user_routes
from linecontrol.api.versions import version_routes
from linecontrol.api.wire import (
    CommandIn,
    EventOut,
    LineTime,
    ReceiptOut,
    RecordedOut,
    RunCommand,
    RunRecord,
    RunStart,
    TagOut,
    event_row,
    json_list,
    receipt_row,
    seen,
    tag_row,
)
from linecontrol.core.errors import StateError
from linecontrol.core.model import Command, Outcome
from linecontrol.history import Historian

if TYPE_CHECKING:
    from linecontrol.history.aside import Aside
    from linecontrol.line.assembly import Line

_FAILED = {Outcome.REFUSED: 409, Outcome.FAILED: 502}


def create_app(line: Line, bridge: Bridge, door: Door) -> FastAPI:
    """The application for a started line; to be run in another thread than the line's."""
    historian = line.historian if isinstance(line.historian, Historian) else None
    people = People(door, None if historian is None else historian.access(), line.clock.wall)
    trail = AuditTrail(line, bridge)
    broadcast = Broadcast(line, bridge)
    aside = None if historian is None else historian.aside()

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        task = asyncio.ensure_future(broadcast.run())
        await people.load()
        yield
        await people.close()
        await trail.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if aside is not None:
            await aside.close()

    # FastAPI silences this by ``catch_warnings``, which another thread that does the same can undo
    warnings.filterwarnings("ignore", category=UnsupportedFieldAttributeWarning)
    app = FastAPI(
        docs_url=None,
        redoc_url=None,
        title="linecontrol",
        version=__version__,
        summary="One kudzu starch line: tags, commands, runs, events, recipes",
        lifespan=lifespan,
    )
    app.state.people = people
    install(app)
    app.add_middleware(SmallBodies)
    app.add_middleware(Gatekeeper, people=people, trail=trail)  # outermost: nothing is read before it has agreed

    for routes in (
        _plant(line, bridge),
        procedure_routes(line),
        _runs(line, bridge, aside),
        recipe_routes(line),
        _records(line, bridge, aside),
        version_routes(line),
        lab_routes(line),
        lot_routes(line, bridge, aside),
        bag_routes(line, bridge, people),
        evidence_routes(line, bridge, aside),
        alarm_routes(line),
        interlock_routes(line),
        haccp_routes(line, bridge, people),
        advice_routes(line, bridge, aside),
        tuning_routes(line),
        assessment_routes(line, bridge, aside),
        compare_routes(line, bridge, aside),
        export_routes(line, bridge, aside),
        trend_routes(line, bridge, aside),
        site_routes(line),
        session_routes(line, people),
        user_routes(people),
        token_routes(people),
        audit_routes(line, bridge),
        docs_routes(door),
    ):
        app.include_router(bridge.across(routes))
    app.include_router(live_routes(broadcast))
    with_log_in(app)
    return app


def _plant(line: Line, bridge: Bridge) -> APIRouter:
    routes = APIRouter(responses={k: v for k, v in PROBLEM_RESPONSES.items() if k in (404, 409, 422, 502)})

    @routes.get("/status", tags=["line"])
    async def status() -> dict[str, Any]:
        """The line at a glance: stations, loops, the run, the historian."""
        return line.status()

    @routes.get("/tags", tags=["tags"], response_model=list[TagOut])
    @beside
    async def tags(station: Annotated[str | None, Query(description="only this station")] = None) -> Any:
        """Every tag with its latest value, quality and age."""
        wanted = [tag for tag in line.image.tags.values() if station in (None, tag.station)]
        now, found = await bridge.ask(lambda: seen(line, [tag.name for tag in wanted]))
        return _json(tag_row(tag, sample, now) for tag, sample in zip(wanted, found, strict=True))

    @routes.get("/tags/{name}", tags=["tags"], response_model=TagOut)
    async def one_tag(name: Annotated[str, Path(examples=["TT-303"])]) -> Any:
        """One tag, by its name or its alias."""
        tag = line.image.tags.get(name) or next((t for t in line.image.tags.values() if t.alias == name), None)
        if tag is None:
            raise HTTPException(404, f"there is no tag {name!r} on this line")
        now = line.clock.now()
        return tag_row(tag, line.image.at(tag.name, now), now)

    @routes.post("/commands", tags=["commands"], response_model=ReceiptOut)
    async def command(request: Request, wish: CommandIn) -> Any:
        """Ask for a change of one tag. 409 when refused, 502 when the device did not do it; both say why."""
        permit(request, right_to_write(wish.tag))
        who = signed(request, wish.who)
        receipt = await line.gate.submit(Command(wish.tag, wish.value, who, wish.reason, wish.expected))
        row = receipt_row(receipt)
        noted(request, old={wish.tag: receipt.old})
        if receipt.ok:
            return row
        return problem(request, _FAILED[receipt.outcome], receipt.reason, [row])

    @routes.get("/commands", tags=["commands"], response_model=list[ReceiptOut])
    @beside
    async def commands(limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Any:
        """The latest receipts, newest first."""
        found = await bridge.do(lambda: line.historian.commands(limit=limit))
        return _json(receipt_row(receipt) for receipt in reversed(found))

    return routes


def _runs(line: Line, bridge: Bridge, aside: Aside | None) -> APIRouter:
    routes = APIRouter(responses={k: v for k, v in PROBLEM_RESPONSES.items() if k in (404, 409, 422)})

    @routes.get("/runs", tags=["runs"], response_model=list[RunRecord])
    @beside
    async def runs(limit: Annotated[int, Query(ge=1, le=1000)] = 50, where: Where = "") -> Any:
        """Run records, newest first; with ``where`` only those that fit."""
        if where and aside is not None:
            return await answered(line, bridge, aside, find_records, where, (), limit)
        found = await bridge.do(lambda: line.runs.records(limit))
        return [row for row in found if not where or parse_where(where).holds(row)]

    @routes.post("/runs", tags=["runs"], status_code=201)
    async def start(request: Request, wish: RunStart) -> dict[str, Any]:
        """Start a run. 409 names the failed permissive; 422 names the value and its limits."""
        who = signed(request, wish.who)
        known_by_name(wish.recipe)
        roots = {"lot": wish.lot or "", "species": wish.species or "", "season": wish.season or ""}
        view = await line.runs.start(
            wish.recipe, wish.values, who=who, mode=wish.mode, run_id=wish.run_id, lot=wish.lot, roots=roots
        )
        if view.get("is_repeat"):
            noted(request, outcome="repeated")
        return view

    @routes.get("/runs/current", tags=["runs"])
    async def current() -> dict[str, Any] | None:
        """The run in hand: state, mode, phases, time left, totals so far; null when there is none."""
        return line.runs.view()

    @routes.get("/runs/{run_id}", tags=["runs"], response_model=RunRecord)
    async def run(run_id: str) -> Any:
        """The batch record of one run."""
        found = await line.runs.record(run_id)
        if found is None:
            raise HTTPException(404, f"there is no run {run_id!r}")
        return found

    @routes.post("/runs/{run_id}/commands", tags=["runs"])
    async def run_command(request: Request, run_id: str, wish: RunCommand) -> dict[str, Any]:
        """Hold, Restart, Stop, Abort, Pause, Resume, Reset; 409 says why when it is not legal now.

        Hold, Stop and Abort are taken also from a session that has locked itself.
        """
        right = right_to_command(wish.command)
        permit(request, right)
        state = None if line.runs.state is None else line.runs.state.value
        noted(request, old={"state": state})
        if right is not Right.HALT and wish.expected is not None and wish.expected != state:
            raise StateError(f"run {run_id!r} is {state or 'over'} and no longer {wish.expected}; look again")
        return await line.runs.command(run_id, wish.command, who=signed(request, wish.who), reason=wish.reason)

    return routes


def _records(line: Line, bridge: Bridge, aside: Aside | None) -> APIRouter:
    routes = APIRouter(responses={k: v for k, v in PROBLEM_RESPONSES.items() if k in (404, 422)})

    @routes.get("/events", tags=["events"], response_model=list[EventOut])
    @beside
    async def events(
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        since: LineTime = None,
        kind: Annotated[str | None, Query(description="e.g. link.down")] = None,
        until: LineTime = None,
    ) -> Any:
        """The latest events, newest first."""
        kinds = [kind] if kind else None
        found = await bridge.do(lambda: line.historian.events(since=since, until=until, limit=limit, kinds=kinds))
        # two that were told in the same millisecond may have been recorded the other way round
        found = sorted(found, key=lambda event: event.time)
        return _json(event_row(event) for event in reversed(found))

    @routes.get("/samples", tags=["history"], response_model=dict[str, list[RecordedOut]])
    @beside
    async def samples(
        tag: Annotated[list[str], Query(min_length=1, max_length=20)],
        start: LineTime = None,
        end: LineTime = None,
        limit: Annotated[int, Query(ge=1, le=100_000)] = 10_000,
    ) -> Any:
        """Recorded samples by tag, oldest first. A value holds until the next row; a BAD row begins an outage."""
        unknown = [name for name in tag if name not in line.image.tags]
        if unknown:
            raise HTTPException(404, f"there is no tag {unknown[0]!r} on this line")
        if aside is None:
            raise HTTPException(404, "this line keeps no history on disk")
        pieces = samples_json(aside, list(dict.fromkeys(tag)), start or 0.0, end, limit)
        first = await anext(pieces)  # an error is told here, before the answer has begun

        async def whole() -> AsyncIterator[bytes]:
            yield first
            async for piece in pieces:
                yield piece

        return StreamingResponse(whole(), media_type="application/json")

    @routes.get("/metrics", tags=["line"], response_class=Response)
    @beside
    async def metrics() -> Response:
        """Figures for Prometheus."""
        found = await bridge.ask(lambda: figures(line))
        return Response(exposition(found), media_type=CONTENT_TYPE_LATEST)

    return routes


def _json(rows: Iterable[Any]) -> Response:
    """Rows of ours, not checked against their model again: that takes longer than all the rest."""
    return Response(json_list(rows), media_type="application/json")
