"""The display's own doors: what it says in headers, whom it refuses, what it keeps, and a browser that never reads."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import ssl
import stat
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from hmi_rig import DisplayProcess
from line_rig import PATIENCE_S
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

import linecontrol.hmi
from linecontrol.api.tls import self_made
from linecontrol.cli.display import DisplayKeeper, Shown
from linecontrol.hmi.client import Api, Session
from linecontrol.hmi.display import Display
from linecontrol.hmi.doors import Doors
from linecontrol.hmi.live import SILENCE_S, Live
from linecontrol.hmi.push import PERIOD_S, QUEUE_SIZE, Push
from linecontrol.hmi.serve import Listening, serve

NOBODY = "http://127.0.0.1:9"  # discards; no line is there


@contextlib.asynccontextmanager
async def shown(folder: Path) -> AsyncIterator[DisplayProcess]:
    display = DisplayProcess(NOBODY, folder)
    await display.start()
    try:
        yield display
    finally:
        await display.kill()


async def test_its_doors(tmp_path: Path) -> None:
    """Its doors, its secret, and that it ends with its parent: one process for what would otherwise be many starts."""
    async with shown(tmp_path) as display, httpx.AsyncClient(base_url=display.url, trust_env=False) as browser:
        page = await browser.get("/")
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "http" not in policy.replace("https:", "http:")
        # a script within the page runs with the page's own nonce, or not at all
        [allowed] = re.findall(r"script-src ([^;]*)", policy)
        assert "unsafe-inline" not in allowed
        [nonce] = re.findall(r"'nonce-([^']+)'", allowed)
        [styles] = re.findall(r"style-src-elem ([^;]*)", policy)
        assert "unsafe-inline" not in styles
        assert f"'nonce-{nonce}'" in styles
        filled = re.findall(r"<style[^>]*>(?!</style>)", page.text)
        assert [tag for tag in filled if f'nonce="{nonce}"' not in tag] == []
        scripts = re.findall(r"<script[^>]*>", page.text)
        assert len(scripts) > 5
        assert [tag for tag in scripts if f'nonce="{nonce}"' not in tag and 'src="/static/' not in tag] == []
        assert nonce not in (await browser.get("/")).headers["content-security-policy"]
        cookie = page.headers["set-cookie"]
        assert "httponly" in cookie.lower()
        assert "samesite=strict" in cookie.lower()

        for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
            assert (await browser.get("/", headers=headers)).status_code == 403
        with pytest.raises(InvalidStatus) as refused:
            await connect(display.url.replace("http", "ws") + "/live", origin="http://evil.example", proxy=None)  # type: ignore[arg-type]
        assert refused.value.response.status_code == 403

        # whoever is in nowhere gets no values and no history: the API has not said yet that it has no users
        assert (await browser.get("/history?tag=MT-306&start=0&end=10")).status_code == 401
        with pytest.raises((InvalidStatus, ConnectionClosed)):
            await (await connect(display.url.replace("http", "ws") + "/live", proxy=None)).recv()

        secret = tmp_path / "display.secret"
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        before = secret.read_text()
    async with shown(tmp_path) as display:
        assert secret.read_text() == before
        assert display.process.stdin is not None
        display.process.stdin.close()  # as when its parent has ended
        async with asyncio.timeout(PATIENCE_S):
            await display.process.wait()


def test_beyond_this_computer_it_is_served_over_tls_or_not_at_all(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.7", "mill.local"):
        with pytest.raises(SystemExit, match="refused without TLS"):
            serve(Api(NOBODY), tmp_path, Listening(host, 0), with_parent=False)


def test_it_answers_to_its_own_names_only() -> None:
    at_home, open_ = Doors(("mill.local",)), Doors(("mill.local",), is_open=True, has_tls=True)
    assert at_home.is_own_host("localhost:8480")
    assert not at_home.is_own_host("mill.local:8480")
    assert open_.is_own_host("MILL.local:8480")
    assert open_.is_own_host("192.0.2.7:8480")
    for host in ("evil.example", "", "a b", "mill.local.evil.example", "[::1"):
        assert not open_.is_own_host(host), host


async def test_a_display_that_dies_is_told_and_started_again_where_it_was(tmp_path: Path) -> None:
    """With a certificate of its own: HTTPS, cookies for HTTPS only."""
    made = self_made(tmp_path / "access", [], datetime.now(UTC))
    told: asyncio.Queue[tuple[str, bool]] = asyncio.Queue()
    shown = Shown(NOBODY, tmp_path, 0, tls=made)
    keeper = DisplayKeeper(shown, lambda text, away: told.put_nowait((text, away)), first_pause_s=0.1)
    context = ssl.create_default_context(cafile=str(made.certificate))
    try:
        url = await keeper.start()
        assert url is not None
        assert url.startswith("https://127.0.0.1:")
        async with httpx.AsyncClient(verify=context, trust_env=False) as browser:
            page = await browser.get(url)
            assert page.status_code == 200
            assert "secure" in page.headers["set-cookie"].lower()
            assert "strict-transport-security" in page.headers
            plain = {"Origin": url.replace("https", "http")}
            assert (await browser.get(url, headers=plain)).status_code == 403
            assert keeper.process is not None
            keeper.process.kill()
            async with asyncio.timeout(PATIENCE_S):
                first, second = await told.get(), await told.get()
            assert first == ("The display ended by itself (SIGKILL); it is started again", True)
            assert second == (f"The display is there again: {url}", False)
            assert (await browser.get(url)).status_code == 200
    finally:
        await keeper.stop()
    assert keeper.process is not None
    assert keeper.process.returncode is not None


async def test_only_a_browser_on_this_computer_is_the_demo_user(tmp_path: Path) -> None:
    (tmp_path / "demo.token").write_text("lcu_demo\n")

    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers.get("Authorization") != "Bearer lcu_demo":
            return httpx.Response(401, json={"detail": "log in first"})
        return httpx.Response(200, json={"user": "demo", "role": "supervisor", "rights": ["view"], "demo": True})

    api = Api(NOBODY, tmp_path)
    api._http._transport = httpx.MockTransport(answer)
    here, elsewhere, unknown = Session(address="127.0.0.1"), Session(address="192.0.2.7"), Session()
    for session in (here, elsewhere, unknown):
        await api.me(session)
    assert (here.user, here.is_demo) == ("demo", True)
    assert not elsewhere.is_in
    assert not unknown.is_in


async def test_a_session_is_its_own_browsers_and_nobody_elses() -> None:
    """All browsers share one connection to the API, which answers a log-in with a cookie too."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        cookie = {"Set-Cookie": "linecontrol_session=lcs_secret; Path=/; HttpOnly; SameSite=strict"}
        me = {"user": "li", "role": "admin", "rights": ["view"]}
        return httpx.Response(201, json=me | {"token": "lcs_secret"}, headers=cookie)

    api = Api("http://127.0.0.1:9")
    api._http._transport = httpx.MockTransport(answer)
    await api.log_in(Session(), "li", "right")
    await api.get("/session", Session())
    assert [request.method for request in seen] == ["POST", "GET"]
    assert "cookie" not in seen[1].headers
    assert "authorization" not in seen[1].headers


