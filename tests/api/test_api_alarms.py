"""Alarms over the real API of a real line: every route, the live feed, and a storm."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from line_rig import console, demo_at, driven, simulator, until
from websockets.asyncio.client import connect

import linecontrol.api.app  # noqa: F401 - before scans begin
from linecontrol.cli.serving import serving
from linecontrol.core.model import Event, Severity
from linecontrol.line.assembly import Line

SPEED = 20.0
HOT = "TT-303.HIGH"


@pytest.mark.timeout(300)
async def test_alarms_over_the_api(tmp_path: Path) -> None:
    async with (
        simulator(SPEED) as sim,
        driven(demo_at(sim.endpoints), tmp_path, SPEED) as line,
        serving(line, "127.0.0.1", 0) as served,
        httpx.AsyncClient(
            base_url=served.url, trust_env=False, timeout=20, verify=False, headers=console(tmp_path)
        ) as client,
    ):
        await nothing_stands(client)
        await verbs_and_refusals(line, client)
        await unknown_and_wrong(client)
        await the_live_feed_carries_what_changed(line, client, served.url)
        await a_storm(line, client)
        await figures(client)


def tell(line: Line, kind: str, source: str, active: bool | None) -> None:
    line.emit(Event(line.clock.now(), kind, source, f"{source} {kind}", Severity.ALARM, active))


async def nothing_stands(client: httpx.AsyncClient) -> None:
    rows = (await client.get("/alarms")).json()
    assert {row["state"] for row in rows} <= {"DSUPR", "RTNUN"}, rows
    everything = (await client.get("/alarms", params={"all": "true"})).json()
    assert len(everything) > len(rows)
    row = (await client.get(f"/alarms/{HOT}")).json()
    assert row["name"] == HOT
    assert row["state"] == "NORM"
    assert row["text"]["zh"]
    assert row["action"]["en"]
    assert row["set_point"] == 195.0
    assert row in everything


async def post(client: httpx.AsyncClient, path: str, **body: Any) -> httpx.Response:
    return await client.post(f"/alarms/{path}", json={"who": "li", **body})


async def verbs_and_refusals(line: Line, client: httpx.AsyncClient) -> None:
    refused = await post(client, "acknowledge", names=[HOT])
    assert refused.status_code == 409
    assert "it is normal" in refused.json()["detail"]
    tell(line, "guard.divert", "XV-312", True)
    divert = "XV-312.DIVERTED"
    assert (await client.get(f"/alarms/{divert}")).json()["annunciated"] is True
    assert (await post(client, "silence")).json()["silenced"] >= 1
    answer = (await post(client, "acknowledge", names=[divert, HOT], comment="sample taken")).json()
    assert [row["state"] for row in answer["acknowledged"]] == ["ACKED"]
    assert answer["acknowledged"][0]["acked_by"] == "li"
    assert [row["name"] for row in answer["refused"]] == [HOT]
    assert (await post(client, "acknowledge", names=[divert])).status_code == 409

    assert (await post(client, f"{divert}/shelve", reason="")).status_code == 422
    too_long = await post(client, f"{divert}/shelve", reason="noisy", for_s=1e6)
    assert too_long.status_code == 422
    assert "60 to 43200 s" in too_long.json()["errors"][0]["accepted"]
    shelved = (await post(client, f"{divert}/shelve", reason="noisy", for_s=600)).json()
    assert shelved["state"] == "SHLVD"
    assert shelved["shelved_until"] is not None
    assert shelved["active"] is True, "it is evaluated while it is shelved"
    assert (await post(client, f"{divert}/shelve", reason="again")).status_code == 409
    assert (await post(client, f"{divert}/unshelve")).json()["state"] == "UNACK"

    assert (await post(client, f"{divert}/out-of-service", reason="gate apart")).json()["state"] == "OOSRV"
    held_back = await post(client, "acknowledge", names=[divert])
    assert held_back.status_code == 409
    assert "out of service" in held_back.json()["detail"]
    assert (await post(client, f"{divert}/return")).json()["state"] == "UNACK"
    assert (await post(client, f"{divert}/return")).status_code == 409
    assert (await post(client, f"{divert}/reset")).status_code == 409
    commented = (await post(client, f"{divert}/comment", text="belt tightened")).json()
    assert [row["text"] for row in commented["comments"]] == ["sample taken", "belt tightened"]
    trail = (await client.get("/audit", params={"limit": 20})).json()
    was_and_is = {
        row["action"].rpartition("/")[2]: (json.loads(row["old"]), json.loads(row["new"]))
        for row in trail
        if row["outcome"] == "done" and row["old"]
    }
    assert was_and_is["acknowledge"] == ({divert: "UNACK"}, {divert: "ACKED"})
    assert was_and_is["shelve"] == ({"state": "ACKED"}, {"reason": "noisy", "for_s": 600.0, "state": "SHLVD"})
    assert was_and_is["return"] == ({"state": "OOSRV"}, {"state": "UNACK"})
    tell(line, "guard.divert", "XV-312", False)
    await post(client, "acknowledge")
    assert (await client.get(f"/alarms/{divert}")).json()["state"] == "NORM"

    rows = (await client.get("/alarms/journal", params={"name": divert})).json()
    verbs = [row["verb"] for row in reversed(rows)]
    assert verbs[:4] == ["raised", "silenced", "acknowledged", "commented"]
    assert {"shelved", "unshelved", "removed", "returned", "cleared"} <= set(verbs)
    assert {row["who"] for row in rows if row["verb"] == "shelved"} == {"li"}
    only = (await client.get("/alarms/journal", params={"verb": "removed", "limit": 1})).json()
    assert [(row["name"], row["why"]) for row in only] == [(divert, "gate apart")]


async def unknown_and_wrong(client: httpx.AsyncClient) -> None:
    assert (await client.get("/alarms/TT-999.HIGH")).status_code == 404
    assert (await post(client, "TT-999.HIGH/shelve", reason="x")).status_code == 404
    assert (await post(client, "acknowledge", names=["TT-999.HIGH"])).status_code == 404
    assert (await post(client, f"{HOT}/comment", text="  ")).status_code == 422
    assert (await post(client, f"{HOT}/comment", text="x", who="<b>")).status_code == 422
    assert (await post(client, f"{HOT}/comment", text="x", colour="red")).status_code == 422
    assert (await client.get("/alarms/kpis", params={"hours": 0})).status_code == 422


async def the_live_feed_carries_what_changed(line: Line, client: httpx.AsyncClient, url: str) -> None:
    async with connect(
        url.replace("http", "ws") + "/ws/live",
        max_size=None,
        additional_headers={"Authorization": client.headers["authorization"]},
    ) as socket:
        snapshot = json.loads(await socket.recv())
        assert snapshot["type"] == "snapshot"
        assert {row["name"] for row in snapshot["alarms"]} == {
            row["name"] for row in (await client.get("/alarms")).json()
        }
        seen: dict[str, list[str]] = {}

        async def until_seen(name: str, state: str) -> None:
            async with asyncio.timeout(20):
                while seen.get(name, [""])[-1] != state:
                    update = json.loads(await socket.recv())
                    for row in update.get("alarms", ()):
                        seen.setdefault(row["name"], []).append(row["state"])

        tell(line, "plc.foreign", "grinding", True)
        await until_seen("grinding.FOREIGN", "UNACK")
        await post(client, "acknowledge", names=["grinding.FOREIGN"])
        await until_seen("grinding.FOREIGN", "ACKED")
        tell(line, "plc.foreign", "grinding", False)
        await until_seen("grinding.FOREIGN", "NORM")


async def a_storm(line: Line, client: httpx.AsyncClient) -> None:
    """FAULTS.md F57. A network that dies and two hundred things that have nothing in common, within a minute."""
    began = line.clock.now()
    for station in line.stations:
        tell(line, "link.down", station, True)
    for number in range(197):
        tell(line, "unheard.of", f"valve-{number}", True)
        await asyncio.sleep(0)
    assert line.clock.now() - began <= 60.0
    await line.historian.flush()
    rows = (await client.get("/alarms/journal", params={"verb": "raised", "limit": 1000, "since": began})).json()
    assert len({row["name"] for row in rows}) >= 200, "all of them are recorded"
    assert sum(bool(row["annunciated"]) for row in rows) <= 10
    figures = (await client.get("/alarms/kpis")).json()
    assert figures["is_flood"] is True
    assert figures["peak_annunciated"] <= 10
    assert len((await client.get("/alarms")).json()) >= 200, "and all of them can be seen"

    took = []
    for number in range(20):
        start = time.perf_counter()
        answer = await post(client, "acknowledge", names=[f"valve-{number}.OTHER"])
        took.append(time.perf_counter() - start)
        assert answer.status_code == 200
    start = time.perf_counter()
    answer = await post(client, "acknowledge")
    rest = time.perf_counter() - start
    assert len(answer.json()["acknowledged"]) >= 177
    print(f"acknowledge in a storm: one {sorted(took)[9]:.3f} s, slowest {max(took):.3f} s, the rest {rest:.3f} s")
    assert not [row for row in (await client.get("/alarms")).json() if row["state"] in ("UNACK", "RTNUN", "LUNAK")]
    await until(lambda: line.historian.counters.pending == 0)


async def figures(client: httpx.AsyncClient) -> None:
    row = (await client.get("/alarms/kpis", params={"hours": 1})).json()
    assert row["alarms"] >= 200
    assert row["annunciated"] < 20
    assert sum(row["priorities"].values()) == 100.0 or abs(sum(row["priorities"].values()) - 100.0) < 0.1
    assert len(row["top"]) == 10
