from __future__ import annotations

import asyncio
import math
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from linecontrol.core.errors import ConfigError, StorageError
from linecontrol.core.image import Scan
from linecontrol.core.model import Command, DataType, Event, Outcome, Receipt, Sample, Severity, Status, Tag
from linecontrol.history import Historian, RecipeRow, RunRow, open_reader

T0 = 1_750_000_000.0

MakeHistorian = Callable[..., Historian]
MakeScan = Callable[[int], Scan]
Ask = Callable[..., list[tuple[Any, ...]]]

RUN = RunRow("R-1", "standard", "abc", "Running", T0 + 5, T0, None, {"root_kg": 1.5, "注": "好"}, {"step": [1, None]})


async def test_what_was_offered_is_read_back(historian: MakeHistorian, scan: MakeScan) -> None:
    history = historian()
    await history.start()
    for n in range(100):
        history.offer(scan(n))
    await history.flush()
    found = await history.samples(["SEQ", "TT-1", "TT-2", "XS-1", "ZT-1"], T0, T0 + 100)
    assert found["SEQ"] == [scan(n).samples["SEQ"] for n in range(100)]
    assert found["TT-1"] == [scan(n).samples["TT-1"] for n in range(100)]
    assert [(s.value, s.time - T0) for s in found["TT-2"]] == [(55.5, 0.0), (55.5, 60.0)]
    assert [s.value for s in found["XS-1"][:3]] == [True, False, True]
    assert isinstance(found["XS-1"][0].value, bool)
    assert [s.value for s in found["ZT-1"]] == ["相 A", ""] * 5
    counters = history.counters
    assert counters.offered == 500
    assert counters.accepted + counters.unchanged == 500 + 1  # and the event that the recording began
    assert counters.stored == counters.accepted
    assert counters.adds_up
    await history.stop()


async def test_a_range_begins_with_the_value_that_held_then(historian: MakeHistorian, scan: MakeScan) -> None:
    history = historian()
    await history.start()
    for n in range(40):
        history.offer(scan(n))
    await history.flush()
    ask = history.samples
    assert [s.time - T0 for s in (await ask(["SEQ"], T0 + 10.5, T0 + 13))["SEQ"]] == [10, 11, 12]
    assert [s.time - T0 for s in (await ask(["SEQ"], T0 + 11, T0 + 13))["SEQ"]] == [11, 12]
    assert [s.time - T0 for s in (await ask(["SEQ"], T0 + 10.5, T0 + 13, hold=False))["SEQ"]] == [11, 12]
    assert [s.time - T0 for s in (await ask(["SEQ"], T0 + 10, limit=3))["SEQ"]] == [10, 11, 12]
    assert (await ask(["TT-2"], T0 + 30))["TT-2"] == [scan(0).samples["TT-2"]]
    with pytest.raises(StorageError, match=r"not recorded.*NOPE"):
        await ask(["NOPE"], T0)
    await history.stop()


async def test_events_and_commands_come_back_whole_and_in_order(historian: MakeHistorian) -> None:
    history = historian()
    await history.start()
    events = [
        Event(T0 + 1, "link.down", "drying", "no answer", Severity.ALARM, active=True, data={"tries": 3}),
        Event(T0 + 1, "run.state", "R-1", "保持", Severity.WARNING),
        Event(T0 + 9, "link.up", "drying", "answers", Severity.ALARM, active=False),
        Event(T0 + 10, "linkage", "x", "another kind"),
    ]
    for event in events:
        history.event(event)
    receipts = [
        Receipt(Command("TT-1", 5.5, "operator:li", "warmer", expected=5), Outcome.CONFIRMED, T0 + 2, "", 5.5, 5.0),
        Receipt(Command("XS-1", True, "recipe"), Outcome.REFUSED, T0 + 3, "interlock"),
        Receipt(Command("TT-1", "nan", "operator:li"), Outcome.REFUSED, T0 + 4, "not a finite number"),
    ]
    no_json = Receipt(Command("TT-1", math.nan, "operator:li"), Outcome.REFUSED, T0 + 4, "not a finite number")
    for receipt in (*receipts[:2], no_json):
        history.command(receipt)
    await history.flush()
    assert (await history.events())[1:] == events  # the first says that the recording began
    assert await history.events(kinds=["link"]) == [events[0], events[2]]
    assert await history.events(kinds=[]) == []
    assert await history.events(since=T0 + 9, until=T0 + 10) == [events[2]]
    assert await history.events(limit=1) == [events[3]]
    assert await history.commands() == receipts
    assert await history.commands(tag="XS-1") == receipts[1:2]
    await history.stop()


