"""Sessions: first start, log-in, guessing, idle lock, revocation, cookies, tokens of scripts."""

from __future__ import annotations

import asyncio
import json
import stat
import statistics
import time
from contextlib import suppress
from pathlib import Path

import pytest
from access_rig import PASSWORD, Plant, Skipping, site
from argon2 import PasswordHasher, extract_parameters
from hypothesis import given
from hypothesis import strategies as st
from line_rig import PATIENCE_S
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from linecontrol.api.passwords import Passwords, check_new
from linecontrol.api.throttle import MOST, MOST_PER_DOOR, WINDOW_S, Throttle
from linecontrol.core.errors import ConfigError
from linecontrol.history import open_reader

ORIGIN = "https://evil.example"


async def test_a_fresh_start_knows_nobody_but_its_one_time_token(tmp_path: Path) -> None:
    """S1: no default password; the token makes one administrator, once."""
    async with site(tmp_path) as here:
        for name in ("admin", "operator", "demo", "root", ""):
            for password in ("", "admin", "password", "linecontrol", PASSWORD):
                assert (await here.log_in(name, password)).status_code in (401, 422, 429)
        path = tmp_path / "access" / "first-admin.token"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        token = path.read_text().strip()
        assert token == here.api.first_token
        assert (await here.anonymous.get("/welcome")).json()["needs_admin"] is True
        here.plant.clock.leap += WINDOW_S
        body = {"name": "wang", "password": PASSWORD, "language": "zh"}
        wrong = await here.anonymous.post("/users/first", json={**body, "token": "lcf_wrong"})
        assert wrong.status_code == 401
        made = await here.anonymous.post("/users/first", json={**body, "token": token})
        assert (made.status_code, made.json()["role"]) == (201, "admin"), made.text
        assert not path.exists()
        again = await here.anonymous.post("/users/first", json={**body, "name": "li", "token": token})
        assert again.status_code == 409
        assert (await here.anonymous.get("/welcome")).json()["needs_admin"] is False
        welcome = (await here.log_in("wang")).json()
        assert (welcome["role"], welcome["language"], welcome["demo"]) == ("admin", "zh", False)


async def test_the_first_token_cannot_be_guessed_at_leisure(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        body = {"name": "wang", "password": PASSWORD}
        codes = [
            (await here.anonymous.post("/users/first", json={**body, "token": f"lcf_{n}"})).status_code
            for n in range(12)
        ]
        assert codes.count(401) <= MOST_PER_DOOR
        assert codes[-1] == 429


async def test_a_flood_of_guesses_is_not_looked_at_and_stops_nobody(tmp_path: Path) -> None:
    """S2: 200 tries, few of them judged; who is logged in goes on, and can stop the line."""
    async with site(tmp_path) as here:
        await here.make_users("operator")
        client = here.as_("operator")
        answers = await asyncio.gather(*(here.log_in("operator", f"guess number {n}") for n in range(200)))
        codes = [answer.status_code for answer in answers]
        assert set(codes) <= {401, 429}
        assert 1 <= codes.count(401) <= 20
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert int(refused.headers["retry-after"]) >= 1
        stopped = await client.post("/runs/x1/commands", json={"command": "stop"})
        assert (stopped.status_code, here.plant.touched[-1]) == (409, "runs.command")
        here.plant.clock.leap += WINDOW_S
        assert (await here.log_in("operator")).status_code == 201


async def test_a_new_password_from_an_administrator_lets_in_again(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.make_users("operator")
        for n in range(MOST_PER_DOOR):
            await here.log_in("operator", f"guess number {n}")
        assert (await here.log_in("operator")).status_code == 429
        await here.console.patch("/users/operator", json={"password": "another long one"})
        # the address, which may be anybody's, stays slow for its own failures only
        here.plant.clock.leap += 70.0
        assert (await here.log_in("operator", "another long one")).status_code == 201


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.floats(0.0, 30.0)), max_size=300))
def test_no_name_and_no_address_is_tried_more_often_than_allowed(tries: list[tuple[str, str, float]]) -> None:
    throttle, now, judged = Throttle(), 0.0, []
    for name, address, pause in tries:
        now += pause
        if throttle.wait_s(name, address, now) == 0.0:
            judged.append((name, address, now))
            throttle.failed(name, address, now)
    for name, address, at in judged:
        window = [row for row in judged if at - WINDOW_S < row[2] <= at]
        assert sum(row[:2] == (name, address) for row in window) <= MOST_PER_DOOR
        assert sum(row[0] == name for row in window) <= MOST
        assert sum(row[1] == address for row in window) <= MOST


