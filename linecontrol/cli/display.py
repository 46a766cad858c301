"""The display as a child process: for `linecontrol display`, `serve --display` and `demo`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from linecontrol.cli.child import end, ready
from linecontrol.cli.client import base_url, data_folder
from linecontrol.cli.output import people
from linecontrol.core.errors import LineError

DISPLAY_PORT = 8480
READY_WITHIN_S = 60.0


def run_display(url: str | None, host: str, port: int, data: Path | None) -> None:
    """The display in the foreground, until Ctrl-C. This process becomes it."""
    command = _command(base_url(url), port, data_folder(data) / "display", data_folder(data) / "access")
    os.execv(sys.executable, [*command, "--host", host, "--must-have-port"])  # noqa: S606 - fixed arguments, no shell


@contextlib.asynccontextmanager
async def displayed(url: str, port: int, folder: Path, access: Path | None = None) -> AsyncIterator[str | None]:
    """The display of the API at ``url``; yields its address, or None when it does not come up, which is told.

    ``access``: where the controller keeps what it tells this computer's own programs. The display ends when this
    process does, however that happens: it watches its standard input. The line needs no display.
    """
    with tempfile.TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            *_command(url, port, folder / "display", access),
            "--exit-with-parent",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            start_new_session=True,  # Ctrl-C is for the controller; it ends its child in order
        )
        try:
            address = None
            try:
                address = await ready(process, errors, "display", READY_WITHIN_S)
            except LineError as error:
                people.print(str(error), markup=False, soft_wrap=True)
            yield address
        finally:
            await end(process)


def _command(url: str, port: int, folder: Path, access: Path | None = None) -> list[str]:
    command = [sys.executable, "-m", "linecontrol.hmi", "--api", url, "--port", str(port), "--data", str(folder)]
    return command if access is None else [*command, "--access", str(access)]
