"""The display's web application: NiceGUI for forms and dialogs, one WebSocket of ours for live values."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, HTTPException, Query, Request, WebSocket
from fastapi.staticfiles import StaticFiles
from nicegui import app as pages
from nicegui import client as nicegui_client
from nicegui import ui

from linecontrol.hmi import texts
from linecontrol.hmi.client import ApiError
from linecontrol.hmi.display import Display
from linecontrol.hmi.doors import Doors, OwnPagesOnly, WithNonce
from linecontrol.hmi.frame import KEEP_UP_S, Frame
from linecontrol.hmi.history import LONGEST_S, Point, points
from linecontrol.hmi.view import View

STATIC = Path(__file__).parent / "static"
_SECRET_BYTES = 32


def secret_of(folder: Path) -> str:
    """The secret that signs browsers' cookies: made at the first start, readable by its owner only."""
    path = folder / "display.secret"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(_SECRET_BYTES))
    return path.read_text(encoding="ascii")


def create_app(display: Display, folder: Path, doors: Doors) -> FastAPI:
    """The application. ``folder`` keeps the cookie secret; ``doors``: how it may be reached."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        display.start()
        yield
        await display.stop()

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    add_routes(display)
    ui.run_with(
        app,
        root=lambda: root(display),
        title="linecontrol",
        viewport="width=device-width, initial-scale=1, viewport-fit=cover",
        favicon=STATIC / "icon.svg",
        tailwind=False,
        show_welcome_message=False,
        binding_refresh_interval=None,
        reconnect_timeout=10.0,
        storage_secret=secret_of(folder),
        session_middleware_kwargs={
            "same_site": "strict",
            "session_cookie": "linecontrol",
            "https_only": doors.has_tls,
        },
    )
    app.add_middleware(OwnPagesOnly, doors=doors)
    give_nonce()
    return app


def give_nonce() -> None:
    """The scripts of NiceGUI's page bear the nonce that the page's content policy names."""
    env = nicegui_client.templates.env
    if env.loader is not None and not isinstance(env.loader, WithNonce):
        env.loader = WithNonce(env.loader)


def add_routes(display: Display) -> None:
    """What the pages ask for beside NiceGUI: live values, the catalogue."""

    @pages.websocket("/live")
    async def live(socket: WebSocket) -> None:
        browser = socket.session.get("id")
        if not display.may_look(browser):
            await socket.close(1008)
            return
        async with display.looked_after(str(browser)):
            await display.push.serve(socket, lambda: display.may_look(browser))

    @pages.get("/history")
    async def recorded(
        request: Request, tag: Annotated[list[str], Query(max_length=12)], start: float, end: float
    ) -> dict[str, list[Point]]:
        """Points of trends, for who may see live values."""
        browser = request.session.get("id")
        if not display.may_look(browser):
            raise HTTPException(401)
        if not 0 < end - start <= LONGEST_S:
            raise HTTPException(422, f"a trend is asked for 0 to {LONGEST_S:g} s")
        try:
            return await points(display.api, display.session_of(str(browser), ""), tag, start, end)
        except ApiError as error:
            raise HTTPException(error.status or 502, error.detail) from error

    @pages.get("/texts/{language}.json")
    async def words(language: str) -> dict[str, str]:
        """Texts the page itself fills in, with live values."""
        known = language if language in texts.LANGUAGES else texts.FALLBACK
        return {k: v for k, v in texts.catalogue(known).items() if k.split(".")[0] in SENT}


SENT = frozenset({"state", "mode", "priority", "quality", "gate", "trend", "well", "station", "strategy", "bool"})
"""First words of the texts the page itself fills in."""


async def root(display: Display) -> None:
    """Every page of the display: the frame, and in it what the address asks for."""
    browser = str(pages.storage.browser["id"])
    kept = pages.storage.user
    session = display.session_of(browser, str(kept.get("token") or ""))
    request = ui.context.client.request
    session.address = request.client.host if request.client is not None else ""
    view = View(display, session, "", ui.context.client, kept)
    await view.refreshed()
    view.language = language_of(session.language, kept.get("language"), ui.context.client.request)
    ui.add_head_html(f'<meta name="language" content="{view.language}">{HEAD}')  # known before anything is drawn
    ui.run_javascript(f'line?.language?.("{view.language}")')
    frame = Frame(view)
    frame.build()
    ui.timer(KEEP_UP_S, frame.keep_up)


HEAD = (
    '<link rel="stylesheet" href="/static/style.css"><link rel="stylesheet" href="/static/parts.css">'
    '<link rel="stylesheet" href="/static/mimic.css"><link rel="stylesheet" href="/static/station.css">'
    '<link rel="stylesheet" href="/static/pages.css">'
    '<script type="module" src="/static/live.js"></script><script type="module" src="/static/spark.js"></script>'
    '<script type="module" src="/static/trend.js"></script><script type="module" src="/static/ages.js"></script>'
)


def language_of(person: str, browser: object, request: object) -> str:
    """A person's own language, else what this browser was last set to, else what it prefers."""
    for wanted in (person, browser):
        if wanted in texts.LANGUAGES:
            return str(wanted)
    preferred = str(getattr(request, "headers", {}).get("accept-language", ""))
    return "zh" if preferred.lower().startswith("zh") else texts.FALLBACK