def test_a_waiting_time_that_is_waited_for_is_over() -> None:
    throttle, now = Throttle(), 0.0
    for _ in range(60):
        wait_s = throttle.wait_s("li", "10.0.0.1", now)
        now += wait_s + 1e-6
        assert throttle.wait_s("li", "10.0.0.1", now) == 0.0
        throttle.failed("li", "10.0.0.1", now)
    assert throttle.wait_s("li", "10.0.0.2", now + 100.0) < WINDOW_S
    assert throttle.wait_s("wu", "10.0.0.3", now) == 0.0


async def test_passwords_are_argon2id_slow_and_salted(tmp_path: Path) -> None:
    """S3."""
    async with site(tmp_path) as here:
        await here.make_users("operator", "researcher")
        store = here.plant.historian.access()
        one, other = (row.password_hash for row in store.users())
        assert one != other  # the same password, a salt each
        found = extract_parameters(one)
        assert (found.type.name, found.memory_cost, found.parallelism) == ("ID", 65_536, 1)
        start = time.thread_time()
        PasswordHasher().verify(one, PASSWORD)
        assert time.thread_time() - start >= 0.05
        files = b"".join(path.read_bytes() for path in sorted(tmp_path.glob("history*")))  # noqa: ASYNC240
        for secret in (PASSWORD, *here.tokens.values(), here.door.console):
            assert secret.encode() not in files


@pytest.mark.timeout(300)
async def test_nobody_learns_who_has_an_account() -> None:
    """S4: the same answer, and as long, for a wrong password and for nobody. Processor time, two hundred tries."""
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1))
    known = await passwords.hashed(PASSWORD)
    took: dict[bool, list[float]] = {True: [], False: []}
    for n in range(200):
        for is_known in (True, False):
            start = time.process_time()
            assert not await passwords.is_right(f"guess {n}", known if is_known else None)
            took[is_known].append(time.process_time() - start)
    one, other = (statistics.median(times) for times in took.values())
    assert abs(one - other) / max(one, other) < 0.10
    passwords.close()


