"""A served API in front of a line of stubs, with users of every role: who may ask what is not the plant's business."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute, APIWebSocketRoute

from linecontrol.api.app import create_app
from linecontrol.api.bridge import Bridge
from linecontrol.api.door import Door, open_door
from linecontrol.api.rights import Role
from linecontrol.api.server import ApiThread
from linecontrol.cli.serving import free_socket
from linecontrol.core.clock import Clock
from linecontrol.core.errors import StateError
from linecontrol.core.image import ProcessImage
from linecontrol.core.model import DataType, Event, Tag, Text
from linecontrol.history import Historian
from linecontrol.history.migrate import bring_up_to_date
from linecontrol.history.sql import engine_for, parse_url, sqlite_path

PASSWORD = "kudzu grows fast"
ROLES = [role.value for role in Role]
TAGS = [Tag("TT-303", "drying", Text("Inlet air", "进风"), "°C", DataType.FLOAT32, "x", low=0.0, high=200.0)]


class Skipping(Clock):
    """Real time, with leaps forward."""

    leap = 0.0

    def __init__(self) -> None:
        super().__init__()
        read = self._read
        self._read = lambda: read() + self.leap  # line time is read past ``real``

    def now(self) -> float:
        return super().now() + self.leap


@dataclass
class Touches:
    """Stands for a part of the plant: whatever is asked of it is noted, and refused."""

    name: str
    seen: list[str]

    def __getattr__(self, what: str) -> Any:
        def touched(*_args: Any, **_values: Any) -> Any:
            self.seen.append(f"{self.name}.{what}")
            raise StateError(f"{self.name}.{what} on purpose")

        return touched


@dataclass
class Plant:
    """What the API asks of a line. ``touched`` tells what has been asked of the plant itself."""

    data: Path
    clock: Skipping = field(default_factory=Skipping)
    image: ProcessImage = field(default_factory=lambda: ProcessImage(TAGS))
    listeners: list[Any] = field(default_factory=list)
    touched: list[str] = field(default_factory=list)
    samples: Any = None
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        path = self.data / "history.sqlite3"
        if not path.exists():
            path.write_bytes(empty_history())
        self.historian: Any = Historian(f"sqlite:///{path}", self.data / "spool", "demo", TAGS)
        for name in (
            "gate",
            "tuning",
            "lab",
            "book",
            "samples",
            "haccp",
            "checks",
            "interlocks",
            "quality",
            "lots",
            "bags",
            "bag_acts",
        ):
            setattr(self, name, Touches(name, self.touched))
        self.samples.points = {}
        self.runs: Any = Touches("runs", self.touched)
        self.runs.view = lambda: None
        self.runs.state = None
        self.runs.engine = None
        self.alarms: Any = Touches("alarms", self.touched)
        self.alarms.system = SimpleNamespace(alarms={"TT-305.HIGH": None}, version=0)
        self.interlocks.system = SimpleNamespace(standings={"IL-301": None})
        self.checks.items = {"METAL-TEST": SimpleNamespace(kind="verification")}
        self.alarms.rows = lambda **_how: []
        self.alarms.rows_since = lambda since: (since, [])
        title = SimpleNamespace(en="Demo", zh="演示")
        about = SimpleNamespace(name="demo", title=title, simulated=True, bags=None)
        self.config = SimpleNamespace(line=about, stations={})
        self.bank = SimpleNamespace(settings={"TIC-303": None}, view=lambda _now: {})

    def status(self) -> dict[str, Any]:
        return {"line": "demo"}

    def recipes(self) -> list[Any]:
        return []

    def emit(self, event: Event) -> None:
        self.events.append(event)


@functools.cache
def empty_history() -> bytes:
    """A database of the newest schema without anything in it: making it takes longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.sqlite3"
        url = parse_url(f"sqlite:///{path}")
        engine = engine_for(url)
        bring_up_to_date(engine, sqlite_path(url))
        engine.dispose()
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return path.read_bytes()


