"""The table of rights against the API as it is: every route, every role, nothing undeclared, one audit row each."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from access_rig import ROLES, Site, application, routes_of, site
from fastapi.routing import APIRoute
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from linecontrol.api.matching import match
from linecontrol.api.rights import PAGES, ROUTES, SOCKETS, Right, Role, rights_of
from linecontrol.api.rights import ROLES as RIGHTS_OF

UNSAFE = [route for route in ROUTES if not route.startswith("GET ")]


def filled(path: str) -> str:
    """A path with something in place of its parameters."""
    return (
        path.replace("{loop}", "TIC-303").replace("{file}", "start.js").replace("{name}", "nobody")
        if ("{loop}" in path or "{file}" in path or "{name}" in path)
        else re.sub(r"\{\w+\}", "x1", path)
    )


async def ask(client: httpx.AsyncClient, route: str) -> httpx.Response:
    method, _, path = route.partition(" ")
    body = {} if method in ("POST", "PUT", "PATCH") else None
    if path == "/runs/{run_id}/commands":
        body = {"command": "hold"}
    return await client.request(method, filled(path), json=body)


async def test_every_route_is_in_the_table_and_every_row_is_a_route(tmp_path: Path) -> None:
    app = application(tmp_path)
    found = {"GET /openapi.json"}
    sockets = set()
    for route in routes_of(app):
        if isinstance(route, APIRoute):
            found |= {f"{method} {route.path}" for method in route.methods}
        else:
            sockets.add(route.path)
    assert found == ROUTES.keys(), "a route is added to linecontrol/api/rights.py together with its right"
    assert sockets == SOCKETS.keys()
    described = {f"{method.upper()} {path}" for path, methods in app.openapi()["paths"].items() for method in methods}
    assert described <= ROUTES.keys()


def test_a_path_falls_under_its_own_row() -> None:
    """Also where a parameter of another row would match it."""
    for route in ROUTES:
        method, _, path = route.partition(" ")
        assert match(method, filled(path)).route == route or "{" in path
        assert match(method, path.replace("{", "").replace("}", "")).right is ROUTES[route]
    assert match("GET", "/runs/current").route == "GET /runs/current"
    assert match("POST", "/users/first").route == "POST /users/first"
    for path in ("/tags/", "//tags", "/tags/a/b", "/TAGS", "/docs/a/b", "/runs/x1/commands/", "/tags%2f", ""):
        assert match("GET", path).right is None, path


async def test_what_is_not_in_the_table_is_out_of_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A route somebody has forgotten to declare answers nobody, not even the command line of this computer."""
    monkeypatch.delitem(ROUTES, "GET /status")
    from linecontrol.api import matching

    matching._patterns.cache_clear()
    try:
        async with site(tmp_path) as here:
            assert (await here.console.get("/status")).status_code == 404
            assert (await here.anonymous.get("/status")).status_code == 401
    finally:
        monkeypatch.undo()
        matching._patterns.cache_clear()


async def test_every_role_gets_what_is_its_own_and_nothing_else(tmp_path: Path) -> None:
    """Every route for every role and for nobody: 401 or 403 and an untouched plant, or let through."""
    async with site(tmp_path) as here:
        await here.make_users()
        kept = await state(here)
        for role in ("", *ROLES):
            rights = rights_of(Role(role)) if role else frozenset({Right.PUBLIC})
            for route, right in ROUTES.items():
                if route == "DELETE /session":
                    continue  # it would end the session; tests/api/test_api_sessions.py
                client = here.as_(role) if role else here.anonymous
                here.plant.touched.clear()
                answer = await ask(client, route)
                if right in rights:
                    assert answer.status_code not in (403, 404, 405) or "nobody" in answer.text or "x1" in answer.text
                    assert answer.status_code != 401 or route in ("POST /session", "POST /users/first"), route
                else:
                    assert answer.status_code == (403 if role else 401), (role, route, answer.text)
                    assert answer.headers["content-type"] == "application/problem+json"
                    assert here.plant.touched == []
        assert await state(here) == kept


async def state(here: Site) -> list[object]:
    """Everything that a change over the API could have changed here."""
    users = (await here.console.get("/users")).json()
    sessions = (await here.console.get("/sessions")).json()
    tokens = (await here.console.get("/tokens")).json()
    return [users, [row["id"] for row in sessions], tokens]


