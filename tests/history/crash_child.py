"""Records as fast as told until it is killed. Says into a pipe what was acknowledged, and only then.

Not a test: ``test_historian_crash.py`` runs it, in a process of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from linecontrol.core.image import Scan
from linecontrol.core.model import DataType, Event, Sample, Status, Tag, Text
from linecontrol.history import Historian, RunRow, sealing

EPOCH = 1_750_000_000.0
FLUSH_S = 0.1


async def record(database: str, spool: str, first: int, say: Callable[[str, int], None]) -> None:
    tags = [
        Tag(name, "s", Text(name, name), "", DataType.UINT32, name)
        for name in ("SEQ", "CHECK", *(f"N-{n}" for n in range(8)))
    ]
    sealing.SPAN_US = 5_000_000  # a block every few commits, so that many a kill strikes while one is made
    history = Historian(f"sqlite:///{database}", Path(spool), "demo", tags, flush_s=FLUSH_S)
    await history.start()
    say("ready", first)
    number = first
    while True:
        number += 1
        now = EPOCH + number
        values = {tag.name: float(number) for tag in tags} | {"CHECK": float(number * 2654435761 % 2**32)}
        history.offer(Scan("s", now, {name: Sample(value, Status.GOOD, now) for name, value in values.items()}))
        say("offered", number)
        if number % 7 == 0:
            history.event(Event(now, "test", "x", str(number)))
            await history.save_run(RunRow("R-1", "r", "h", str(number), now, EPOCH))
            say("run", number)
            say("event", number)  # before the run in order, so as durable
        else:
            await asyncio.sleep(0.004)


def until_killed(database: str, spool: str, first: int, pipe: Connection) -> None:
    def say(word: str, number: int) -> None:
        pipe.send_bytes(f"{word} {number}".encode())  # short, so written whole or not at all

    asyncio.run(record(database, spool, first, say))