async def test_an_acknowledged_run_is_there_and_the_latest_wins(historian: MakeHistorian, ask: Ask) -> None:
    history = historian(flush_s=30.0)  # a save does not wait for the flush
    await history.start()
    await history.save_run(RUN)
    assert ask("SELECT run_id, state FROM run") == [("R-1", "Running")]
    later = RunRow("R-1", "standard", "abc", "Complete", T0 + 9, T0, T0 + 9, {"yield": 0.8}, {})
    await history.save_run(later)
    other = RunRow("R-2", "cip", "def", "Idle", T0 + 8, T0 + 7)
    await history.save_run(other)
    assert await history.run("R-1") == later
    assert await history.run("R-9") is None
    assert await history.runs() == [other, later]
    assert await history.runs(state="Complete") == [later]
    assert await history.runs(limit=1) == [other]
    assert await history.last_run() == later
    recipe = RecipeRow("abc", "standard", "1", "text: 葛", T0)
    await history.save_recipe(recipe)
    await history.save_recipe(RecipeRow("abc", "standard", "2", "other", T0))
    assert await history.recipe("abc") == recipe
    await history.stop()
    with pytest.raises(StorageError, match="not running"):
        await history.save_run(RUN)


async def test_a_run_that_no_database_could_hold_is_refused_not_acknowledged(historian: MakeHistorian) -> None:
    history = historian()
    await history.start()
    for bad in ("R\x001", "R\ud800"):
        with pytest.raises(StorageError, match="cannot be kept"):
            await history.save_run(RunRow(bad, "r", "h", "Idle", T0))
    with pytest.raises(StorageError, match="not a time"):
        await history.save_run(RunRow("R", "r", "h", "Idle", math.nan))
    assert await history.runs() == []
    await history.stop()


async def test_after_a_restart_line_time_goes_on_and_the_gap_is_no_good_value(
    historian: MakeHistorian, scan: MakeScan
) -> None:
    first = historian()
    await first.start()
    assert first.latest_time() is None
    for n in range(30):
        first.offer(scan(n))
    await first.stop()
    second = historian()
    await second.start()
    latest = second.latest_time()
    assert latest is not None
    assert 0 < latest - (T0 + 29) < 0.001
    second.offer(scan(100))
    await second.flush()
    found = (await second.samples(["TT-2"], T0))["TT-2"]
    assert [(s.value, s.status, round(s.time - T0, 3)) for s in found] == [
        (55.5, Status.GOOD, 0.0),
        (55.5, Status.GOOD, 29.0),  # held back until the recording ended
        (None, Status.BAD_OUT_OF_SERVICE, 29.0),
        (55.5, Status.GOOD, 100.0),
    ]
    kinds = [event.kind for event in await second.events(kinds=["historian"])]
    assert kinds == ["historian.started", "historian.stopped", "historian.started"]
    assert [e.severity for e in await second.events(kinds=["historian.stopped"])] == [Severity.INFO]
    await second.stop()


