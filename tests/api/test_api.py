"""The API over a real socket, in front of a real line and a real simulator."""

import asyncio
import json
import math
import os
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from line_rig import console, demo_at, driven, simulator, until
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

import linecontrol.api.app  # noqa: F401 - before scans begin
from linecontrol.cli.serving import serving
from linecontrol.line.assembly import Line

SPEED = 20.0
FUZZ_ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "4"))  # 400 for a release: see docs/developer.md
ENDING = {("post", "/runs")}  # a strange start may be a right one


@asynccontextmanager
async def served(data: Path) -> AsyncIterator[tuple[Line, httpx.AsyncClient]]:
    async with (
        simulator(SPEED) as sim,
        driven(demo_at(sim.endpoints), data, SPEED) as line,
        serving(line, "127.0.0.1", 0) as served,
        httpx.AsyncClient(
            base_url=served.url, trust_env=False, timeout=20, verify=False, headers=console(data)
        ) as client,
    ):
        yield line, client


@pytest.mark.timeout(300)
async def test_everything_a_client_can_ask(tmp_path: Path) -> None:
    async with served(tmp_path) as (line, client):
        await reading(client)
        await refusals(client)
        await tuning(line, client)
        await a_run(line, client)
        await laboratory(line, client)
        await advice(client)
        await foreigners(client)
        await nothing_else_is_written(line, client)
        await a_long_question(line, client)
        await strange_requests(client)
        await live(line, client)
        await the_page_needs_no_internet(client)
        await every_route_is_described(client)


async def reading(client: httpx.AsyncClient) -> None:
    tags = {row["name"]: row for row in (await client.get("/tags")).json()}
    assert tags["TT-309"]["quality"] == "GOOD"
    assert tags["TT-309"]["age_s"] is not None
    assert tags["TT-309"]["unit"] == "°C"
    assert tags["MIC-306.SP"]["writable"] is True
    assert tags["MT-306"]["value"] is None  # no powder, no reading: BAD, and never a last value
    assert tags["MT-306"]["quality"] == "BAD"
    only = (await client.get("/tags", params={"station": "drying"})).json()
    assert {row["station"] for row in only} == {"drying"}
    by_alias = (await client.get("/tags/drying.ambient_temp")).json()
    assert by_alias["name"] == "TT-309"
    status = (await client.get("/status")).json()
    assert all(station["is_up"] for station in status["stations"].values())
    names = {row["name"] for row in (await client.get("/recipes")).json()}
    assert "kudzu-lobata-standard" in names
    recipe = (await client.get("/recipes/kudzu-lobata-standard")).json()
    assert recipe["procedure"].keys() == {"screening", "grinding", "drying"}
    text = (await client.get("/metrics")).text
    assert 'linecontrol_station_up{station="drying"} 1.0' in text
    assert 'linecontrol_history_rows_total{what="dropped"} 0.0' in text