async def test_every_refused_log_in_says_the_same(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.make_users("operator", "researcher")
        await here.console.patch("/users/researcher", json={"is_enabled": False})
        answers = [
            await here.log_in("nobody", "some password"),
            await here.log_in("operator", "some password"),
            await here.log_in("researcher"),
        ]
        assert {(a.status_code, a.json()["detail"]) for a in answers} == {(401, "name or password is wrong")}
        assert '"nobody"' not in json.dumps(await here.audit(action="POST /session"))  # it may be a password


async def test_cookies_and_rotation(tmp_path: Path) -> None:
    """S5, S10: a page cannot read the cookie, no other site can use it, and an old one is worth nothing."""
    async with site(tmp_path) as here:
        await here.make_users("operator")
        cookie = (await here.log_in("operator")).headers["set-cookie"]
        assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", "Path=/"))
        assert "Secure" not in cookie  # over TLS it is; tests/api/test_api_tls.py
        value = cookie.partition(";")[0]
        browser = here.with_token(None, Cookie=value)
        assert (await browser.get("/session")).json()["user"] == "operator"
        bare = await browser.post("/commands", json={"tag": "TT-303", "value": 1})
        assert (bare.status_code, "x-requested-with" in bare.text) == (403, True)
        mine = here.with_token(None, Cookie=value, **{"X-Requested-With": "linecontrol"})
        assert (await mine.post("/commands", json={"tag": "TT-303", "value": 1})).status_code == 409
        again = await mine.post("/session", json={"user": "operator", "password": PASSWORD})
        assert again.status_code == 201
        assert (await browser.get("/session")).status_code == 401  # the id before this log-in


async def test_another_origin_gets_nothing(tmp_path: Path) -> None:
    """S10, with every credential there is, on every route that changes anything."""
    from linecontrol.api.rights import ROUTES

    async with site(tmp_path) as here:
        await here.make_users("admin")
        cookie = (await here.log_in("admin")).headers["set-cookie"].partition(";")[0]
        for client in (here.console, here.as_("admin"), here.with_token(None, Cookie=cookie)):
            for route in ROUTES:
                method, _, path = route.partition(" ")
                headers = {"Origin": ORIGIN, "X-Requested-With": "linecontrol"}
                answer = await client.request(method, path, headers=headers, json={} if method == "POST" else None)
                assert answer.status_code == 403, route
                rebound = await client.request(method, path, headers={"Host": "evil.example"})
                assert rebound.status_code == 403, route
        assert here.plant.touched == []
        for origin in ("null", "http://127.0.0.1:1", here.url.replace("http:", "https:"), "http://[", "file://"):
            assert (await here.console.get("/tags", headers={"Origin": origin})).status_code == 403
        assert (await here.console.get("/tags", headers={"Origin": here.url})).status_code == 200


@pytest.mark.parametrize(("role", "idle_s"), [("operator", 900.0), ("admin", 300.0), ("supervisor", 900.0)])
async def test_a_console_left_alone_locks_but_stops(role: str, idle_s: float, tmp_path: Path) -> None:
    """S6: the view stays, commands are locked, Hold and Stop and Abort still work."""
    async with site(tmp_path) as here:
        await here.make_users(role)
        client, clock = here.as_(role), here.plant.clock

        async def locked() -> bool:
            return bool((await client.get("/session")).json()["locked"])

        clock.leap += idle_s - 20.0
        assert not await locked()
        assert (await client.get("/tags", headers={"X-Linecontrol-Active": "1"})).status_code == 200
        clock.leap += idle_s - 20.0
        assert not await locked()  # somebody was there meanwhile
        clock.leap += 40.0
        assert await locked()
        assert (await client.get("/tags")).status_code == 200
        assert (await client.get("/tags", headers={"X-Linecontrol-Active": "1"})).status_code == 200
        assert await locked()  # a touch does not unlock
        for path, body in (
            ("/commands", {"tag": "TT-303", "value": 1}),
            ("/runs", {"recipe": "x"}),
            ("/runs/x1/commands", {"command": "restart"}),
            ("/runs/x1/commands", {"command": "proceed"}),
        ):
            answer = await client.post(path, json=body)
            assert (answer.status_code, "locked" in answer.json()["detail"]) == (423, True)
        assert here.plant.touched == []
        for command in ("hold", "stop", "abort"):
            assert (await client.post("/runs/x1/commands", json={"command": command})).status_code == 409
            assert here.plant.touched.pop() == "runs.command"
        view = (await client.get("/session")).json()
        assert {"view", "halt"} <= set(view["rights"])
        assert "operate" not in view["rights"]
        assert "operate" in view["all_rights"]
        assert (await client.post("/session/unlock", json={"password": "not this one"})).status_code == 401
        assert (await client.post("/session/unlock", json={"password": PASSWORD})).json()["locked"] is False
        assert (await client.post("/commands", json={"tag": "TT-303", "value": 1})).status_code == 409


async def test_a_shift_later_the_password_is_asked_for_again(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.make_users("operator")
        client, clock = here.as_("operator"), here.plant.clock
        for _ in range(12 * 6):
            clock.leap += 600.0
            await client.get("/session", headers={"X-Linecontrol-Active": "1"})
        assert (await client.get("/session")).json()["locked"]
        clock.leap += 30 * 86_400.0
        assert (await client.get("/session")).status_code == 401


async def test_the_sixth_session_of_a_user_ends_the_oldest(tmp_path: Path) -> None:
    """S7."""
    async with site(tmp_path) as here:
        await here.make_users("operator")
        tokens = [here.tokens["operator"]]
        for _ in range(5):
            here.plant.clock.leap += 1.0
            tokens.append((await here.log_in("operator")).json()["token"])
        codes = [(await here.with_token(token).get("/session")).status_code for token in tokens]
        assert codes == [401, 200, 200, 200, 200, 200]


@pytest.mark.parametrize("how", ["log out", "role", "disable", "remove", "end", "password"])
async def test_a_revoked_session_is_over_at_once(how: str, tmp_path: Path) -> None:
    """S11: requests at once, WebSockets within five seconds."""
    async with site(tmp_path) as here:
        await here.make_users("operator")
        client = here.as_("operator")
        number = (await client.get("/session")).json()["session"]
        headers = {"Authorization": f"Bearer {here.tokens['operator']}"}
        async with connect(here.url.replace("http", "ws") + "/ws/live", additional_headers=headers, proxy=None) as ws:
            await ws.recv()
            answer = await {
                "log out": lambda: client.delete("/session"),
                "role": lambda: here.console.patch("/users/operator", json={"role": "technician"}),
                "disable": lambda: here.console.patch("/users/operator", json={"is_enabled": False}),
                "remove": lambda: here.console.delete("/users/operator"),
                "end": lambda: here.console.delete(f"/sessions/{number}"),
                "password": lambda: here.console.patch("/users/operator", json={"password": "another long one"}),
            }[how]()
            assert answer.is_success, answer.text
            assert (await client.get("/tags")).status_code == 401
            async with asyncio.timeout(PATIENCE_S):
                with suppress(ConnectionClosed):
                    async for _ in ws:
                        pass
            assert ws.close_code == 1008


async def test_nobody_reaches_what_is_anothers(tmp_path: Path) -> None:
    """S9: ids of others' sessions and tokens, swapped in."""
    async with site(tmp_path) as here:
        await here.make_users("operator", "supervisor")
        token = (await here.console.post("/tokens", json={"name": "lims", "role": "operator"})).json()
        theirs = (await here.as_("supervisor").get("/session")).json()["session"]
        client = here.as_("operator")
        for answer in (
            await client.delete(f"/sessions/{theirs}"),
            await client.delete(f"/tokens/{token['id']}"),
            await client.patch("/users/supervisor", json={"password": "mine from now on"}),
            await client.get("/users/supervisor"),
        ):
            assert answer.status_code == 403
        wrong = await client.put("/session/password", json={"password": "not this one", "new_password": "better one"})
        assert (wrong.status_code, wrong.json()["type"]) == (403, "urn:linecontrol:problem:not-signed")
        own = await client.put("/session/password", json={"password": PASSWORD, "new_password": "an even better one"})
        assert own.status_code == 200
        assert (await here.log_in("supervisor")).status_code == 201
        assert (await here.log_in("operator", "an even better one")).status_code == 201
        assert (await client.put("/session/language", json={"language": "zh"})).json()["language"] == "zh"


async def test_tokens_of_scripts_are_narrow_and_end(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        body = {"name": "lims", "role": "operator", "scope": ["view", "lab"], "days": 1}
        made = (await here.console.post("/tokens", json=body)).json()
        script = here.with_token(made["token"])
        me = (await script.get("/session")).json()
        assert (me["user"], me["kind"], me["rights"]) == ("lims", "token", ["lab", "own", "public", "view"])
        entered = {"tag": "MT-306", "value": 12.0, "sampled_at": "2026-01-12T10:40:00+08:00", "who": "li"}
        assert (await script.post("/lab", json=entered)).status_code == 409  # the stub's
        assert (await script.post("/commands", json={"tag": "TT-303", "value": 1})).status_code == 403
        assert (await script.post("/runs/x1/commands", json={"command": "stop"})).status_code == 403
        rows = await here.audit(who="script:lims")
        assert {row["action"] for row in rows} == {"POST /lab", "POST /commands", "POST /runs/{run_id}/commands"}
        assert made["token"] not in json.dumps((await here.console.get("/tokens")).json())
        assert (await here.console.post("/tokens", json=body)).status_code == 409
        here.plant.clock.leap += 86_401.0
        assert (await script.get("/session")).status_code == 401
        other = (await here.console.post("/tokens", json={**body, "name": "mes", "days": None})).json()
        assert (await here.with_token(other["token"]).get("/tags")).status_code == 200
        assert (await here.console.delete(f"/tokens/{other['id']}")).status_code == 204
        assert (await here.with_token(other["token"]).get("/tags")).status_code == 401


async def test_only_the_command_line_speaks_for_others(tmp_path: Path) -> None:
    """S30: the name in a body is nobody's word but that of this computer's own user."""
    async with site(tmp_path) as here:
        await here.make_users("operator")
        wish = {"tag": "TT-303", "value": 1, "who": "wang", "reason": "because"}
        await here.console.post("/commands", json=wish)
        await here.as_("operator").post("/commands", json=wish)
        mine, consoles = (await here.audit(action="POST /commands"))[:2]
        assert (consoles["who"], consoles["session"]) == ("operator:wang", "console")
        assert (mine["who"], mine["session"].partition(":")[0]) == ("operator:operator", "session")
        assert mine["why"] == "because"
        assert json.loads(mine["new"])["value"] == 1


async def test_the_display_says_where_its_user_sits_and_nobody_else_does(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        said = {"X-Linecontrol-Client": "10.1.2.3"}
        await here.log_in("nobody", "x" * 9, **said, **{"X-Linecontrol-Display": here.door.display})
        await here.log_in("nobody", "x" * 9, **said, **{"X-Linecontrol-Display": "guessed"})
        await here.log_in("nobody", "x" * 9, **said)
        await here.log_in(
            "nobody", "x" * 9, **{"X-Linecontrol-Client": "<script>", "X-Linecontrol-Display": here.door.display}
        )
        rows = await here.audit(action="POST /session")
        assert [row["address"] for row in reversed(rows)] == ["10.1.2.3", "127.0.0.1", "127.0.0.1", "127.0.0.1"]


async def test_a_new_password_for_a_one_time_token(tmp_path: Path) -> None:
    """An administrator hands a token over and never knows the password."""
    plant = Plant(tmp_path, clock=Skipping())
    async with site(tmp_path, plant=plant) as here:
        await here.make_users("operator", "technician")
        new = "an even better one"

        async def use(token: str, name: str = "operator", password: str = new) -> int:
            body = {"token": token, "name": name, "new_password": password}
            return (await here.anonymous.post("/users/reset", json=body)).status_code

        async def offer(name: str = "operator") -> str:
            made = await here.console.post(f"/users/{name}/reset", json={"reason": "forgot it"})
            assert made.status_code == 201
            return str(made.json()["token"])

        assert (await here.as_("technician").post("/users/operator/reset", json={})).status_code == 403
        void, token = await offer(), await offer()
        assert (await here.log_in("operator")).status_code == 201  # the present one holds until then
        assert await use(void) == 401
        assert await use(token, "technician") == 401
        assert await use(token, password="short") == 422
        assert await use(token) == 200
        assert await use(token) == 401  # good once
        assert (await here.as_("operator").get("/session")).status_code == 401
        assert (await here.log_in("operator")).status_code == 401
        assert (await here.log_in("operator", new)).status_code == 201

        late = await offer("technician")
        plant.clock.leap = 25 * 3600.0
        assert await use(late, "technician") == 401
        assert all(token not in str(row) and new not in str(row) for row in await here.audit())
        await here.console.patch("/users/technician", json={"is_enabled": False})
        assert (await here.console.post("/users/technician/reset", json={})).status_code == 409


async def test_the_last_administrator_stays(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.make_users("admin")
        for answer in (
            await here.console.delete("/users/admin"),
            await here.console.patch("/users/admin", json={"role": "operator"}),
            await here.console.patch("/users/admin", json={"is_enabled": False}),
        ):
            assert (answer.status_code, "only administrator" in answer.text) == (409, True)


async def test_users_sessions_and_tokens_outlive_the_controller(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.make_users("operator", "admin")
        token = (await here.console.post("/tokens", json={"name": "mes", "role": "researcher"})).json()["token"]
        old_console = here.door.console
    assert not (tmp_path / "access" / "console.token").exists()
    async with site(tmp_path) as here2:
        assert (await here2.with_token(here.tokens["operator"]).get("/tags")).status_code == 200
        assert (await here2.with_token(token).get("/tags")).status_code == 200
        assert (await here2.with_token(old_console).get("/tags")).status_code == 401
        assert here2.api.first_token is None
        assert (await here2.log_in("operator")).status_code == 201
    with open_reader(f"sqlite:///{tmp_path / 'history.sqlite3'}") as reader:
        rows = reader.audit(limit=1000)
    assert [row.number for row in rows] == sorted((row.number for row in rows), reverse=True)
    assert {row.action for row in rows} >= {"POST /users", "POST /session", "POST /tokens"}


async def test_the_demo_user_is_marked_and_nobody_else_is_let_in_by_himself(tmp_path: Path) -> None:
    async with site(tmp_path, is_demo=True) as here:
        path = tmp_path / "access" / "demo.token"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        me = (await here.with_token(path.read_text().strip()).get("/session")).json()
        assert (me["user"], me["role"], me["demo"], me["locked"]) == ("demo", "supervisor", True, False)
        assert (await here.anonymous.get("/welcome")).json()["demo"] is True
        assert (await here.anonymous.get("/tags")).status_code == 401
        page = await here.anonymous.get("/docs")  # makes its browser the demo user's
        assert (page.status_code, "HttpOnly" in page.headers["set-cookie"]) == (200, True)
        assert (await here.anonymous.get("/session")).json()["user"] == "demo"
        assert (await here.anonymous.post("/commands", json={"tag": "TT-303", "value": 1})).status_code == 403
        wish = {"json": {"tag": "TT-303", "value": 1}, "headers": {"X-Requested-With": "linecontrol"}}
        assert (await here.anonymous.post("/commands", **wish)).status_code == 409
        assert not (tmp_path / "access" / "first-admin.token").exists()


@pytest.mark.parametrize("password", ["", "1234567", "password", "88888888", "aaaaaaaaaaaa", "wang.wei", "x" * 129])
def test_poor_passwords_are_refused(password: str) -> None:
    with pytest.raises(ConfigError, match="8 to 128 characters"):
        check_new(password, "wang.wei")


@pytest.mark.parametrize("password", ["kudzu grows fast", "葛根淀粉生产线二号", "Tr0ub4dor"])
def test_good_passwords_are_taken(password: str) -> None:
    check_new(password, "wang.wei")


async def test_a_database_that_takes_nothing_keeps_nobody_from_stopping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The audit trail cannot be kept: told as an alarm, changes are refused, what is towards safety goes on."""
    from linecontrol.core.errors import StorageError

    plant = Plant(tmp_path)
    async with site(tmp_path, plant=plant) as here:
        await here.make_users("operator")
        client = here.as_("operator")

        async def full(_row: object) -> None:
            raise StorageError("the disk is full")

        kept = plant.historian.save_audit
        monkeypatch.setattr(plant.historian, "save_audit", full)
        body = {"tag": "TT-303", "value": 1}
        await client.post("/commands", json=body)
        assert [event.kind for event in plant.events] == ["audit.failed"]
        plant.touched.clear()
        assert (await client.post("/commands", json=body)).status_code == 503
        assert plant.touched == []
        assert (await client.post("/runs/x1/commands", json={"command": "stop"})).status_code == 409
        assert plant.touched == ["runs.command"]
        monkeypatch.setattr(plant.historian, "save_audit", kept)
        assert (await client.post("/commands", json=body)).status_code == 503  # whose row shows that it can be kept
        assert (await client.post("/commands", json=body)).status_code == 409
        assert [event.active for event in plant.events] == [True, False]


async def test_asking_who_somebody_is_costs_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up neither hashes a password nor reads the database: both are gone, and it answers."""
    from linecontrol.api.door import Door
    from linecontrol.api.people import People

    clock = Skipping()
    people = People(Door("c"), None, clock.wall, Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)))
    await people.load()
    from linecontrol.api.rights import Role

    for n in range(100):
        await people.add_user(f"user {n}", Role.OPERATOR, PASSWORD)
    token, _ = await people.log_in("user 99", PASSWORD, "10.0.0.1")

    def refuse(*_args: object, **_values: object) -> None:
        raise AssertionError("a look-up went to the hash or the database")

    for name in ("hash", "verify"):
        monkeypatch.setattr(PasswordHasher, name, refuse)
    monkeypatch.setattr(people, "_store", refuse)
    assert people.caller(token) is not None
    await people.close()


async def test_a_one_time_token_makes_one_administrator_also_when_many_ask_at_once(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        token = (tmp_path / "access" / "first-admin.token").read_text(encoding="ascii").strip()
        bodies = [{"token": token, "name": f"wang{n}", "password": PASSWORD} for n in range(3)]
        answers = await asyncio.gather(*(here.anonymous.post("/users/first", json=body) for body in bodies))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
        assert len((await here.console.get("/users")).json()) == 1


async def test_two_administrators_cannot_shut_each_other_out(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        for name in ("wang", "li"):
            await here.console.post("/users", json={"name": name, "role": "admin", "password": PASSWORD})
        answers = await asyncio.gather(
            here.console.patch("/users/wang", json={"role": "operator", "password": "another long one"}),
            here.console.delete("/users/li"),
            here.console.patch("/users/li", json={"is_enabled": False}),
        )
        assert any(answer.status_code == 409 for answer in answers)
        assert any(row["role"] == "admin" and row["is_enabled"] for row in (await here.console.get("/users")).json())


@given(st.lists(st.sampled_from("ab"), max_size=60))
def test_who_gives_the_right_password_is_never_made_to_wait_for_it(names: list[str]) -> None:
    throttle = Throttle()
    for at, name in enumerate(names):
        assert throttle.wait_s(name, "panel", at) == 0.0
        throttle.failed(name, "panel", at)  # as every try before it is judged
        throttle.succeeded(name, "panel", at)


async def test_a_revoked_session_cannot_talk_its_websocket_open(tmp_path: Path) -> None:
    """S11: whoever sends without a pause is looked at all the same."""
    async with site(tmp_path) as here:
        await here.make_users("operator")
        headers = {"Authorization": f"Bearer {here.tokens['operator']}"}
        async with connect(here.url.replace("http", "ws") + "/ws/live", additional_headers=headers, proxy=None) as ws:
            await ws.recv()
            await ws.send(b"\x00")  # not listened to
            await here.as_("operator").delete("/session")
            with suppress(ConnectionClosed):
                async with asyncio.timeout(5.0):
                    while True:
                        await ws.send("still here")
                        await asyncio.sleep(0.05)
            assert ws.close_code == 1008
