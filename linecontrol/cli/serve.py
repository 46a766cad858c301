"""`linecontrol serve`: drive one line until told to stop."""

from __future__ import annotations

import contextlib
from pathlib import Path

from linecontrol.cli.client import data_folder
from linecontrol.cli.display import displayed
from linecontrol.cli.output import BAD_INPUT, DONE, FAILED, people
from linecontrol.cli.serving import run_event_loop, serving, stop_on_signals
from linecontrol.config import read_line
from linecontrol.core.errors import ConfigError, LineError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def run_serve(line: str, data: Path | None, host: str, port: int, speed: float, display: int | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit code. ``display``: its port, None for no display."""
    if host not in LOOPBACK:
        people.print(
            f"--host {host}: refused. Without users and roles the API would let anybody on the network drive the line "
            f"(accepted: {', '.join(LOOPBACK)}; reach it from elsewhere through an SSH tunnel).",
            soft_wrap=True,
        )
        return BAD_INPUT
    try:
        return run_event_loop(_serve(line, data, host, port, speed, display))
    except ConfigError as error:
        people.print(str(error), markup=False, soft_wrap=True)
        return BAD_INPUT
    except (LineError, OSError) as error:
        people.print(str(error), markup=False, soft_wrap=True)
        return FAILED


async def _serve(line_name: str, data: Path | None, host: str, port: int, speed: float, display: int | None) -> int:
    import linecontrol.api.app  # noqa: F401 - slow to import: before scans begin, not while they wait
    from linecontrol.line.assembly import assemble

    config = read_line(line_name)
    folder = data_folder(data) if data else data_folder(None) / config.line.name
    with stop_on_signals() as stop:
        line = assemble(config, data=folder, speed=speed)
        line.listeners.append(lambda event: people.print(f"{event.severity.value:8}{event.text}", markup=False))
        async with line, serving(line, host, port, must_have_port=True) as url:
            people.print(f"Line {config.line.name!r} is being driven. API: {url}/docs  Data: {folder}", soft_wrap=True)
            async with contextlib.AsyncExitStack() as stack:
                if display is not None:
                    address = await stack.enter_async_context(displayed(url, display, folder))
                    people.print(f"Display: {address}", soft_wrap=True)
                await line.ready(stop)
                await stop.wait()
            people.print("Stopping: the line goes to its safe state.")
    return DONE
