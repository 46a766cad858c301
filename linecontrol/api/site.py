"""What a technician looks at beside the process: the file the line was built from, and a cabinet as it answers."""

from __future__ import annotations

import asyncio
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, HTTPException, Path
from pydantic import BaseModel, Field

from linecontrol.api.bridge import beside
from linecontrol.api.problems import PROBLEM_RESPONSES
from linecontrol.core.errors import LinkError, StateError
from linecontrol.core.model import Value
from linecontrol.line.acceptance import is_accepted, read_acceptances
from linecontrol.line.probe import StationProbe, probe, rows

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

PROBE_DEADLINE_S = 20.0


class FileOut(BaseModel):
    """A file the line was built from, as it is on disk now."""

    kind: str = Field(examples=["line"])
    name: str = Field(examples=["demo"])
    path: str
    text: str


class FindingOut(BaseModel):
    """One tag as it was read."""

    tag: str = Field(examples=["TT-303"])
    alias: str
    address: str
    raw: str = Field(description="Register words, hexadecimal.")
    value: Value | None
    unit: str
    status: str
    expected: str
    problem: str = Field(description="Empty when nothing looks wrong.")
    hint: str = Field(description="What may be the cause.")


class ProbeOut(BaseModel):
    station: str = Field(examples=["drying"])
    endpoint: str
    passed: bool
    accepted: bool = Field(description="A person has accepted this profile at this cabinet: writing is allowed.")
    error: str
    notices: list[str]
    tags: list[FindingOut]


def site_routes(line: Line) -> APIRouter:
    """Read the line's files, and probe a station. Nothing is written to any device."""
    responses: dict[int | str, dict[str, Any]] = {k: v for k, v in PROBLEM_RESPONSES.items() if k in (404, 409, 502)}
    routes = APIRouter(tags=["line"], responses=responses)
    probing: set[str] = set()

    @routes.get("/files", response_model=list[FileOut])
    @beside
    async def files() -> Any:
        """The line file, whole."""
        return [await asyncio.to_thread(_file, "line", line.config.line.name, line.config.path)]

    @routes.post("/stations/{name}/probe", response_model=ProbeOut)
    @beside
    async def probed(name: Annotated[str, Path(examples=["drying"])]) -> Any:
        """Connect to the cabinet once more, read every tag once, and compare it with what the profile expects."""
        station = line.config.stations.get(name)
        if station is None:
            raise HTTPException(404, f"there is no station {name!r} (it has {', '.join(line.config.stations)})")
        if name in probing:
            raise StateError(f"{name} is being probed already")
        probing.add(name)
        try:
            async with asyncio.timeout(PROBE_DEADLINE_S):
                found = await probe(station)
        except TimeoutError:
            raise LinkError(f"{name} did not answer within {PROBE_DEADLINE_S:g} s") from None
        finally:
            probing.discard(name)
        accepted = is_accepted(line.config, name, await asyncio.to_thread(read_acceptances, line.config))
        return _probe_row(found, accepted=accepted)

    return routes


def _file(kind: str, name: str, path: FilePath) -> dict[str, str]:
    return {"kind": kind, "name": name, "path": path.name, "text": path.read_text(encoding="utf-8")}


def _probe_row(found: StationProbe, *, accepted: bool) -> dict[str, Any]:
    return {
        "station": found.station,
        "endpoint": found.endpoint,
        "passed": found.has_passed,
        "accepted": accepted,
        "error": found.error,
        "notices": list(found.notices),
        "tags": rows(found),
    }
