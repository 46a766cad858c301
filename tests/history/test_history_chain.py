"""Whoever changes, removes, adds, swaps or cuts off a record of evidence is found, whichever record it is."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from linecontrol.core.model import Event, Tag
from linecontrol.history import (
    ActRow,
    AuditRow,
    BagRow,
    BypassRow,
    CalibrationRow,
    DeviationRow,
    Historian,
    LabRow,
    LotRow,
    LotUseRow,
    RecipeRow,
    RunRow,
    VersionRow,
    open_reader,
)
from linecontrol.history.chain import CHAINED, Head
from linecontrol.history.sql import engine_for, parse_url
from linecontrol.history.trace import traced
from linecontrol.history.verify import Verification, verify

T0 = 1_750_000_000.0
MakeHistorian = Callable[..., Historian]


async def record(history: Historian, start: int = 0, rows: int = 12) -> None:
    """A little of every kind of evidence."""
    await history.start()
    for n in range(start, start + rows):
        at = T0 + 10.0 * n
        history.event(Event(at, "alarm.raised", "TT-305.HIGH", f"the product is too hot, {n}", active=True))
        facts = ("operator:li", "operator", "s:1", "127.0.0.1", "POST /lab", "/lab", None, "{}", "", "done")
        await history.save_audit(AuditRow(at, *facts))
    name = f"R-{start}"
    await history.save_recipe(RecipeRow(f"hash-{start}", "standard", "1", "text: 葛", T0))
    await history.save_run(RunRow(name, "standard", "hash-0", "Running", T0 + 5, T0, None, {"root_kg": 1.0}))
    await history.save_run(RunRow(name, "standard", "hash-0", "Running", T0 + 6, T0, None, {"root_kg": 2.0}))
    await history.save_lab(LabRow(f"L-{start}", "MT-306", 12.9, 0.1, T0, T0 + 9, "li"))
    lot = LotRow(f"lot-{start}", "lobata", 800.0, T0, "li", "云阳", "Li", "2026-01-10")
    bag = BagRow(f"{name}-1", name, 1, "open", T0, T0 + 1)
    use = LotUseRow(f"U-{start}", name, lot.lot_id, T0, T0, "li")
    await history.save_trace(
        lot, use, bag, ActRow(f"A-{start}", name, bag.bag_id, "hold", T0, "li", "supervisor", "damp")
    )
    closed = BagRow(
        *(f"{name}-1", name, 1, "good", T0, T0 + 90, T0 + 90, 25.02, 12.8, 13.1),
        lots=[(lot.lot_id, 1.0, 25.02)],
        passage={"bag": [T0, 10.0, [1.0]]},
    )
    await history.save_trace(closed)
    await history.save_run(RunRow(name, "standard", "hash-0", "Complete", T0 + 99, T0, T0 + 98, {"root_kg": 3.0}))
    for version in (1, 2):
        await history.save_version(VersionRow(name, version, T0 + 99, "li", "laboratory", {"root_kg": 3.0 + version}))
    words = ("damp", "潮湿", "rework", "返工", "operator")
    for state, action in (("open", ""), ("acted", "dried again")):
        facts = (f"D-{start}", name, "CCP1", "ccp", "packing", T0, T0 + 1, None, 14.4, 14.0, "% wb", *words, 2.5, state)
        await history.save_deviation(DeviationRow(*facts, action=action))
    await history.save_calibration(
        CalibrationRow(f"K-{start}", "oven", "calibration", "MT-306", T0, T0 + 9e6, T0, "li", "passed")
    )
    for ended in (None, T0 + 60):
        await history.save_bypass(BypassRow(f"B-{start}", "IL-306", "wang", "fan belt", T0, T0 + 900, ended))
    await history.stop()


def look(path: Path, anchors: Sequence[Head] = ()) -> Verification:
    with open_reader(f"sqlite:///{path}") as reader:
        return verify(reader, anchors)


@pytest.fixture
async def recorded(historian: MakeHistorian, db: Path) -> Path:
    await record(historian())
    await record(historian(), start=100, rows=8)
    return db


async def test_evidence_as_it_was_written_is_sound_also_over_restarts(recorded: Path) -> None:
    found = look(recorded)
    assert found.findings == []
    assert found.records >= 2 * 12 + 2 * 20
    assert found.statement.startswith("The chain begins here. 0 records")
    assert look(recorded, [found.head]).is_sound


def change(url: str, sql: str) -> None:
    engine = engine_for(parse_url(url))
    with engine.begin() as connection:
        connection.exec_driver_sql(sql)
    engine.dispose()


async def test_evidence_is_verified_the_same_in_every_database(url: str, tmp_path: Path, tags: list[Tag]) -> None:
    """Runs and their versions, deviations, the register, lots and bags; what is changed later is found by name."""
    for start in (0, 100):
        await record(Historian(url, tmp_path / "spool", "demo", tags, flush_s=0.02), start)
    with open_reader(url) as reader:
        found = verify(reader)
        assert found.findings == []
        assert found.records >= 2 * 12 + 2 * 20
        assert [row.version for row in reader.versions("R-0")] == [1, 2]
        assert [row.state for row in reader.deviations(run_id="R-100")] == ["acted"]
        (bag,) = traced(reader, "R-0").bags
        assert (bag.bag_id, bag.weight_kg, [lot for lot, _, _ in bag.lots]) == ("R-0-1", 25.02, ["lot-0"])
    for sql, name in (
        ("UPDATE run_version SET who = 'wang' WHERE run_id = 'R-0' AND version = 1", "run_version"),
        ("UPDATE bag SET weight_kg = 24.0 WHERE bag_id = 'R-0-1'", "bag"),
        ("DELETE FROM deviation WHERE deviation_id = 'D-100'", "deviation"),
        ("UPDATE lot SET grower = 'somebody' WHERE lot_id = 'lot-0'", "lot"),
    ):
        change(url, sql)
        with open_reader(url) as reader:
            assert any(name in finding.text for finding in verify(reader, [found.head]).findings), sql


async def test_of_100_tamperings_with_any_row_100_are_found(recorded: Path, tmp_path: Path) -> None:
    head, rng, missed = look(recorded).head, Random(1), []
    copy, fresh = tmp_path / "copy.db", tmp_path / "fresh.db"
    shutil.copy(recorded, copy)
    with open_reader(f"sqlite:///{copy}") as reader:  # which sees that the file is another one
        assert verify(reader, [head]).is_sound
        for n in range(100):
            shutil.copy(recorded, fresh)
            with contextlib.closing(sqlite3.connect(fresh)) as connection:
                connection.execute("PRAGMA synchronous=OFF")
                what = tamper(connection, rng)
                connection.commit()
            fresh.replace(copy)
            if verify(reader, [head]).is_sound:
                missed.append((n, what))
    assert missed == []


def tamper(connection: sqlite3.Connection, rng: Random) -> str:
    """Do one thing to one row of any table that belongs to the evidence."""
    table = rng.choice([*CHAINED, "bag_lot", "chain", "chain_head"])
    key = CHAINED[table].key if table in CHAINED else "number"
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    inner = [f'"{name}"' for name in columns if name not in ("id", "line_id", "lot_id", "version", key)] or ['"lot_id"']
    rows = connection.execute(f"SELECT rowid, {', '.join(inner)} FROM {table}").fetchall()  # noqa: S608
    row, how = rng.choice(rows), rng.choice(["change", "remove", "swap"])
    sets = f"UPDATE {table} SET {', '.join(f'{name} = ?' for name in inner)} WHERE rowid = ?"  # noqa: S608
    others = [one for one in rows if one[1:] != row[1:]]
    if how == "remove":
        connection.execute(f"DELETE FROM {table} WHERE rowid = ?", row[:1])  # noqa: S608
    elif how == "swap" and others and table != "bag_lot":  # two rows change places
        other = rng.choice(others)
        connection.execute(sets, (*other[1:], row[0]))
        connection.execute(sets, (*row[1:], other[0]))
    else:
        at = rng.randrange(len(inner))
        cells = [other_value(cell) if n == at else cell for n, cell in enumerate(row[1:])]
        connection.execute(sets, (*cells, row[0]))
    return f"{how} {table} {row[:3]}"


def other_value(value: Any) -> Any:
    if value is None:
        return 7
    return value + 1 if isinstance(value, (int, float)) else f"{value}x"


async def test_a_tail_cut_off_with_its_head_set_back_is_found_by_a_head_kept_elsewhere(
    historian: MakeHistorian, recorded: Path
) -> None:
    before = look(recorded).head
    history = historian()
    await history.start()
    history.event(Event(T0 + 900, "guard.divert", "XV-312", "wet powder", active=True))
    await history.stop()
    after = look(recorded).head
    assert after.count > before.count
    with contextlib.closing(sqlite3.connect(recorded)) as connection:  # a perfect forger: rows, links and head
        keys = connection.execute("SELECT row_key FROM chain WHERE number > ?", (before.count,)).fetchall()
        connection.executemany("DELETE FROM event WHERE id = ?", keys)
        connection.execute("DELETE FROM chain WHERE number > ?", (before.count,))
        connection.execute("UPDATE chain_head SET count = ?, hash = ?", (before.count, before.hash))
        connection.commit()
    assert look(recorded).is_sound  # nothing in the database itself can tell
    assert look(recorded, [before]).is_sound
    (finding,) = look(recorded, [after]).findings
    assert "its tail was cut off" in finding.text


async def test_rows_from_before_there_was_a_chain_are_linked_as_found_and_that_is_stated(
    historian: MakeHistorian, db: Path
) -> None:
    await record(historian())
    with contextlib.closing(sqlite3.connect(db)) as connection:
        connection.execute("DELETE FROM chain")
        connection.execute("DELETE FROM chain_head")
        connection.commit()
    history = historian()
    await history.start()
    await history.stop()
    found = look(db)
    assert found.is_sound
    assert "records were there before it" in found.statement
    assert not found.statement.startswith("The chain begins here. 0 records")
    with open_reader(f"sqlite:///{db}") as reader:
        (event,) = reader.events(kinds=["evidence.chain_begun"])
    assert event.text == found.statement


def put_away(db: Path, aside: Path) -> None:
    """The database cannot be opened."""
    db.rename(aside)
    db.mkdir()


def bring_back(db: Path, aside: Path) -> None:
    db.rmdir()
    aside.rename(db)


async def test_rows_that_went_through_the_spool_or_beside_a_poisoned_one_are_linked(
    historian: MakeHistorian, db: Path, tmp_path: Path, tags: Sequence[Tag], hasty: None
) -> None:
    history = historian()
    await history.start()
    await history.flush()
    aside = db.with_name("away")
    put_away(db, aside)
    for n in range(5):
        history.event(Event(T0 + n, "alarm.raised", "x", "while it is away"))
    await history.flush()
    assert history.counters.spooled > 0
    bring_back(db, aside)
    history._intake.add(
        "event", [(1, "poison", "x", "warning", None, None, None), (2, "ok", "x", "warning", None, "", None)]
    )
    await history.stop()
    found = look(db)
    assert found.findings == []
    with open_reader(f"sqlite:///{db}") as reader:
        assert len(reader.events(kinds=["alarm"])) == 5
        assert len(reader.quarantined()) == 1
