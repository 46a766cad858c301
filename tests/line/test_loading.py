"""What is on record is read once; a history that is away is asked again by itself."""

from __future__ import annotations

import asyncio
import logging

import pytest
from desk_rig import T0, desks, read_again

from linecontrol.core.errors import StorageError
from linecontrol.history import BypassRow, CalibrationRow
from linecontrol.line import loading
from linecontrol.line.loading import Loading


class Shelf:
    """Is read; raises what it is told to, in turn."""

    def __init__(self, *raises: Exception) -> None:
        self._raises = list(raises)
        self.reads = 0

    async def read(self) -> None:
        self.reads += 1
        if self._raises:
            raise self._raises.pop(0)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "AGAIN_S", 0.01)


async def until_done(found: Loading) -> None:
    async with asyncio.timeout(5.0):
        while not found.is_done:
            await asyncio.sleep(0.005)


async def test_what_was_read_is_not_read_again() -> None:
    shelf = Shelf()
    found = Loading(shelf.read)
    await found.load()
    await found.load()
    found.look()
    await asyncio.sleep(0.03)
    assert (found.is_done, shelf.reads) == (True, 1)


async def test_a_history_that_is_away_is_asked_again_and_an_odd_record_keeps_nothing_from_starting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shelf = Shelf(StorageError("away"), KeyError("state"))
    found = Loading(shelf.read)
    with caplog.at_level(logging.ERROR):
        await found.load()
        assert not found.is_done
        await until_done(found)
    assert shelf.reads == 3
    assert ["Shelf.read failed" in record.message for record in caplog.records] == [True], "no absence"


async def test_who_asks_often_is_answered_by_an_attempt_in_five_seconds_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loading, "AGAIN_S", 60.0)
    shelf = Shelf(StorageError("away"), StorageError("away"))
    found = Loading(shelf.read)
    await found.load()
    await found.load()
    assert shelf.reads == 1
    monkeypatch.setattr(found, "_soonest", 0.0)
    await found.load()
    assert shelf.reads == 2
    found.close()


async def test_a_start_does_not_wait_for_a_history_that_hangs_and_takes_up_what_comes_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loading, "PATIENCE_S", 0.01)
    answer = asyncio.Event()

    async def read() -> None:
        await answer.wait()

    found = Loading(read)
    await found.load()
    assert not found.is_done
    answer.set()
    await until_done(found)


async def test_a_line_that_has_ended_asks_no_more() -> None:
    shelf = Shelf(*[StorageError("away")] * 9)
    found = Loading(shelf.read)
    await found.load()
    found.close()
    await asyncio.sleep(0.05)
    assert shelf.reads == 1


async def test_nothing_is_asked_where_there_is_nothing_to_read() -> None:
    shelf = Shelf()
    await Loading(shelf.read, is_done=True).load()
    assert shelf.reads == 0


async def test_a_bypass_that_was_set_before_the_record_could_be_read_stands_before_an_older_one() -> None:
    async with desks() as line:
        history = line.historian
        for name in ("IL-306", "IL-307"):
            history.kept.bypasses[name] = BypassRow(name, name, "wang", "before", T0 - 300.0, T0 + 900.0)
        history.is_away = True
        await line.interlocks.load()
        await line.interlocks.bypass("IL-307", "chen", "meter swapped", 300.0)
        history.is_away = False
        await read_again(line.interlocks)
        found = {name: line.interlocks.row(name)["bypass"]["who"] for name in history.kept.bypasses if name[:2] == "IL"}
        assert found == {"IL-306": "wang", "IL-307": "chen"}
        assert len(line.told("interlock.bypassed")) == 2, "each is told once"


async def test_a_check_that_was_entered_before_the_register_could_be_read_stands_before_an_older_one() -> None:
    async with desks() as line:
        history, done = line.historian, T0 - 7200.0
        old = CalibrationRow(
            "C1", "METAL-TEST", "verification", "", done, done + 14_400.0, done, "wang", "failed", "no"
        )
        history.kept.calibrations["C1"] = old
        history.is_away = True
        await line.checks.load()
        assert line.checks.row("METAL-TEST")["is_overdue"]
        await line.checks.enter("METAL-TEST", "li", result="passed")
        history.is_away = False
        await read_again(line.checks)
        row = line.checks.row("METAL-TEST")
        assert (row["who"], row["result"], row["is_overdue"]) == ("li", "passed", False)