async def refusals(client: httpx.AsyncClient) -> None:
    """Errors are problem details that say what is accepted, and nothing is changed."""
    for path in ("/tags/NO-1", "/runs/none", "/recipes/none", "/nothing"):
        answer = await client.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["instance"] == path
    cases: list[tuple[str, dict[str, object], int, str]] = [
        ("/commands", {"tag": "SC-307", "value": 140}, 409, "accepted: 0 to 100 %"),
        ("/commands", {"tag": "TT-303", "value": 1}, 409, "read-only"),
        ("/commands", {"tag": "XV-312", "value": 0}, 409, "divert guard"),
        ("/commands", {"tag": "HB-300", "value": 7}, 409, "station's own watch"),
        ("/commands", {"tag": "SC-307", "value": "NaN"}, 409, "takes a number"),
        ("/commands", {"tag": "SC-307"}, 422, "value"),
        ("/commands", {"tag": "SC-307", "value": 1, "extra": 1}, 422, "extra"),
        ("/runs", {"recipe": "none"}, 422, "kudzu-lobata-standard"),
        ("/runs", {"recipe": "kudzu-lobata-standard", "values": {"root_kg": 1}}, 422, "50 to 20000 kg"),
        ("/runs", {"recipe": "kudzu-lobata-standard", "values": {"nope": 1}}, 422, "root_kg"),
        ("/runs", {"recipe": "kudzu-lobata-standard", "mode": "wild"}, 422, "semi-automatic"),
        ("/runs/none/commands", {"command": "hold"}, 409, "not in hand"),
    ]
    for path, body, code, words in cases:
        answer = await client.post(path, json=body)
        assert answer.status_code == code, (path, body, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert words in answer.text, (words, answer.text)
    headers = {"Content-Type": "application/json"}
    broken = await client.post("/commands", content=b'{"tag": "SC-307", "value": 1', headers=headers)
    assert broken.status_code == 422
    for number in (b"NaN", b"Infinity", b"-Infinity", b"1e999"):  # no JSON, but what some programs write
        refused = await client.post(
            "/commands", content=b'{"tag": "SC-307", "value": ' + number + b"}", headers=headers
        )
        assert refused.status_code == 409, refused.text
        assert refused.headers["content-type"] == "application/problem+json"
        assert "finite" in refused.json()["detail"]
    assert (await client.get("/tags/SC-307")).json()["value"] == 0


async def a_run(line: Line, client: httpx.AsyncClient) -> None:
    answer = await client.post("/commands", json={"tag": "SC-307", "value": 25, "who": "li", "reason": "test"})
    assert answer.status_code == 200, answer.text
    written = answer.json()
    assert (written["outcome"], written["readback"], written["who"]) == ("confirmed", 25.0, "operator:li")
    stale = await client.post("/commands", json={"tag": "SC-307", "value": 30, "expected": 99})
    assert stale.status_code == 409
    starts = [
        client.post("/runs", json={"recipe": "kudzu-lobata-standard", "run_id": "trial-1", "who": "li"})
        for _ in range(50)
    ]
    answers = await asyncio.gather(*starts)
    assert {answer.status_code for answer in answers} == {201}  # one run; a retry gets the same
    rows = (await client.get("/audit", params={"action": "POST /runs", "limit": 50})).json()
    assert sorted(row["outcome"] for row in rows if row["outcome"] != "refused") == ["done"] + ["repeated"] * 49
    assert {row["who"] for row in rows if row["outcome"] == "done"} == {"operator:li"}
    assert {answer.json()["run_id"] for answer in answers} == {"trial-1"}
    other = await client.post("/runs", json={"recipe": "kudzu-lobata-standard"})
    assert other.status_code == 409
    held_by_recipe = await client.post("/commands", json={"tag": "SC-103", "value": 5})
    assert "Manual" in held_by_recipe.json()["detail"]
    wrong = await client.post("/runs/trial-1/commands", json={"command": "restart"})
    assert (wrong.status_code, "legal now" in wrong.json()["detail"]) == (409, True)
    unknown = await client.post("/runs/trial-1/commands", json={"command": "unhold"})
    assert (unknown.status_code, "restart" in unknown.json()["detail"]) == (422, True)
    stale_run = await client.post("/runs/trial-1/commands", json={"command": "pause", "expected": "Held"})
    assert (stale_run.status_code, "no longer Held" in stale_run.json()["detail"]) == (409, True)
    for command, state in (("hold", "Held"), ("restart", "Running"), ("pause", "Paused"), ("abort", "Aborted")):
        answer = await client.post("/runs/trial-1/commands", json={"command": command, "who": "li"})
        assert answer.status_code == 200, answer.text
        await until(lambda s=state: line.runs.state is not None and line.runs.state.value == s)
    await line.historian.flush()
    record = (await client.get("/runs/trial-1")).json()
    assert (record["state"], record["recipe"]) == ("Aborted", "kudzu-lobata-standard")
    assert record["ended_at"] is not None
    assert [row["run_id"] for row in (await client.get("/runs")).json()] == ["trial-1"]
    again = await client.post("/runs", json={"recipe": "kudzu-lobata-standard", "run_id": "trial-1"})
    assert again.json()["state"] == "Aborted"  # a retry of an old start does not start anew
    receipts = (await client.get("/commands", params={"limit": 1000})).json()
    assert any(row["who"] == "operator:li" and row["tag"] == "SC-307" for row in receipts)
    assert any(row["outcome"] == "refused" and row["tag"] == "SC-103" for row in receipts)
    events = (await client.get("/events", params={"limit": 1000})).json()
    assert [row["time"] for row in events] == sorted((row["time"] for row in events), reverse=True)  # newest first
    kinds = {row["kind"] for row in events}
    assert {"run.state", "plc.claimed"} <= kinds
    span = {"end": line.clock.now() - 1.0}  # what comes between the questions is left out
    rows = (await client.get("/samples", params={"tag": "SC-307", **span})).json()["SC-307"]
    assert 25.0 in [row["value"] for row in rows]
    trend = (await client.get("/trends", params={"tag": "SC-307", "points": 50, **span})).json()["SC-307"]
    assert 25.0 in trend["value"]
    assert len(trend["time"]) == len(trend["value"]) <= trend["rows"] == len(rows)
    figures = (await client.get("/statistics", params={"tag": ["SC-307", "TT-303"], **span})).json()
    assert figures["SC-307"]["high"] == max(row["value"] for row in rows if row["value"] is not None)
    assert figures["TT-303"]["low"] <= figures["TT-303"]["mean"] <= figures["TT-303"]["high"]
    assert (await client.get("/trends", params={"tag": "NOPE-1"})).status_code == 404


async def laboratory(line: Line, client: httpx.AsyncClient) -> None:
    """Values carry the time of their sample; the answer says what was thought of them."""

    def body(ago_s: float, **changes: object) -> dict[str, object]:
        sampled = datetime.fromtimestamp(line.clock.now() - ago_s, UTC).isoformat()
        return {"tag": "MT-306", "value": 12.9, "sampled_at": sampled, "who": "li", **changes}

    for wrong, words in (
        (body(-3600.0), "in the future"),
        (body(60.0, value=55), "0 to 40 % wb"),
        (body(60.0, tag="TT-303"), "accepted: MT-306"),
        (body(60.0, tag="NO-1"), "accepted: MT-306"),
        (body(60.0, run_id="none"), "no run 'none'"),
        (body(7200.0, run_id="trial-1"), "was not under way"),
        (body(60.0, u=0), "above 0"),
        (body(60.0, sampled_at="2026-01-12T10:40:00"), "timezone"),
        (body(60.0, extra=1), "extra"),
    ):
        answer = await client.post("/lab", json=wrong)
        assert (answer.status_code, words in answer.text) == (422, True), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await client.get("/lab")).json() == []
    entered = await client.post("/lab", json=body(5.0, lab_id="mine", note="bag 3"))
    assert entered.status_code == 201, entered.text
    assert (entered.json()["verdict"], entered.json()["note"]) == ("no-reading", "bag 3")  # no powder came
    again = await client.post("/lab", json=body(5.0, lab_id="mine"))
    assert again.json() == entered.json()
    assert (await client.get("/lab", params={"tag": "MT-306"})).json() == [entered.json()]
    assert (await client.get("/lab", params={"tag": "NO-1"})).status_code == 422
    (bias,) = (await client.get("/lab/bias")).json()
    assert (bias["tag"], bias["bias"], bias["values_used"], bias["is_accepted"]) == ("MT-306", 0.0, 0, False)
    refused = await client.post("/commands", json={"tag": "MT-306.BIAS_OK", "value": 1, "who": "li"})
    assert (refused.status_code, "too few" in refused.text) == (502, True), refused.text
    assert (await client.get("/tags/MT-306.BIAS_U")).json()["value"] > 0.0