@pytest.mark.parametrize("role", ["", "researcher", "operator", "admin"])
async def test_every_change_leaves_exactly_one_row(role: str, tmp_path: Path) -> None:
    """Done, refused or denied, by whomever: one row that says who, what, from where and what came of it."""
    async with site(tmp_path) as here:
        await here.make_users("operator", "researcher", "admin")
        numbers = [row["number"] for row in await here.audit()]
        client = here.as_(role) if role else here.anonymous
        for route in sorted(UNSAFE, key=lambda route: route == "DELETE /session"):
            answer = await ask(client, route)
            rows = [row for row in await here.audit() if row["number"] not in numbers]
            assert len(rows) == 1, route
            (row,) = rows
            numbers.append(row["number"])
            assert row["number"] == max(numbers)
            assert row["action"] == route
            assert row["target"] == filled(route.partition(" ")[2])
            assert row["address"] == "127.0.0.1"
            is_known = role and answer.status_code != 401
            assert row["who"] == (f"operator:{role}" if is_known else "anonymous")
            assert bool(row["session"]) == bool(role)
            if answer.status_code in (401, 403):
                assert row["outcome"] == "denied"
                assert row["detail"]
            elif answer.status_code < 400:
                assert row["outcome"] == "done"
            else:
                assert row["outcome"] == "refused"


async def test_asking_leaves_no_row(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        before = await here.audit()
        for route in ROUTES.keys() - set(UNSAFE):
            await ask(here.console, route)
            await ask(here.anonymous, route)
        assert await here.audit() == before


async def test_websockets_ask_for_a_right_before_they_are_accepted(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.make_users("researcher")
        for path in SOCKETS:
            url = here.url.replace("http", "ws") + path
            good = {"Authorization": f"Bearer {here.tokens['researcher']}"}
            for headers in ({}, {"Authorization": "Bearer wrong"}, {**good, "Origin": "https://evil.example"}):
                with pytest.raises(InvalidStatus) as caught:
                    async with connect(url, proxy=None, additional_headers=headers):
                        pass
                assert caught.value.response.status_code == 403
            async with connect(url, proxy=None, additional_headers=good) as socket:
                assert await socket.recv()
        with pytest.raises(InvalidStatus):
            async with connect(here.url.replace("http", "ws") + "/ws/none", proxy=None, additional_headers=good):
                pass


async def test_stopping_asks_for_less_than_going_on(tmp_path: Path) -> None:
    """What is in the body counts too: a researcher stops nothing, and gains are not set by the way of a command."""
    async with site(tmp_path) as here:
        await here.make_users("operator", "technician", "researcher")

        async def told(role: str, path: str, **body: object) -> int:
            return (await here.as_(role).post(path, json=body)).status_code

        for command in ("hold", "stop", "abort", "restart", "resume", "reset", "proceed", "manual"):
            assert await told("operator", "/runs/x1/commands", command=command) == 409
            assert await told("researcher", "/runs/x1/commands", command=command) == 403
        for tag in ("TIC-303.K", "TIC-303.TI", "TIC-303.TD", "MIC-306.STRATEGY", "MT-306.BIAS_OK"):
            here.plant.touched.clear()
            assert await told("operator", "/commands", tag=tag, value=1) == 403
            assert here.plant.touched == []
            assert await told("technician", "/commands", tag=tag, value=1) == 409
        assert await told("operator", "/commands", tag="TIC-303.SP", value=1) == 409
        assert here.plant.touched[-1] == "gate.submit"


def test_roles_are_what_the_guide_says() -> None:
    """docs/access.md is generated from nothing, but held against the table."""
    guide = (Path(__file__).parents[2] / "docs" / "access.md").read_text(encoding="utf-8")
    rows = {
        cells[0].strip(): [cell.strip() == "yes" for cell in cells[2:]]
        for line in guide.splitlines()
        if line.startswith("| `") and len(cells := line.strip("|").split("|")) == 2 + len(ROLES)
    }
    order = [Role.RESEARCHER, Role.OPERATOR, Role.TECHNICIAN, Role.SUPERVISOR, Role.ADMIN]
    assert {right.strip("`") for right in rows} == {right.value for right in Right if right is not Right.PUBLIC}
    for right, marks in rows.items():
        assert marks == [Right(right.strip("`")) in RIGHTS_OF[role] for role in order], right


def test_every_page_asks_for_a_right_some_role_has() -> None:
    assert all(any(right in RIGHTS_OF[role] for role in Role) for right in PAGES.values())
    assert RIGHTS_OF[Role.RESEARCHER] <= RIGHTS_OF[Role.OPERATOR] <= RIGHTS_OF[Role.TECHNICIAN]
    assert RIGHTS_OF[Role.TECHNICIAN] <= RIGHTS_OF[Role.SUPERVISOR] <= RIGHTS_OF[Role.ADMIN]
