"""A served line, the display beside it in its own process, and a browser to look at it with."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from line_rig import PATIENCE_S, Controller, Simulator, line_file, simulator

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
PASSWORD = "kudzu root and powder"
SIZES = {"panel": (1366, 768), "tablet": (800, 1280), "phone": (390, 844)}


class DisplayProcess:
    """`python -m linecontrol.hmi`."""

    def __init__(self, api: str, folder: Path) -> None:
        self._api, self._folder = api, folder
        self.url = ""
        self.port = 0

    async def start(self) -> None:
        command = [sys.executable, "-m", "linecontrol.hmi", "--api", self._api, "--port", str(self.port)]
        self.process = await asyncio.create_subprocess_exec(
            *command, "--data", str(self._folder), "--exit-with-parent",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            async for line in self.process.stdout:
                if line.startswith(b"READY "):
                    self.url = line[6:].decode().strip()
                    self.port = int(self.url.rsplit(":", 1)[1])
                    return
        raise AssertionError("the display did not start")

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        await self.process.wait()
        self.process._transport.close()  # type: ignore[attr-defined]


@dataclass
class Stage:
    """Everything a browser test plays on."""

    controller: Controller
    display: DisplayProcess
    simulated: Simulator
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@contextlib.asynccontextmanager
async def stage(folder: Path, speed: float) -> AsyncIterator[Stage]:
    """Simulator, controller and display, each its own process."""
    async with simulator(speed) as simulated:
        controller = Controller(line_file(folder, simulated.endpoints), folder / "data", speed)
        await controller.start()
        display = DisplayProcess(controller.url, folder / "display")
        try:
            await display.start()
            yield Stage(controller, display, simulated)
        finally:
            await display.kill()
            await controller.stop()


async def log_in(on: Stage, page: Any, role: str, language: str) -> None:
    """As the user named after the role, who is made when there is none yet."""
    body = {"name": role, "role": role, "password": PASSWORD, "language": language[:2]}
    made = await on.controller.ask("POST", "/users", body)
    assert made.status_code in (201, 409), made.text
    await page.goto(on.display.url)
    await page.locator('input[autocomplete="username"]').fill(role)
    await page.locator('input[autocomplete="current-password"]').fill(PASSWORD)
    await page.locator(".panel.narrow .btn.main").click()
    await page.locator('input[autocomplete="current-password"]').wait_for(state="detached")


@contextlib.asynccontextmanager
async def browser_page(
    on: Stage, language: str = "zh-CN", size: str = "panel", scale: float = 1, role: str = "operator"
) -> AsyncIterator[Any]:
    """A page of a fresh browser that can reach this machine only, logged in; what it asks for and what fails is
    written down."""
    from playwright.async_api import async_playwright

    async with async_playwright() as tool:
        browser = await tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", OFFLINE])
        width, height = SIZES[size]
        context = await browser.new_context(
            viewport={"width": width, "height": height}, locale=language, device_scale_factor=scale
        )
        context.set_default_timeout(PATIENCE_S * 1000)
        page = await context.new_page()
        page.on("request", lambda request: on.requests.append(request.url))
        page.on("websocket", lambda socket: on.requests.append(socket.url))
        page.on("pageerror", lambda error: on.errors.append(str(error)))
        try:
            await log_in(on, page, role, language)
            yield page
        finally:
            await browser.close()