async def advice(client: httpx.AsyncClient) -> None:
    """An aborted run is worth no advice, and nothing is taken from a run that is over."""
    found = (await client.get("/runs/trial-1/set-point-advice")).json()
    assert (found["loop"], found["set_point"], "longer run" in found["reason"]) == ("MIC-306", None, True)
    unknown = await client.get("/runs/none/set-point-advice")
    assert (unknown.status_code, "trial-1" in unknown.text) == (422, True)
    for body, code in (({"who": "li"}, 409), ({}, 409), ({"who": "li", "set_point": "wet"}, 422)):
        assert (await client.post("/runs/trial-1/set-point-advice", json=body)).status_code == code


async def tuning(line: Line, client: httpx.AsyncClient) -> None:
    """What can be seen of tuning on a cold line, and what is refused, with its reason."""
    rows = {row["loop"]: row for row in (await client.get("/tuning")).json()}
    assert {"TIC-303", "MIC-306"} <= rows.keys()
    one = rows["TIC-303"]
    assert one["gains"] == one["line_file"]
    assert (one["differs_from_line_file"], one["trial"], one["last_test"]) == (False, None, None)
    assert (await client.get("/tuning/TIC-303")).json()["gains"]["k"] == one["gains"]["k"]
    signed = {"who": "li", "reason": "a test"}
    own = {"k": 1.0, "ti_s": 60.0}
    cases: list[tuple[str, str, dict[str, object] | None, int, str]] = [
        ("GET", "/tuning/XIC-9", None, 404, "TIC-303"),
        ("GET", "/tuning/TIC-303/result", None, 404, "no test of TIC-303"),
        ("POST", "/tuning/XIC-9/test", signed, 404, "XIC-9"),
        ("POST", "/tuning/TIC-303/test", {"who": "li"}, 422, "reason"),
        ("POST", "/tuning/TIC-303/test", {**signed, "reason": ""}, 422, "reason"),
        ("POST", "/tuning/TIC-303/test", {**signed, "kind": "dance"}, 422, "step"),
        ("POST", "/tuning/TIC-303/test", {**signed, "size": 0.0}, 422, "size 0.0 is not accepted"),
        ("POST", "/tuning/TIC-303/test", {**signed, "size": 1000.0}, 422, "up to 100"),
        ("POST", "/tuning/TIC-303/test", {**signed, "pv_limit": -1.0}, 422, "pv_limit"),
        ("POST", "/tuning/TIC-303/test", {**signed, "rest_s": 1.0}, 422, "rest_s"),
        ("POST", "/tuning/MIC-306/test", signed, 409, "MT-306 is not GOOD"),
        ("POST", "/tuning/TIC-303/abort", signed, 409, "not under test"),
        ("POST", "/tuning/TIC-303/accept", signed, 409, "no gains are on trial"),
        ("POST", "/tuning/TIC-303/revert", signed, 409, "no gains were applied"),
        ("POST", "/tuning/TIC-303/apply", signed, 409, "no test of this loop"),
        ("POST", "/tuning/TIC-303/apply", {**signed, "gains": {**own, "k": 0.0}}, 422, "k"),
        ("POST", "/tuning/TIC-303/apply", {**signed, "gains": {**own, "k": -2.0}}, 422, "k"),
        ("POST", "/tuning/TIC-303/apply", {**signed, "gains": {**own, "ti_s": 1e9}}, 422, "ti_s 1e+09"),
        ("POST", "/tuning/TIC-303/apply", {**signed, "gains": own, "candidate": "best"}, 422, "not both"),
        ("POST", "/tuning/TIC-303/apply", {"gains": own}, 422, "reason"),
    ]
    for method, path, body, code, words in cases:
        answer = await client.request(method, path, json=body)
        assert answer.status_code == code, (path, body, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert words in answer.text, (path, answer.text)
    before = (await client.get("/tags/TIC-303.K")).json()["value"]
    applied = (await client.post("/tuning/TIC-303/apply", json={**signed, "gains": own})).json()
    assert applied["trial"]["who"] == "operator:li"
    assert applied["differs_from_line_file"]
    assert applied["gains"]["k"] == 1.0
    assert applied["gains"]["b"] == applied["line_file"]["b"] == 0.6, "what was not asked for stays"
    await line.historian.flush()
    event = (await client.get("/events", params={"kind": "tuning.applied"})).json()[0]
    assert event["data"]["who"] == "operator:li"
    assert event["data"]["reason"] == "a test"
    assert event["data"]["old"]["k"] == before
    assert event["data"]["new"]["k"] == 1.0
    reverted = (await client.post("/tuning/TIC-303/revert", json=signed)).json()
    assert (reverted["trial"], reverted["gains"]["k"], reverted["differs_from_line_file"]) == (None, before, False)


async def nothing_else_is_written(line: Line, client: httpx.AsyncClient) -> None:
    """Whatever is no tag that may be written is refused, and the try is on record."""
    names = [name for name, tag in line.image.tags.items() if not tag.writable]
    assert len(names) > 50
    for name in [*names, "NO-1", "40001", "ns=2;s=Drying.OWN", "'; DROP TABLE tag; --"]:
        answer = await client.post("/commands", json={"tag": name, "value": 1})
        assert (answer.status_code, answer.json()["errors"][0]["readback"]) == (409, None), name
    rows = (await client.get("/audit", params={"action": "POST /commands", "outcome": "refused", "limit": 1000})).json()
    assert set(names) <= {json.loads(row["new"] or "{}").get("tag") for row in rows}


async def a_long_question(line: Line, client: httpx.AsyncClient) -> None:
    """Ten years of everything: bounded."""
    now = line.clock.now()
    tags = list(line.image.tags)[:20]
    await client.get("/samples", params={"tag": tags[0], "limit": 1})  # starts the process that answers
    for path, params in (
        ("/samples", {"tag": tags, "start": now - 10 * 365 * 86_400.0, "end": now}),
        ("/events", {"since": 0.0, "limit": 1000}),
        ("/audit", {"since": 0.0, "limit": 1000}),
    ):
        answer = await client.get(path, params=params)
        assert answer.status_code == 200
        assert answer.content.count(b'"time"') <= 20 * 10_000
    for path in ("/events?limit=100000", "/samples?tag=TT-303&limit=100000000", "/audit?limit=-1", "/runs?limit=nan"):
        assert (await client.get(path)).status_code == 422
    assert (await client.get("/samples", params={"tag": ["TT-303"] * 21})).status_code == 422


async def strange_requests(client: httpx.AsyncClient) -> None:
    """Values of every kind in every field of every route, seeded: an answer in words, never a failure of ours."""
    schema = (await client.get("/openapi.json")).json()
    strange = random.Random(1)
    values: list[object] = [None, True, 0, -1, 2**63, 1e308, "", "x" * 600, "\x00", "'", "../..", [], {}, [1], {"a": 1}]
    values += [math.nan, math.inf, [math.nan], {"a": -math.inf}]
    values += ["葛根", "\u202e", "=1+1", "NaN", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59+00:00", 10**400]
    for _ in range(FUZZ_ROUNDS):
        for path, methods in schema["paths"].items():
            for method, operation in methods.items():
                if (method, path) in ENDING:
                    continue
                target = re.sub(r"\{\w+\}", lambda _m: quote(str(strange.choice(values))[:80] or "x", safe=""), path)
                params = {
                    p["name"]: str(strange.choice(values))[:400]
                    for p in operation.get("parameters", ())
                    if p["in"] == "query" and strange.random() < 0.7
                }
                fields = _fields(schema, operation)
                body = {name: strange.choice(values) for name in fields if strange.random() < 0.8}
                content = json.dumps(body) if fields else None
                headers = {"Content-Type": "application/json"}
                answer = await client.request(method, target, params=params, content=content, headers=headers)
                assert answer.status_code < 500 or answer.status_code == 502, (
                    method,
                    target,
                    params,
                    body,
                    answer.text,
                )


def _fields(schema: dict[str, Any], operation: dict[str, Any]) -> list[str]:
    """Names in the body of an operation."""
    if "requestBody" not in operation:
        return []
    name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    return list(schema["components"]["schemas"][name]["properties"])


async def foreigners(client: httpx.AsyncClient) -> None:
    """A foreign page in somebody's browser, or a rebound host name, gets nothing."""
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
        for answer in (
            await client.get("/tags", headers=headers),
            await client.post("/commands", json={"tag": "SC-307", "value": 50}, headers=headers),
        ):
            assert answer.status_code == 403
    same = str(client.base_url).rstrip("/")
    assert (await client.get("/tags/SC-307", headers={"Origin": same})).status_code == 200


async def live(line: Line, client: httpx.AsyncClient) -> None:
    url = str(client.base_url).replace("http://", "ws://").rstrip("/") + "/ws/live"
    token = {"Authorization": client.headers["Authorization"]}
    with pytest.raises(InvalidStatus):
        async with connect(url, origin="https://evil.example", additional_headers=token):  # type: ignore[arg-type]
            pass
    async with connect(url, proxy=None, additional_headers=token) as socket:
        first = json.loads(await socket.recv())
        assert first["type"] == "snapshot"
        assert first["tags"].keys() == line.image.tags.keys()
        seen = set()
        while "SEQ-300" not in seen:
            update = json.loads(await socket.recv())
            assert update["type"] == "update"
            seen |= update["tags"].keys()


async def the_page_needs_no_internet(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    assert "swagger" in page
    for source in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert source.startswith("/"), source
        assert (await client.get(source)).status_code == 200


async def every_route_is_described(client: httpx.AsyncClient) -> None:
    schema = (await client.get("/openapi.json")).json()
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), f"{method} {path} has no description"
    for name in ("CommandIn", "RunStart", "RunCommand", "LabIn", "AdviceTaken", "TestIn", "ApplyIn", "Signed"):
        assert schema["components"]["schemas"][name]["examples"]