async def test_samples_offered_behind_the_history_are_not_lost(historian: MakeHistorian, scan: MakeScan) -> None:
    first = historian()
    await first.start()
    for n in range(10):
        first.offer(scan(n))
    await first.stop()
    second = historian()
    await second.start()
    for n in range(3, 8):  # a line whose clock went back
        second.offer(scan(n))
    await second.stop()
    assert second.counters.duplicates == 0
    with open_reader(f"sqlite:///{second._url[10:]}") as reader:
        values = [s.value for s in reader.samples(["SEQ"], T0)["SEQ"] if s.is_good]
    assert values == [float(n) for n in [*range(10), *range(3, 8)]]


async def test_two_lines_in_one_database_do_not_mix(historian: MakeHistorian, scan: MakeScan, db: Path) -> None:
    lines = [historian(line=name) for name in ("north", "south")]
    for offset, history in enumerate(lines):
        await history.start()
        history.offer(scan(offset))
        history.event(Event(T0, "x", "y", f"of {offset}"))
        await history.save_run(RunRow("R-1", "r", "h", f"State {offset}", T0))
        await history.save_recipe(RecipeRow("h", f"recipe {offset}", "1", ""))
    for offset, history in enumerate(lines):
        assert [s.value for s in (await history.samples(["SEQ"], T0))["SEQ"]] == [float(offset)]
        assert [e.text for e in await history.events(kinds=["x"])] == [f"of {offset}"]
        assert [run.state for run in await history.runs()] == [f"State {offset}"]
        recipe = await history.recipe("h")
        assert recipe is not None
        assert recipe.name == f"recipe {offset}"
        await history.stop()
    with pytest.raises(StorageError, match="north, south: name one"):
        open_reader(f"sqlite:///{db}")
    with open_reader(f"sqlite:///{db}", "south") as reader:
        assert reader.lines() == ["north", "south"]
        assert reader.tags()["TT-1"] == "°C"
        assert [run.state for run in reader.runs()] == ["State 1"]


async def test_poison_is_quarantined_and_the_rest_goes_on(historian: MakeHistorian, ask: Ask) -> None:
    history = historian()
    await history.start()
    sick: dict[str, Any] = {
        "TT-1": Sample([1], Status.GOOD, T0),  # type: ignore[arg-type]
        "TT-2": Sample(1.0, 2**70, T0),  # type: ignore[arg-type]
        "ZT-1": Sample("half a \ud83d pair", Status.GOOD, T0),
        "NOPE": Sample(1.0, Status.GOOD, T0),
        "SEQ": Sample(7.0, Status.GOOD, T0),
    }
    history.offer(Scan("drying", T0, sick))
    history.offer(Scan("drying", math.nan, {"XS-1": Sample(True, Status.GOOD, T0 + 1)}))
    history.event(Event(math.inf, "bad", "x", "no time"))
    history.event(Event(T0 + 1, "odd", "x", "fine", data={"object": object(), "half": "\ud83d"}))
    await history.flush()
    assert {kind for (kind,) in ask("SELECT kind FROM event")} >= {"odd"}
    assert ask("SELECT count(*) FROM sample") == [(2,)]
    reasons = " | ".join(reason for (reason,) in ask("SELECT reason FROM quarantine ORDER BY id"))
    for why in ("type list", "too large", "surrogates", "not one of this line", "not a time"):
        assert why in reasons
    counters = history.counters
    assert counters.quarantined == 5
    assert counters.dropped == 0
    assert counters.adds_up
    await history.stop()
    with open_reader(f"sqlite:///{history._url[10:]}") as reader:
        assert len(reader.quarantined()) == 5
    assert ask("SELECT count(*) FROM event WHERE kind = 'historian.quarantined'") == [(1,)]


