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

    def __init__(self, api: str, folder: Path, *more: str) -> None:
        self._api, self._folder, self._more = api, folder, more
        self.url = ""
        self.port = 0

    async def start(self) -> None:
        command = [sys.executable, "-m", "linecontrol.hmi", "--api", self._api, "--port", str(self.port)]
        self.process = await asyncio.create_subprocess_exec(
            *command, "--data", str(self._folder), "--exit-with-parent", *self._more,
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
    dialogs: list[str] = field(default_factory=list)
    logged_in: dict[tuple[str, str], Any] = field(default_factory=dict)
    """Cookies of who has logged in already, by role and language."""
    _open: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    _browser: Any = None

    async def browser(self) -> Any:
        """One Chromium for all pages; it can reach this machine only."""
        if self._browser is None:
            from playwright.async_api import async_playwright

            tool = await self._open.enter_async_context(async_playwright())
            self._browser = await tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", OFFLINE])
            self._open.push_async_callback(self._browser.close)
        return self._browser

    async def at_rest(self) -> None:
        """No run in hand, nothing noted: as the next test wants it."""
        for noted in (self.requests, self.errors, self.dialogs):
            noted.clear()
        view = await self.controller.run_view()
        if view and view["state"] not in ("Complete", "Stopped", "Aborted", "Idle"):
            body = {"command": "abort", "reason": "the test is over"}
            await self.controller.ask("POST", f"/runs/{view['run_id']}/commands", body)
            await self.controller.until_view(lambda view: view["state"] == "Aborted")
        await self.commanded()
        await self.reset()
        await self.pass_checks()

    async def commanded(self) -> None:
        """Every station takes commands: one that was away before is claimed anew, and latches what it will."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                rows = (await self.controller.ask("GET", "/runs/permissives?recipe=kudzu-lobata-standard")).json()
                if all(row["is_met"] for row in rows if row["name"].startswith("station.")):
                    return
                await asyncio.sleep(0.1)

    async def reset(self) -> None:
        """What latched while a measurement was away, or only late on a busy machine, bars every start until then."""
        because = {"reason": "its measurement was away in the test before"}
        async with asyncio.timeout(PATIENCE_S):
            while latched := await self._latched():
                for row in latched:
                    if row["can_reset"]:
                        await self.controller.ask("POST", f"/interlocks/{row['name']}/reset", because)
                await asyncio.sleep(0.1)
        await self.controller.ask("POST", "/alarms/acknowledge", {"comment": because["reason"]})

    async def begin(self, wish: dict[str, Any]) -> None:
        """Start a run. What latched only after the line was at rest is reset as an operator would do it.

        A start that is refused to the end fails with the refusal's own words.
        """
        said: list[str] = []
        try:
            async with asyncio.timeout(PATIENCE_S):
                while (answer := await self.controller.ask("POST", "/runs", wish)).status_code != 201:
                    assert answer.status_code == 409, answer.text
                    said.append(answer.text)
                    await self.commanded()
                    await self.reset()
                    await self.pass_checks()
        except TimeoutError:
            raise AssertionError(f"no run could be started: {said[-1:]}") from None

    async def _latched(self) -> list[dict[str, Any]]:
        rows = (await self.controller.ask("GET", "/interlocks")).json()
        return [row for row in rows if row["is_latched"] and not row["is_met"]]

    async def pass_checks(self) -> None:
        """Every check of the register is done: at this speed some are due again every few minutes, and bar a start."""
        for item in (await self.controller.ask("GET", "/calibrations")).json():
            done = {"item": item["name"], "result": "passed", "found": "as it should be", "who": "zhang"}
            await self.controller.ask("POST", "/calibrations", done)


@contextlib.asynccontextmanager
async def stage(folder: Path, speed: float) -> AsyncIterator[Stage]:
    """Simulator, controller and display, each its own process."""
    async with simulator(speed) as simulated:
        controller = Controller(line_file(folder, simulated.endpoints), folder / "data", speed)
        await controller.start()
        display = DisplayProcess(controller.url, folder / "display")
        try:
            await display.start()
            on = Stage(controller, display, simulated)
            async with on._open:
                yield on
        finally:
            await display.kill()
            await controller.stop()


def user_of(role: str, language: str) -> str:
    """Users named after their role; those who read English have it in their name."""
    return role if language.startswith("zh") else f"{role}-en"


async def log_in(on: Stage, page: Any, role: str, language: str) -> None:
    """As the user of this role, who is made when there is none yet."""
    name = user_of(role, language)
    body = {"name": name, "role": role, "password": PASSWORD, "language": language[:2]}
    made = await on.controller.ask("POST", "/users", body)
    assert made.status_code in (201, 409), made.text
    await page.goto(on.display.url)
    password = page.locator('input[autocomplete="current-password"]')
    await page.locator('input[autocomplete="username"]').fill(name)
    await password.fill(PASSWORD)
    await page.locator(".panel.narrow .btn.main").click()
    said = page.locator(".panel.narrow .bad-words:not(:empty)")
    await said.or_(page.locator(".person")).first.wait_for()
    assert await password.count() == 0, await said.all_inner_texts()


@contextlib.asynccontextmanager
async def browser_page(
    on: Stage, language: str = "zh-CN", size: str = "panel", scale: float = 1, role: str = "operator"
) -> AsyncIterator[Any]:
    """A page of somebody logged in, with cookies of their own; what it asks for and what fails is written down."""
    browser, key = await on.browser(), (role, language[:2])
    width, height = SIZES[size]
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        locale=language,
        device_scale_factor=scale,
        storage_state=on.logged_in.get(key),
    )
    try:
        context.set_default_timeout(PATIENCE_S * 1000)
        page = await context.new_page()
        page.on("request", lambda request: on.requests.append(request.url))
        page.on("websocket", lambda socket: on.requests.append(socket.url))
        page.on("pageerror", lambda error: on.errors.append(str(error)))

        async def dismiss(dialog: Any) -> None:
            on.dialogs.append(dialog.message)
            await dialog.dismiss()

        page.on("dialog", dismiss)
        if key not in on.logged_in:
            await log_in(on, page, role, language)
            on.logged_in[key] = await context.storage_state()
        yield page
    finally:
        await context.close()
