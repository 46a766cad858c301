"""What the display asks the API for beside the process: loops judged, the line file, a cabinet probed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from line_rig import console, demo_at, driven, simulator, until

import linecontrol.api.app  # noqa: F401 - before scans begin
from linecontrol.cli.serving import serving
from linecontrol.line.assembly import Line

SPEED = 30.0
LOOPS = {"TIC-303", "MIC-306", "FIC-104", "JIC-201", "DIC-204"}


@asynccontextmanager
async def served(data: Path) -> AsyncIterator[tuple[Line, httpx.AsyncClient]]:
    async with (
        simulator(SPEED) as sim,
        driven(demo_at(sim.endpoints), data, SPEED) as line,
        serving(line, "127.0.0.1", 0) as there,
        httpx.AsyncClient(
            base_url=there.url, trust_env=False, timeout=20, verify=False, headers=console(data)
        ) as client,
    ):
        yield line, client


@pytest.mark.timeout(120)
async def test_loops_are_judged_and_a_cabinet_is_probed(tmp_path: Path) -> None:
    async with served(tmp_path) as (line, client):
        began = line.clock.now()
        await until(lambda: line.clock.now() - began > 90.0)
        rows = (await client.get("/assessment", params={"last_s": 80})).json()
        assert {row["loop"] for row in rows} == LOOPS
        for row in rows:
            assert row["reason"] or row["verdict"]
        assert next(row for row in rows if row["loop"] == "TIC-303")["service_factor"] == 0.0  # in Man
        for wrong in ("10", "nan", "1e9"):
            assert (await client.get("/assessment", params={"last_s": wrong})).status_code == 422

        files = (await client.get("/files")).json()
        assert [row["kind"] for row in files] == ["line"]
        assert files[0]["text"].startswith("kind: line")
        assert "/" not in files[0]["path"]  # of this machine's folders nothing is told

        before = len((await client.get("/commands")).json())
        found = (await client.post("/stations/screening/probe")).json()
        assert found["passed"] is True
        assert {row["tag"] for row in found["tags"]} == {tag.name for tag in line.config.stations["screening"].tags}
        assert all(row["problem"] == "" for row in found["tags"])
        assert len((await client.get("/commands")).json()) == before
        assert line.stations["screening"].is_up
        assert (await client.post("/stations/attic/probe")).status_code == 404

        since, until_s = began + 10.0, began + 60.0
        events = (await client.get("/events", params={"since": since, "until": until_s})).json()
        later = (await client.get("/events", params={"since": since})).json()
        assert len(events) <= len(later)


async def test_what_a_silent_cabinet_answers_is_said(tmp_path: Path) -> None:
    async with served(tmp_path) as (line, client):
        config = line.config.with_endpoints({"screening": "modbus-tcp://127.0.0.1:9?unit=1"})
        line.config = config
        found = (await client.post("/stations/screening/probe")).json()
        assert found["passed"] is False
        assert found["error"]
        assert found["tags"] == []
