"""The API's thread and the bridge to the line: who runs where, in what order, and what happens when one fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

import linecontrol.api.app
from linecontrol.api import server
from linecontrol.api.app import create_app
from linecontrol.api.bridge import Bridge
from linecontrol.api.door import Door
from linecontrol.api.limits import BODY_BYTES
from linecontrol.api.live import QUEUE_SIZE, Broadcast
from linecontrol.api.server import ApiThread
from linecontrol.cli.serving import free_socket
from linecontrol.core.clock import Clock
from linecontrol.core.errors import LineError, StateError
from linecontrol.core.image import ProcessImage, Scan
from linecontrol.core.model import DataType, Event, Sample, Severity, Status, Tag, Text

DOOR = Door("a console's token")
NAMES = [f"T-{number}" for number in range(40)]
TAGS = [
    Tag(name, "s", Text("Temperature", "温度"), "°C", DataType.FLOAT32, name, low=0.0, high=200.0) for name in NAMES
]


class StubAlarms:
    """No alarm."""

    system = SimpleNamespace(version=0, alarms={})

    def rows(self) -> list[Any]:
        return []

    def rows_since(self, version: int) -> tuple[int, list[Any]]:
        return version, []


@dataclass
class StubLine:
    """What the API asks of a line; every use of its state notes the thread."""

    image: ProcessImage = field(default_factory=lambda: ProcessImage(TAGS))
    clock: Clock = field(default_factory=Clock)
    historian: Any = None
    tuning: Any = None
    lab: Any = None
    alarms: Any = field(default_factory=StubAlarms)
    listeners: list[Callable[[Event], None]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.runs = SimpleNamespace(view=self._noted)
        self.image.publish(Scan("s", self.clock.now(), {n: Sample(1.5, Status.GOOD, self.clock.now()) for n in NAMES}))

    def _noted(self) -> None:
        self.threads.append(threading.current_thread())

    def status(self) -> dict[str, Any]:
        self._noted()
        raise StateError("on purpose")

    def emit(self, event: Event) -> None:
        self.events.append(event)


@asynccontextmanager
async def api_of(line: StubLine) -> AsyncIterator[tuple[ApiThread, httpx.AsyncClient]]:
    listener = free_socket("127.0.0.1", 0)
    api = ApiThread(line, listener, asyncio.new_event_loop, DOOR)  # type: ignore[arg-type]
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        await api.start()
        headers = {"Authorization": f"Bearer {DOOR.console}"}
        async with httpx.AsyncClient(
            base_url=url, trust_env=False, timeout=20, verify=False, headers=headers
        ) as client:
            yield api, client
    finally:
        await api.stop()
        listener.close()


async def elsewhere(work: Callable[[], Any]) -> Any:
    """``await work()`` in an event loop of another thread."""
    return await asyncio.to_thread(lambda: asyncio.run(work()))


# -- the bridge


async def test_what_is_handed_over_runs_in_the_lines_thread() -> None:
    bridge, here = Bridge(), threading.current_thread()

    async def both() -> list[threading.Thread]:
        async def work() -> threading.Thread:
            await asyncio.sleep(0)
            return threading.current_thread()

        return [await bridge.ask(threading.current_thread), await bridge.do(work), threading.current_thread()]

    asked, done, there = await elsewhere(both)
    assert (asked, done) == (here, here)
    assert there is not here


async def test_errors_come_back_to_the_asker() -> None:
    bridge = Bridge()

    async def asking() -> None:
        def fail() -> None:
            raise StateError("not now")

        with pytest.raises(StateError, match="not now"):
            await bridge.ask(fail)
        assert await bridge.ask(lambda: "and goes on") == "and goes on"

    await elsewhere(asking)


async def test_a_question_that_cannot_even_be_begun_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    bridge, loop = Bridge(), asyncio.get_running_loop()
    seen: list[Any] = []
    loop.set_exception_handler(lambda _, context: seen.append(context["exception"]))
    really = loop.create_task

    def broken(*_: Any, **__: Any) -> Any:
        monkeypatch.setattr(loop, "create_task", really)
        raise MemoryError("on purpose")

    async def asking() -> None:
        monkeypatch.setattr(loop, "create_task", broken)
        with pytest.raises(MemoryError, match="on purpose"):
            await bridge.ask(lambda: "never")
        assert await bridge.ask(lambda: "and goes on") == "and goes on"

    await elsewhere(asking)
    assert [type(error) for error in seen] == [MemoryError]


async def test_the_line_begins_one_question_a_turn_and_oldest_first() -> None:
    """A hundred questions at once: between any two of them the line's own work has its turn."""
    bridge, loop = Bridge(), asyncio.get_running_loop()
    turns, begun, counting = 0, [], True

    def turn() -> None:
        nonlocal turns
        turns += 1
        if counting:
            loop.call_soon(turn)

    loop.call_soon(turn)

    async def flood() -> None:
        await asyncio.gather(*(bridge.ask(lambda n=n: begun.append((n, turns))) for n in range(100)))  # type: ignore[misc]

    await elsewhere(flood)
    counting = False
    assert [number for number, _ in begun] == list(range(100))
    assert len({at for _, at in begun}) == 100


async def test_what_the_line_has_begun_it_finishes() -> None:
    bridge = Bridge()
    has_begun, go_on, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        has_begun.set()
        await go_on.wait()
        finished.set()

    async def impatient() -> None:
        asked = asyncio.ensure_future(bridge.do(work))
        await bridge.do(has_begun.wait)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked

    await elsewhere(impatient)
    go_on.set()
    await finished.wait()