async def test_offer_and_event_never_wait_for_the_database(
    historian: MakeHistorian, scan: MakeScan, monkeypatch: pytest.MonkeyPatch
) -> None:
    from linecontrol.history.store import Store

    history = historian()
    await history.start()
    asked, release = asyncio.Event(), threading.Event()
    loop, write = asyncio.get_running_loop(), Store.write

    def slow(self: Store, batches: Any) -> Any:
        loop.call_soon_threadsafe(asked.set)
        release.wait(20)
        return write(self, batches)

    monkeypatch.setattr(Store, "write", slow)
    history.offer(scan(0))
    await asked.wait()
    for n in range(1, 50):  # the writer stands; this must not
        history.offer(scan(n))
    assert history.counters.stored == 0
    assert history.counters.adds_up
    release.set()
    await history.flush()
    assert history.counters.pending == 0
    await history.stop()


async def test_stop_may_come_early_twice_or_never_started(historian: MakeHistorian, scan: MakeScan) -> None:
    never = historian()
    await never.stop()
    history = historian()
    await history.start()
    await history.stop()
    await history.stop()
    history.offer(scan(1))  # too late: counted, not hidden
    assert history.counters.dropped > 0
    assert history.counters.adds_up


async def test_a_changed_unit_is_said_in_an_event(historian: MakeHistorian, tags: list[Tag]) -> None:
    first = historian()
    await first.start()
    await first.stop()
    changed = replace(tags[1], unit="°F")
    second = historian(tags=[changed, *tags[2:], replace(tags[0], name="NEW", type=DataType.INT16)])
    await second.start()
    await second.flush()
    (event,) = await second.events(kinds=["historian.unit_changed"])
    assert "'°C'" in event.text
    assert "'°F'" in event.text
    await second.stop()


async def test_an_outsider_reads_the_file_with_sql_alone(historian: MakeHistorian, scan: MakeScan, ask: Ask) -> None:
    history = historian()
    await history.start()
    history.offer(scan(0))
    history.offer(Scan("drying", T0 + 1, {"TT-1": Sample(None, Status.BAD_SENSOR_FAILURE, T0 + 1)}))
    await history.stop()
    rows = ask("SELECT line, station, tag, time_utc, value, unit, quality FROM readable_sample WHERE tag = 'TT-1'")
    assert rows == [
        ("demo", "drying", "TT-1", "2025-06-15 15:06:40.000", 20.0, "°C", "GOOD"),
        ("demo", "drying", "TT-1", "2025-06-15 15:06:41.000", None, "°C", "BAD"),
    ]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "not a database URL"),
        ("sqlite://", "must lie in a file"),
        ("oracle+nosuchdriver://host/db", "driver"),
    ],
)
async def test_a_wrong_url_is_refused_with_what_is_accepted(url: str, says: str, tmp_path: Path) -> None:
    history = Historian(url, tmp_path / "spool", "demo", [])
    with pytest.raises(ConfigError, match=says):
        await history.start()


def test_a_reader_says_when_there_is_no_history(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no history at"):
        open_reader(f"sqlite:///{tmp_path / 'none.db'}")


async def test_a_copy_on_a_medium_that_cannot_be_written_is_readable(
    historian: MakeHistorian, scan: MakeScan, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = historian()
    await history.start()
    history.offer(scan(3))
    await history.stop()
    monkeypatch.setattr(os, "access", lambda *_: False)
    with open_reader(f"sqlite:///{db}") as reader:
        assert [s.value for s in reader.samples(["SEQ"], T0)["SEQ"]] == [3.0]
        assert sorted(path.name for path in db.parent.glob("history.db*")) == ["history.db"]


async def test_a_reader_cannot_write(historian: MakeHistorian, db: Path) -> None:
    history = historian()
    await history.start()
    await history.stop()
    with (
        open_reader(f"sqlite:///{db}") as reader,
        reader._connected() as connection,
        pytest.raises(sa.exc.OperationalError, match="readonly"),
    ):
        connection.execute(sa.text("DELETE FROM tag"))


def test_importing_the_room_imports_no_database() -> None:
    code = "import sys, linecontrol.history; print([m for m in ('sqlalchemy', 'alembic') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