_describe = FastAPI.openapi


def described_once(app: FastAPI) -> dict[str, Any]:
    """The description of the API, which takes longest of its start and is the same in all tests: made once."""
    if app.title not in _DESCRIPTIONS:
        _DESCRIPTIONS[app.title] = _describe(app)
    return _DESCRIPTIONS[app.title]


_DESCRIPTIONS: dict[str, dict[str, Any]] = {}


CHEAP = {"time_cost": 1, "memory_cost": 1024, "parallelism": 1}
"""A hash that costs little: what it costs for real is the subject of one test."""


@dataclass
class Site:
    """A served API. ``as_(role)`` is a client logged in as the user of that role."""

    plant: Plant
    door: Door
    url: str
    api: ApiThread
    console: httpx.AsyncClient
    anonymous: httpx.AsyncClient
    tokens: dict[str, str] = field(default_factory=dict)
    _clients: list[httpx.AsyncClient] = field(default_factory=list)

    def with_token(self, token: str | None, **headers: str) -> httpx.AsyncClient:
        more = {} if token is None else {"Authorization": f"Bearer {token}"}
        client = httpx.AsyncClient(
            base_url=self.url, trust_env=False, timeout=30, headers={**more, **headers}, verify=False
        )
        self._clients.append(client)
        return client

    def as_(self, role: str) -> httpx.AsyncClient:
        return self.with_token(self.tokens[role])

    async def log_in(self, user: str, password: str = PASSWORD, **headers: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=30, verify=False) as client:
            return await client.post("/session", json={"user": user, "password": password}, headers=headers)

    async def make_users(self, *roles: str) -> None:
        """A user of each role, named after it, logged in."""
        for role in roles or ROLES:
            body = {"name": role, "role": role, "password": PASSWORD}
            made = await self.console.post("/users", json=body)
            assert made.status_code == 201, made.text
            self.tokens[role] = (await self.log_in(role)).json()["token"]

    async def audit(self, **filters: Any) -> list[dict[str, Any]]:
        answer = await self.console.get("/audit", params={"limit": 1000, **filters})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()
        return found


@contextlib.asynccontextmanager
async def site(data: Path, *, plant: Plant | None = None, **options: Any) -> AsyncIterator[Site]:
    """The API of a plant of stubs, on a free port. ``options`` as of ``open_door``."""
    made = plant or Plant(data)
    await made.historian.start()
    listener = free_socket("127.0.0.1", 0)
    door = open_door(data / "access", **options)
    api = ApiThread(made, listener, asyncio.new_event_loop, door)  # type: ignore[arg-type]
    url = f"{'https' if door.tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
    headers = {"Authorization": f"Bearer {door.console}"}
    try:
        with mock.patch.object(FastAPI, "openapi", described_once):
            await api.start()
        async with (
            httpx.AsyncClient(base_url=url, trust_env=False, timeout=30, headers=headers, verify=False) as console,
            httpx.AsyncClient(base_url=url, trust_env=False, timeout=30, verify=False) as anonymous,
        ):
            found = Site(made, door, url, api, console, anonymous)
            yield found
            for client in found._clients:
                await client.aclose()
    finally:
        await api.stop()
        await made.historian.stop()
        door.close()
        listener.close()


def routes_of(app: FastAPI) -> Iterator[APIRoute | APIWebSocketRoute]:
    """Every route of an application, also those that are not in its description."""
    for one in _all(app.routes):
        assert isinstance(one, (APIRoute, APIWebSocketRoute)) or one.path == "/openapi.json", one
        if isinstance(one, (APIRoute, APIWebSocketRoute)):
            yield one


def _all(routes: Any) -> Iterator[Any]:
    for one in routes:
        if hasattr(one, "original_router"):
            yield from _all(one.original_router.routes)
        else:
            yield one


def application(data: Path) -> FastAPI:
    """The application, not served. To be called in an event loop."""
    return create_app(Plant(data), Bridge(), Door("a console's token"))  # type: ignore[arg-type]
