"""The load under which ``clock.py`` measures the beat again: the API, the historian and a long query, all real.

In the process of the beat, as `linecontrol serve` has it: 15 samples published each beat, the historian's feed and its
thread, and the API in its thread. In a process of their own, the clients: all tags five times a second, a WebSocket,
and the history of five tags over 60,000 beats, asked for again as soon as it has come.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

TAGS, AT_ONCE = 150, 15
STORED_BEATS = 60_000
ASKED = [f"T-{i}" for i in range(5)]
URL = "sqlite:///{}/history.db"


def tags() -> list[Any]:
    from linecontrol.core.model import DataType, Tag, Text

    return [
        Tag(f"T-{i}", "s", Text("Temperature", "温度"), "°C", DataType.FLOAT32, str(i), low=0.0, high=200.0)
        for i in range(TAGS)
    ]


def scan(names: list[str], beat: int, now: float) -> Any:
    from linecontrol.core.image import Scan
    from linecontrol.core.model import Sample, Status

    value = round(100.0 + 50.0 * math.sin(beat / 100.0), 3)
    return Scan("s", now, {name: Sample(value + i, Status.GOOD, now) for i, name in enumerate(names)})


@dataclass
class PlainLine:
    """What the API asks of a line, without control."""

    image: Any
    clock: Any
    historian: Any
    data: Path
    listeners: list[Any] = field(default_factory=list)
    tuning: Any = None
    lab: Any = None
    runs: Any = field(default_factory=lambda: SimpleNamespace(view=lambda: None))
    alarms: Any = field(
        default_factory=lambda: SimpleNamespace(
            rows=list, rows_since=lambda seen: (seen, []), system=SimpleNamespace(version=0)
        )
    )
    lock: Any = field(default_factory=lambda: SimpleNamespace(describe=lambda _facts: None))


async def fill(folder: Path) -> None:
    """A history to ask about, made once for all rounds."""
    from linecontrol.core.errors import StorageError
    from linecontrol.history import Historian

    historian = Historian(URL.format(folder), folder, "line", tags(), memory_rows=1_000_000)
    await historian.start()
    start = time.time() - STORED_BEATS * 0.01 - 100.0
    for beat in range(STORED_BEATS):
        historian.offer(scan(ASKED, beat, start + beat * 0.01))
        if beat % 10_000 == 0:
            await asyncio.sleep(0)
    while historian.counters.pending:  # it takes longer than one flush waits
        with contextlib.suppress(StorageError):
            await historian.flush()
    await historian.stop()


@contextlib.asynccontextmanager
async def loaded_line(folder: Path) -> AsyncIterator[Callable[[int], None]]:
    """A line under load; yields what a beat has to do."""
    from linecontrol.cli.serving import serving
    from linecontrol.core.clock import Clock
    from linecontrol.core.image import LosslessFeed, ProcessImage
    from linecontrol.history import Historian

    clock, image, feed = Clock(), ProcessImage(tags()), LosslessFeed()
    historian = Historian(URL.format(folder), folder, "line", tags())
    image.attach(feed)
    names = list(image.tags)
    parts = [names[i : i + AT_ONCE] for i in range(0, TAGS, AT_ONCE)]
    await historian.start()

    async def keep() -> None:
        while True:
            for one in await feed.take():
                historian.offer(one)

    def publish(beat: int) -> None:
        image.publish(scan(parts[beat % len(parts)], beat, clock.now()))

    for beat in range(len(parts)):
        publish(beat)
    keeper = asyncio.create_task(keep())
    async with serving(PlainLine(image, clock, historian, folder), "127.0.0.1", 0) as served:  # type: ignore[arg-type]
        clients = await asyncio.create_subprocess_exec(
            sys.executable,
            __file__,
            served.url,
            served.door.console,
            stdout=asyncio.subprocess.PIPE,
            stdin=asyncio.subprocess.PIPE,
        )
        assert clients.stdout is not None
        assert clients.stdin is not None
        try:
            await clients.stdout.readline()  # each has had its first answer
            yield publish
        finally:
            clients.stdin.close()
            said = await clients.stdout.read()
            await clients.wait()
            print(said.decode().strip(), file=sys.stderr)
    keeper.cancel()
    await historian.stop()


# -- the clients


async def ask(url: str, token: str) -> None:
    """Be the clients until the standard input ends; then print what was had."""
    import httpx
    from websockets.asyncio.client import connect

    headers = {"Authorization": f"Bearer {token}"}
    had = {"snapshots": 0, "updates": 0, "queries": 0, "rows": 0, "query_s": 0.0}
    began = {name: asyncio.Event() for name in ("snapshots", "updates", "queries")}

    def note(name: str) -> None:
        had[name] += 1
        began[name].set()

    async def snapshots(client: httpx.AsyncClient) -> None:
        while True:
            (await client.get(f"{url}/tags")).raise_for_status()
            note("snapshots")
            await asyncio.sleep(0.2)

    async def queries(client: httpx.AsyncClient) -> None:
        while True:
            start = time.perf_counter()
            answer = await client.get(f"{url}/samples", params={"tag": ASKED, "limit": STORED_BEATS})
            answer.raise_for_status()
            had["query_s"] += time.perf_counter() - start
            had["rows"] = answer.content.count(b'"time"')
            note("queries")

    async def updates() -> None:
        async with connect(f"{url.replace('http', 'ws')}/ws/live", additional_headers=headers) as socket:
            async for _ in socket:
                note("updates")

    async with httpx.AsyncClient(timeout=60.0, trust_env=False, headers=headers) as client:
        tasks = [asyncio.ensure_future(work) for work in (snapshots(client), queries(client), updates())]
        for event in began.values():
            await event.wait()
        print("ready", flush=True)
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        end = asyncio.ensure_future(reader.read())
        await asyncio.wait([end, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for found in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(found, asyncio.CancelledError):
                raise SystemExit(f"a client stopped: {found!r}")
    had["query_s"] = round(had["query_s"] / max(1, had["queries"]), 3)
    print(json.dumps(had), flush=True)


if __name__ == "__main__":
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))  # they are other people's programs
    asyncio.run(ask(sys.argv[1], sys.argv[2]))
