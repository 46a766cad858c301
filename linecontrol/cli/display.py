"""The display as a child process: for `linecontrol display`, `serve --display` and `demo`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from linecontrol.cli.client import base_url, data_folder
from linecontrol.cli.output import people
from linecontrol.core.errors import LineError

DISPLAY_PORT = 8480
READY_WITHIN_S = 60.0
END_PATIENCE_S = 5.0


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
                address = await _ready(process, errors)
            except LineError as error:
                people.print(str(error), markup=False, soft_wrap=True)
            yield address
        finally:
            await _end(process)


def _command(url: str, port: int, folder: Path, access: Path | None = None) -> list[str]:
    command = [sys.executable, "-m", "linecontrol.hmi", "--api", url, "--port", str(port), "--data", str(folder)]
    return command if access is None else [*command, "--access", str(access)]


async def _ready(process: asyncio.subprocess.Process, errors: Any) -> str:
    if process.stdout is None:
        raise LineError("the display has no output")
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            async for line in process.stdout:
                if line.startswith(b"READY "):
                    return line[6:].decode().strip()
    except TimeoutError:
        raise LineError(f"the display was not ready within {READY_WITHIN_S:.0f} s") from None
    errors.seek(0)
    raise LineError(f"the display ended at its start: {errors.read().decode(errors='replace')[-2000:]}")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(END_PATIENCE_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
