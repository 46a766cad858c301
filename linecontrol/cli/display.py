"""The display as a child process: for `linecontrol display`, `serve --display` and `demo`.

Policy when it ends by itself: it is told, and started again after a pause of 1 s, doubled up to a minute while it does
not stay up. The line needs no display.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from linecontrol.cli.child import end, ready
from linecontrol.cli.output import people
from linecontrol.core.errors import LineError

if TYPE_CHECKING:
    from linecontrol.api.door import Tls

DISPLAY_PORT = 8480
READY_WITHIN_S = 60.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0

Tell = Callable[[str, bool], None]
"""Told what has become of the display, and whether it is away."""


@dataclass(frozen=True)
class Shown:
    """How a display is started.

    Attributes:
        url: of the API it shows. folder: for its own files, below it ``display/``.
        access: where the controller keeps what it tells this computer's own programs.
        api_certificate: what the API shows over TLS, when that is the controller's own.
        tls, names: certificate and host names of the display itself; beyond loopback only with TLS.
    """

    url: str
    folder: Path
    port: int = DISPLAY_PORT
    host: str = "127.0.0.1"
    access: Path | None = None
    api_certificate: Path | None = None
    tls: Tls | None = None
    names: Sequence[str] = ()

    def command(self, *more: str) -> list[str]:
        """What is run."""
        words = ["-m", "linecontrol.hmi", "--api", self.url, "--port", str(self.port), "--host", self.host]
        words += ["--data", str(self.folder / "display"), *more]
        if self.access is not None:
            words += ["--access", str(self.access)]
        if self.api_certificate is not None:
            words += ["--api-certificate", str(self.api_certificate)]
        if self.tls is not None:
            words += ["--tls-cert", str(self.tls.certificate), "--tls-key", str(self.tls.private_key)]
        for name in self.names:
            words += ["--name", name]
        return [sys.executable, *words]


def run_display(shown: Shown) -> None:
    """The display in the foreground, until Ctrl-C. This process becomes it."""
    os.execv(sys.executable, shown.command("--must-have-port"))  # noqa: S606 - fixed arguments, no shell


@contextlib.asynccontextmanager
async def displayed(shown: Shown, tell: Tell) -> AsyncIterator[str | None]:
    """The display beside a line; yields its address, or None when it does not come up, which is told.

    It ends when this process does, however that happens: it watches its standard input.
    """
    keeper = DisplayKeeper(shown, tell)
    try:
        yield await keeper.start()
    finally:
        await keeper.stop()


class DisplayKeeper:
    """Keeps one display running."""

    def __init__(self, shown: Shown, tell: Tell, first_pause_s: float = FIRST_PAUSE_S) -> None:
        self._shown, self._tell, self._pause_s, self._first_s = shown, tell, first_pause_s, first_pause_s
        self.process: asyncio.subprocess.Process | None = None
        self._errors = contextlib.ExitStack()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> str | None:
        """Its address; None when it does not come up, which is told; it is tried again then."""
        address = None
        try:
            address = await self._spawn()
        except LineError as error:
            people.print(str(error), markup=False, soft_wrap=True)
        self._task = asyncio.ensure_future(self._keep())
        return address

    async def stop(self) -> None:
        """End it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self.process is not None:
            await end(self.process)
        self._errors.close()

    async def _keep(self) -> None:
        is_told = False
        while True:
            began = asyncio.get_running_loop().time()
            if self.process is not None and self.process.returncode is None:
                code = await self.process.wait()
                if asyncio.get_running_loop().time() - began > LONGEST_PAUSE_S:
                    self._pause_s = self._first_s
                self._tell(f"The display ended by itself ({_how(code)}); it is started again", True)
                is_told = True
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(2.0 * self._pause_s, LONGEST_PAUSE_S)
            try:
                address = await self._spawn()
            except LineError as error:
                if not is_told:
                    self._tell(f"The display does not start: {str(error)[:300]}", True)
                    is_told = True
                continue
            self._tell(f"The display is there again: {address}", False)
            is_told = False

    async def _spawn(self) -> str:
        self._errors.close()
        errors = self._errors.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        self.process = await asyncio.create_subprocess_exec(
            *self._shown.command("--exit-with-parent"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            start_new_session=True,  # Ctrl-C is for the controller; it ends its child in order
        )
        try:
            address = await ready(self.process, errors, "display", READY_WITHIN_S)
        except LineError:
            await end(self.process)
            raise
        self._shown = _at_port(self._shown, address)
        return address


def _at_port(shown: Shown, address: str) -> Shown:
    """The same at the port it has found, where browsers look for it again."""
    return replace(shown, port=int(address.rsplit(":", 1)[1]))


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