async def test_every_endpoint_crosses_but_those_marked() -> None:
    """A route that is added later touches the line in its own loop without having to know of any of this."""
    app = create_app(StubLine(), Bridge(), DOOR)  # type: ignore[arg-type]
    routes = included(app.routes)
    crossing = {route.path for route in routes if hasattr(route.endpoint, "__wrapped__")}
    assert crossing >= {"/status", "/tags/{name}", "/commands", "/runs", "/runs/current", "/recipes"}
    for route in routes:
        assert hasattr(route.endpoint, "__wrapped__") != hasattr(route.endpoint, "runs_beside"), route.path


def included(routes: Any) -> list[APIRoute]:
    """The line's own routes, without those that FastAPI adds to an application."""
    routers = [route.original_router for route in routes if hasattr(route, "original_router")]
    found = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    return found or [r for r in routes if isinstance(r, APIRoute) and not r.path.startswith(("/docs", "/openapi"))]


# -- the thread


async def test_requests_are_answered_beside_and_the_line_is_touched_in_its_own_thread() -> None:
    line = StubLine()
    async with api_of(line) as (api, client):
        rows = (await client.get("/tags")).json()
        assert {row["name"]: row["value"] for row in rows} == dict.fromkeys(NAMES, 1.5)
        refused = await client.get("/status")
        assert (refused.status_code, refused.json()["detail"]) == (409, "on purpose")
        assert (await client.get("/runs/current")).json() is None
        assert set(line.threads) == {threading.current_thread()}
        assert api.thread is not threading.current_thread()
    await asyncio.to_thread(api.thread.join)
    assert line.listeners == []
    assert line.events == []


async def test_a_flood_leaves_the_line_its_turns() -> None:
    """Thirty clients ask as fast as they can; no turn of the line's loop begins more than one of their questions."""
    line, turns, at, counting = StubLine(), 0, [], True
    loop = asyncio.get_running_loop()
    now = line.clock.now

    def noting() -> float:
        at.append(turns)
        return now()

    def turn() -> None:
        nonlocal turns
        turns += 1
        if counting:
            loop.call_soon(turn)

    line.clock.now = noting  # type: ignore[method-assign]
    loop.call_soon(turn)
    async with api_of(line) as (_, client):
        answers = await asyncio.gather(*(client.get(f"/tags/{name}") for name in NAMES * 3))
        counting = False
    assert {answer.status_code for answer in answers} == {200}
    assert len(at) == len(set(at)) == len(answers)


async def test_a_hanging_api_is_left_behind(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The line goes on while the API's thread hangs, and does not wait for it for ever at its end."""
    monkeypatch.setattr(server, "END_PATIENCE_S", 0.05)
    hangs, release = threading.Event(), threading.Event()

    def app(_line: object, _bridge: object, _door: object) -> FastAPI:
        made = FastAPI()

        @made.get("/hang")
        async def hang() -> str:
            hangs.set()
            release.wait()
            return "released"

        return made

    monkeypatch.setattr(linecontrol.api.app, "create_app", app)
    line = StubLine()
    async with api_of(line) as (api, client):
        asked = asyncio.ensure_future(client.get("/hang"))
        while not hangs.is_set():
            await asyncio.sleep(0)
        await api.stop()
        assert api.thread.is_alive()
        assert "left behind" in caplog.text
        release.set()
        assert (await asked).json() == "released"
        await asyncio.to_thread(api.thread.join)
    assert line.events == []


async def test_an_api_that_fails_is_told() -> None:
    line = StubLine()
    async with api_of(line) as (api, client):
        assert (await client.get("/runs/current")).status_code == 200
        assert api._server is not None
        api._server.should_exit = True  # as if its thread had ended by itself
        await api._ended.wait()
        with pytest.raises(httpx.TransportError):
            await client.get("/runs/current")
    (event,) = line.events
    assert (event.kind, event.severity, event.active) == ("api.failed", Severity.ALARM, True)
    assert "The line goes on being driven" in event.text


async def test_an_api_that_cannot_start_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def app(_line: object, _bridge: object, _door: object) -> FastAPI:
        raise RuntimeError("no pages")

    monkeypatch.setattr(linecontrol.api.app, "create_app", app)
    line = StubLine()
    with pytest.raises(LineError, match="could not be started: RuntimeError: no pages"):
        async with api_of(line):
            pass
    assert line.events == []


async def test_large_bodies_are_refused_whatever_their_headers_say() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(2 + BODY_BYTES // 1024):
            yield b" " * 1024

    async with api_of(StubLine()) as (_, client):
        for content in (b" " * (BODY_BYTES + 1), pieces()):
            answer = await client.post("/commands", content=content, headers={"content-type": "application/json"})
            assert answer.status_code == 413
            assert "64 KiB" in answer.json()["detail"]
        fitting = await client.post("/commands", content=b" " * BODY_BYTES)
        assert fitting.status_code == 422


async def test_a_client_that_does_not_read_is_dropped() -> None:
    broadcast = Broadcast(StubLine(), Bridge())  # type: ignore[arg-type]
    idle, reading = broadcast.join(), broadcast.join()
    for _ in range(QUEUE_SIZE + 1):
        await broadcast._tick()
        assert reading.get_nowait() is not None
    assert broadcast.dropped_clients == 1
    last = [idle.get_nowait() for _ in range(QUEUE_SIZE)][-1]
    assert last is None  # which closes it
    await broadcast._tick()
    assert idle.empty()
    assert not reading.empty()