class Deaf:
    """A browser that takes its connection and never reads: what is sent to it never goes out."""

    def __init__(self) -> None:
        self.sent = 0
        self._never = asyncio.Event()

    async def accept(self) -> None: ...

    async def send_text(self, text: str) -> None:
        self.sent += 1
        await self._never.wait()

    async def receive_text(self) -> str:
        await self._never.wait()
        return ""


async def test_a_browser_that_never_reads_is_let_go_and_costs_nothing() -> None:
    push = Push(Live())
    deaf = Deaf()
    serving = asyncio.ensure_future(push.serve(deaf))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    assert push.clients == 1
    for _ in range(QUEUE_SIZE + 2):
        push.tick(time.monotonic())
        await asyncio.sleep(0)
    assert (push.clients, push.let_go, deaf.sent) == (0, 1, 1)
    async with asyncio.timeout(PATIENCE_S):
        await serving


class Reader(Deaf):
    """One that reads."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    async def send_text(self, text: str) -> None:
        self.texts.append(text)


async def test_who_is_thrown_out_is_sent_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when no page of the browser is open any more that would ask who it is (S11)."""
    monkeypatch.setattr("linecontrol.hmi.display.LOOK_AGAIN_S", 0.01)
    known = True

    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"user": "li", "rights": ["view"]}) if known else httpx.Response(401, json={})

    class Closed(Reader):
        code = 0

        async def close(self, code: int) -> None:
            self.code = code

    display, reader = Display(Api("http://127.0.0.1:9")), Closed()
    display.api._http._transport = httpx.MockTransport(answer)
    await display.api.me(display.session_of("b1", "lcs_li"))
    async with asyncio.timeout(PATIENCE_S), display.looked_after("b1"):
        serving = asyncio.ensure_future(
            display.push.serve(reader, lambda: display.may_look("b1"))  # type: ignore[arg-type]
        )
        await asyncio.sleep(0.05)
        assert display.push.clients == 1
        known = False
        await serving
    assert (reader.code, display.push.clients) == (1008, 0)


async def test_everybody_is_sent_the_same_bytes_first_all_then_changes() -> None:
    live = Live()
    push = Push(live)
    readers = [Reader() for _ in range(3)]
    serving = [asyncio.ensure_future(push.serve(reader)) for reader in readers]  # type: ignore[arg-type]
    await asyncio.sleep(0)
    live.take({"tags": {}, "run": {"run_id": "a", "state": "Running"}}, time.monotonic())
    push.tick(time.monotonic())
    async with asyncio.timeout(PATIENCE_S):
        while not all(len(reader.texts) == 2 for reader in readers):
            await asyncio.sleep(0)
    for task in serving:
        task.cancel()
    await asyncio.gather(*serving, return_exceptions=True)
    assert "all" in json.loads(readers[0].texts[0])
    assert json.loads(readers[0].texts[1])["set"]["run.state"] == "Running"
    assert len({id(reader.texts[1]) for reader in readers}) == 1  # encoded once


def test_no_value_is_shown_as_live_three_seconds_after_it_was() -> None:
    """What the display and its page wait for, one after the other. That each then greys is seen in a browser."""
    page = (Path(linecontrol.hmi.__file__).parent / "static" / "live.js").read_text()
    [stale_s] = [float(ms) / 1000.0 for ms in re.findall(r"STALE_MS = (\d+);", page)]
    [watch_s] = [float(ms) / 1000.0 for ms in re.findall(r"setInterval\(watch, (\d+)\)", page)]
    assert SILENCE_S + PERIOD_S + watch_s <= 3.0, "a controller that hangs"
    assert stale_s + watch_s <= 3.0, "a display that is gone"
