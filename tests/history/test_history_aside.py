"""Questions answered in a process of their own: the same answers, errors told, and the process never outlives us."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from linecontrol.api.pages import PAGE_ROWS, page, sample_json, samples_json
from linecontrol.core.errors import StorageError
from linecontrol.core.image import Scan
from linecontrol.core.model import Sample
from linecontrol.history import Historian, HistoryReader
from linecontrol.history.aside import Aside

T0 = 1_750_000_000.0
MakeHistorian = Callable[..., Historian]
MakeScan = Callable[[int], Scan]


def process_number(_reader: HistoryReader) -> int:
    return os.getpid()


def standing(_reader: HistoryReader) -> tuple[bool, int, int]:
    """Whether it leads a process group of its own, its session, and its niceness."""
    return os.getpgid(0) == os.getpid(), os.getsid(0), os.nice(0)


def fail(_reader: HistoryReader) -> None:
    raise RuntimeError("on purpose")


def wait_for(_reader: HistoryReader, path: Path) -> str:
    """Answers only when the file is there."""
    while not path.exists():
        time.sleep(0.01)
    return "waited"


async def recorded(historian: MakeHistorian, scan: MakeScan, scans: int) -> Historian:
    history = historian()
    await history.start()
    for n in range(scans):
        history.offer(scan(n))
    await history.flush()
    return history


async def json_of(aside: Aside, *question: object) -> bytes:
    return b"".join([piece async for piece in samples_json(aside, *question)])  # type: ignore[arg-type]


def expected(found: dict[str, list[Sample]]) -> dict[str, list[dict[str, object]]]:
    return {tag: [sample_json(sample) for sample in rows] for tag, rows in found.items()}


async def test_pages_together_are_the_answer(historian: MakeHistorian, scan: MakeScan) -> None:
    history = await recorded(historian, scan, 2 * PAGE_ROWS + 1)
    aside = history.aside()
    tags = ["SEQ", "TT-2", "XS-1", "ZT-1"]
    questions = [
        (T0, None, 100_000),  # three pages
        (T0, T0 + PAGE_ROWS, 100_000),  # one page, exactly full
        (T0 + 0.5, None, PAGE_ROWS + 1),  # what held at the start comes first, and does not count
        (T0 + 0.5, T0 + 0.6, 10),  # only what held
        (T0 - 10.0, T0 - 5.0, 10),  # nothing at all
        (T0, None, 1),
    ]
    for start, end, limit in questions:
        found = await history.samples(tags, start, end, limit)
        assert json.loads(await json_of(aside, tags, start, end, limit)) == expected(found), (start, end, limit)
    assert len(found["SEQ"]) == 1
    await aside.close()
    await history.stop()


async def test_it_is_another_process_and_ends_when_closed(historian: MakeHistorian, scan: MakeScan) -> None:
    history = await recorded(historian, scan, 1)
    aside = history.aside()
    number = await aside.ask(process_number)
    assert number != os.getpid()
    assert await aside.ask(process_number) == number, "one process for all questions"
    await aside.close()
    await history.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
    with pytest.raises(StorageError, match="not running"):
        await aside.ask(process_number)


async def test_errors_are_told_and_the_next_question_is_answered(historian: MakeHistorian, scan: MakeScan) -> None:
    history = await recorded(historian, scan, 3)
    aside = history.aside()
    with pytest.raises(StorageError, match="not recorded on this line: TT-99"):
        await aside.ask(page, "TT-99", T0, None, 10, True)
    with pytest.raises(StorageError, match="on purpose"):
        await aside.ask(fail)
    assert (await aside.ask(page, "SEQ", T0, None, 10, True)).counted == 3
    await aside.close()
    await history.stop()


async def test_a_killed_process_is_begun_again(historian: MakeHistorian, scan: MakeScan) -> None:
    history = await recorded(historian, scan, 3)
    aside = history.aside()
    number = await aside.ask(process_number)
    os.kill(number, signal.SIGKILL)
    with pytest.raises(StorageError, match="ask again"):
        await aside.ask(process_number)
    assert await aside.ask(process_number) != number
    await aside.close()
    await history.stop()


async def test_who_goes_away_leaves_no_answer_for_the_next(
    historian: MakeHistorian, scan: MakeScan, tmp_path: Path
) -> None:
    history = await recorded(historian, scan, 1)
    aside = history.aside()
    number = await aside.ask(process_number)
    asked = asyncio.ensure_future(aside.ask(wait_for, tmp_path / "go"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    (tmp_path / "go").touch()
    assert await aside.ask(process_number) == number
    await aside.close()
    await history.stop()


async def test_it_is_out_of_the_way_of_ctrl_c_and_of_the_scans(historian: MakeHistorian, scan: MakeScan) -> None:
    """A group of its own, for Ctrl-C; but our session, for only within it does being nice count."""
    history = await recorded(historian, scan, 1)
    aside = history.aside()
    leads_group, session, niceness = await aside.ask(standing)
    assert leads_group
    assert session == os.getsid(0)
    assert niceness > os.nice(0)
    await aside.close()
    await history.stop()
