"""A real simulator in its own process, and line files that point at it, for the tests of whole lines."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from linecontrol.config import LineConfig, read_line, shipped_dir
from linecontrol.core.errors import StateError
from linecontrol.line.acceptance import acceptance_path
from linecontrol.line.assembly import Line, assemble
from linecontrol.line.links import at_endpoints

PATIENCE_S = 60.0


def console(data: Path) -> dict[str, str]:
    """The header that the command line of this computer comes with: it may do everything, in any name."""
    token = (data / "access" / "console.token").read_text(encoding="ascii").strip()
    return {"Authorization": f"Bearer {token}"}


@dataclass
class Simulator:
    """The simulator's process and where it listens."""

    process: asyncio.subprocess.Process
    endpoints: dict[str, str]

    async def tell(self, line: str) -> None:
        """A line for its fault console, e.g. ``fault nan:screening:WT-102``."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        await self.process.stdin.drain()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


async def start_simulator(speed: float, more: Sequence[str] = (), ports: dict[str, str] | None = None) -> Simulator:
    """On free ports, or again on those of ``ports`` (endpoints by station)."""
    command = [sys.executable, "-m", "simulator", "--speed", f"{speed:g}", "--seed", "1", "--interactive", *more]
    for station in ("screening", "grinding", "drying"):
        port = ports[station].split(":")[2].split("/")[0].split("?")[0] if ports else "0"
        command += ["--endpoint", f"{station}={port}"]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        async for line in process.stdout:
            if line.startswith(b"READY "):
                return Simulator(process, json.loads(line[6:]))
    raise AssertionError("the simulator did not start")


@contextlib.asynccontextmanager
async def simulator(speed: float, more: Sequence[str] = ()) -> AsyncIterator[Simulator]:
    found = await start_simulator(speed, more)
    try:
        yield found
    finally:
        await end(found.process)


async def end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGCONT)
        process.kill()
    await process.wait()
    transport = process._transport  # type: ignore[attr-defined]
    transport.close()


def demo_at(endpoints: dict[str, str]) -> LineConfig:
    return at_endpoints(read_line("demo"), endpoints)


def line_file(folder: Path, endpoints: dict[str, str], **changes: str) -> Path:
    """A copy of the demo line file at other endpoints, accepted as the shipped one is."""
    text = (shipped_dir() / "lines" / "demo.yaml").read_text(encoding="utf-8")
    shipped = read_line("demo")
    for name, url in endpoints.items():
        text = text.replace(shipped.stations[name].endpoint.url, url)
    for old, new in changes.items():
        text = text.replace(old, new)
    path = folder / "line.yaml"
    path.write_text(text, encoding="utf-8")
    shutil.copy(acceptance_path(shipped), folder / "line.accepted.json")
    return path


@contextlib.asynccontextmanager
async def driven(config: LineConfig, data: Path, speed: float) -> AsyncIterator[Line]:
    """The line in this process, claimed and ready."""
    line = assemble(config, data=data, speed=speed)
    async with line:
        async with asyncio.timeout(PATIENCE_S):
            await line.ready()
        yield line


async def started(line: Line, recipe: str, values: dict[str, float | bool], who: str, patience_s: float = 20.0) -> str:
    """Start a run as a person would; returns its id. Raises StateError with what has stood in its way for so long.

    At many times real time a busy computer reads a value late now and then: what that latched is reset once it holds.
    """
    until_s = line.clock.real() + patience_s
    while True:
        try:
            return str((await line.runs.start(recipe, values, who=who))["run_id"])
        except StateError:
            if line.clock.real() > until_s:
                raise
        for row in line.interlocks.rows():
            if row["can_reset"]:
                await line.interlocks.reset(row["name"], who, "its reading was late")
        await asyncio.sleep(0.1)


async def until(claim: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    """Wait until ``claim()``; the limit is only there so that a failing test ends."""
    async with asyncio.timeout(seconds):
        while not claim():
            await asyncio.sleep(0.02)


STARTED: list[asyncio.subprocess.Process] = []
"""Controllers that were started; one that a failed test left running is ended behind it."""


def end_what_was_left() -> None:
    for process in STARTED:
        if process.returncode is None:  # not waited for, so its number is still its own
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
    STARTED.clear()


class Controller:
    """`linecontrol serve` in its own process."""

    def __init__(self, line: Path, data: Path, speed: float, state: Path | None = None) -> None:
        self._command = [sys.executable, "-m", "linecontrol", "serve", "--line", str(line), "--data", str(data)]
        self._command += ["--speed", f"{speed:g}"]
        self._env = dict(os.environ) | ({"XDG_STATE_HOME": str(state)} if state is not None else {})
        self.url = ""
        self._data = data
        self.said: list[str] = []

    async def start(self, *, same_port: bool = False) -> None:
        port = self.url.rsplit(":", 1)[1] if same_port else "0"
        self.process = await asyncio.create_subprocess_exec(
            *self._command, "--port", port,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, env=self._env,
        )  # fmt: skip
        STARTED.append(self.process)
        assert self.process.stderr is not None
        async with asyncio.timeout(PATIENCE_S):
            async for line in self.process.stderr:
                text = line.decode()
                self.said.append(text)
                if "API: " in text:
                    self.url = text.split("API: ")[1].split("/docs")[0]
                    break
        self._reader = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.said.append(line.decode())

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        headers = console(self._data)
        # verify: no TLS here, and reading all the certificates of the world takes 20 ms for each request
        options: dict[str, Any] = {"trust_env": False, "timeout": 20, "headers": headers, "verify": False}
        async with httpx.AsyncClient(base_url=self.url, **options) as client:
            return await client.request(method, path, json=body)

    async def start_run(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Start a run as a person would, as soon as nothing stands in its way; returns its view. See ``started``."""
        said = ""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while (answer := await self.ask("POST", "/runs", wish)).status_code != 201:
                    assert answer.status_code == 409, answer.text  # the failed permissive is named
                    said = answer.json()["detail"]
                    assert "not started: " in said, said
                    for row in (await self.ask("GET", "/interlocks")).json():
                        if row["can_reset"]:
                            because = {"who": "li", "reason": "its reading was late"}
                            await self.ask("POST", f"/interlocks/{row['name']}/reset", because)
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"no run could be started: {said}") from None
        found: dict[str, Any] = answer.json()
        return found

    async def run_view(self) -> dict[str, Any]:
        view = (await self.ask("GET", "/runs/current")).json()
        return view or {}

    async def until_view(self, claim: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                view = await self.run_view()
                if view and claim(view):
                    return view
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def ended(self) -> int:
        """Wait until it has ended by itself; returns the exit code."""
        async with asyncio.timeout(PATIENCE_S):
            code = await self.process.wait()
        await asyncio.gather(self._reader, return_exceptions=True)
        return code

    async def stop(self) -> int:
        if self.process.returncode is None:
            self.process.terminate()
        code = await self.process.wait()
        await asyncio.gather(self._reader, return_exceptions=True)
        return code
