"""Child processes of the command line: waited for until they are ready, and ended in order."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from linecontrol.core.errors import LineError

END_PATIENCE_S = 5.0


async def ready(process: asyncio.subprocess.Process, errors: Any, what: str, within_s: float) -> str:
    """What a child prints after READY. Raises LineError when it ends or is silent. ``errors``: its standard error."""
    if process.stdout is None:
        raise LineError(f"the {what} has no output")
    try:
        async with asyncio.timeout(within_s):
            async for line in process.stdout:
                if line.startswith(b"READY "):
                    return line[6:].decode().strip()
    except TimeoutError:
        raise LineError(f"the {what} was not ready within {within_s:.0f} s") from None
    errors.seek(0)
    raise LineError(f"the {what} ended at its start: {errors.read().decode(errors='replace')[-2000:]}")


async def end(process: asyncio.subprocess.Process) -> None:
    """Ask it to end, and make it end when it does not within five seconds."""
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
