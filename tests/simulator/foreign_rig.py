"""A foreign client's process: it says on its standard output what it wants done to the server, and waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple


class Said(NamedTuple):
    """How it ended: exit code, what it said line by line, and what it complained of."""

    code: int
    lines: list[str]
    complaint: str


async def converse(
    command: list[str | Path],
    faults: Mapping[str, Callable[[], object]],
    within_s: float,
    env: dict[str, str] | None = None,
) -> Said:
    """Run a client to its end; for each line ``> NAME`` do ``faults[NAME]`` and answer ``done``."""
    pipe = asyncio.subprocess.PIPE
    client = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, env=env)
    assert client.stdin is not None
    assert client.stdout is not None
    assert client.stderr is not None
    said: list[str] = []
    try:
        async with asyncio.timeout(within_s):
            async for line in client.stdout:
                said.append(line.decode().strip())
                if said[-1].startswith("> "):
                    faults[said[-1].removeprefix("> ")]()
                    client.stdin.write(b"done\n")
            complaint = (await client.stderr.read()).decode()
            code = await client.wait()
    finally:
        if client.returncode is None:
            client.kill()
            await client.wait()
        client._transport.close()  # type: ignore[attr-defined]
    return Said(code, said, complaint)
