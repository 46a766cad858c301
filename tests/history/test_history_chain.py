"""Whoever changes, removes, adds, swaps or cuts off a record of evidence is found, whichever record it is."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from linecontrol.core.errors import LineError
from linecontrol.core.image import Scan
from linecontrol.core.model import Command, Event, Outcome, Receipt, Sample, Status, Tag
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
    Policy,
    RecipeRow,
    RecipeVersionRow,
    RunRow,
    VersionRow,
    chain_store,
    open_reader,
)
from linecontrol.history import verify as looking
from linecontrol.history.chain import CHAINED, JOURNAL, Head
from linecontrol.history.keeping import keep
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
    versions = history.recipe_versions()
    draft = RecipeVersionRow(
        f"standard:1.{start}", "standard", f"1.{start}", "draft", "{}", "hash", "", "li", "finer", T0
    )
    for row in (draft, replace(draft, state="approved", judged_by="wang", judgement="good", judged_at=T0 + 9)):
        await asyncio.to_thread(versions.save, row)
    for n in range(start, start + rows):
        history.offer(scan_at(n))
        history.command(Receipt(Command("TT-1", float(n), "loop:TIC-1"), Outcome.CONFIRMED, T0 + n, "", float(n)))
        if n % 3 == 0:
            await history.flush()
    await history.stop()


def scan_at(n: int) -> Scan:
    now = T0 + n
    values = {"SEQ": float(n), "TT-1": n / 7.0, "ZT-1": f"相 {n % 3}"}
    return Scan("drying", now, {name: Sample(value, Status.GOOD, now) for name, value in values.items()})


def look(path: Path, anchors: Sequence[Head] = ()) -> Verification:
    with open_reader(f"sqlite:///{path}") as reader:
        return verify(reader, anchors)


@pytest.fixture
async def recorded(historian: MakeHistorian, db: Path, short_blocks: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(chain_store, "_AT_ONCE", 7)
    for module in (chain_store, looking):
        monkeypatch.setattr(module, "EACH", 4)
    if not _MADE:
        await record(historian())
        await record(historian(), start=100, rows=8)
        _MADE.append(await asyncio.to_thread(db.read_bytes))
    await asyncio.to_thread(db.write_bytes, _MADE[0])
    return db


_MADE: list[bytes] = []
"""The database of the fixture: recorded once, and a copy for each test."""


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
    head, rng, missed, copy = look(recorded).head, Random(1), [], tmp_path / "copy.db"
    shutil.copy(recorded, copy)
    with (
        contextlib.closing(sqlite3.connect(recorded)) as untouched,
        contextlib.closing(sqlite3.connect(copy)) as connection,
        open_reader(f"sqlite:///{copy}") as reader,
    ):
        assert verify(reader, [head]).is_sound
        for n in range(100):
            what = tamper(connection, TABLES[n % len(TABLES)], rng)
            connection.commit()
            if verify(reader, [head]).is_sound:
                missed.append((n, what))
            untouched.backup(connection)
        assert verify(reader, [head]).is_sound
    assert missed == []


TABLES = (*CHAINED, *JOURNAL, "bag_lot", "chain", "chain_head", "tail", "block", "axis", "chunk")


def tamper(connection: sqlite3.Connection, table: str, rng: Random) -> str:
    """Do one thing to one row of a table that belongs to the evidence."""
    facts = connection.execute(f"PRAGMA table_info({table})").fetchall()
    keys = [row[1] for row in facts if row[5]]
    own = CHAINED[table].key if table in CHAINED else "number"
    inner = [row[1] for row in facts if row[1] not in ("id", "line_id", "lot_id", "version", own, *keys)]
    inner = inner or ["lot_id" if table == "bag_lot" else own]
    names = ", ".join(f'"{name}"' for name in (*keys, *inner))
    where, values = (" = ?, ".join(f'"{name}"' for name in some) + " = ?" for some in (keys, inner))
    where = where.replace(",", " AND")
    rows = connection.execute(f"SELECT {names} FROM {table}").fetchall()  # noqa: S608
    row, how = rng.choice(rows), rng.choice(["change", "remove", "swap"])
    key, cells = row[: len(keys)], row[len(keys) :]
    sets = f"UPDATE {table} SET {values} WHERE {where}"  # noqa: S608
    others = [one for one in rows if one[len(keys) :] != cells]
    if how == "remove":
        connection.execute(f"DELETE FROM {table} WHERE {where}", key)  # noqa: S608
    elif how == "swap" and others and table not in ("bag_lot", "tag"):  # two rows change places
        other = rng.choice(others)
        connection.execute(sets, (*other[len(keys) :], *key))
        connection.execute(sets, (*cells, *other[: len(keys)]))
    else:
        at = rng.randrange(len(inner))
        connection.execute(sets, (*(other_value(cell) if n == at else cell for n, cell in enumerate(cells)), *key))
    return f"{how} {table} {key} {cells[:3]!r:.80}"


def other_value(value: Any) -> Any:
    if value is None:
        return 7
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    return value + 1 if isinstance(value, (int, float)) else f"{value}x"


def test_a_record_that_no_program_of_ours_could_have_written_is_a_finding_and_no_crash(
    recorded: Path, tmp_path: Path
) -> None:
    """Words where a number belongs, bytes where words do, in each type of column of each table."""
    copy, missed = tmp_path / "copy.db", []
    shutil.copy(recorded, copy)
    with (
        contextlib.closing(sqlite3.connect(recorded)) as untouched,
        contextlib.closing(sqlite3.connect(copy)) as connection,
        open_reader(f"sqlite:///{copy}") as reader,
    ):
        for table in TABLES:
            facts = connection.execute(f"PRAGMA table_info({table})").fetchall()
            inner = [row for row in facts if row[1] not in ("id", "line_id", "hash")]
            for kind, column in {row[2]: row[1] for row in inner if not row[5] or table == "chain"}.items():
                odd = "x'ff00'" if "CHAR" in kind or kind == "TEXT" else "'words'"
                connection.execute(f'UPDATE OR IGNORE {table} SET "{column}" = {odd}')  # noqa: S608
                connection.commit()
                try:
                    told = [] if verify(reader).findings else ["nothing found"]
                except LineError as error:
                    told = [str(error)]
                missed += [(table, column, text) for text in told]
                untouched.backup(connection)
    assert missed == []


async def test_a_tail_cut_off_with_its_head_set_back_is_found_by_a_head_kept_elsewhere(
    historian: MakeHistorian, recorded: Path
) -> None:
    before, earlier = look(recorded).head, recorded.with_name("earlier.db")
    shutil.copy(recorded, earlier)
    history = historian()
    await history.start()
    history.event(Event(T0 + 900, "guard.divert", "XV-312", "wet powder", active=True))
    await history.stop()
    after = look(recorded).head
    assert after.count > before.count
    shutil.copy(earlier, recorded)  # a perfect forger: rows, samples, links and head as they were
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


async def test_a_history_of_before_is_covered_from_its_next_start_on_and_not_twice(
    historian: MakeHistorian, recorded: Path
) -> None:
    """As migration 0011 leaves it: kinds that were not covered are linked as found, and only once."""

    async def open_again() -> None:
        history = historian()
        await history.start()
        await history.stop()

    with contextlib.closing(sqlite3.connect(recorded)) as connection:
        connection.execute("DELETE FROM chain_head")
        connection.execute("DELETE FROM chain")
        connection.execute("UPDATE tail SET hash = NULL")
        connection.commit()
    await open_again()
    with contextlib.closing(sqlite3.connect(recorded)) as connection:
        connection.execute("UPDATE chain_head SET kinds = replace(kinds, ' tail', '')")
        connection.execute("UPDATE tail SET hash = NULL")
        connection.commit()
    assert "does not cover tail" in look(recorded).findings[0].text
    await open_again()
    found = look(recorded)
    assert found.findings == []
    assert "From here on the chain also covers tail. 0 records" in found.statement
    with contextlib.closing(sqlite3.connect(recorded)) as connection:  # who has changed a command, and hides it so
        connection.execute("UPDATE command SET value = 99 WHERE id = 3")
        connection.execute("UPDATE event SET text = 'nothing' WHERE id = 3")
        connection.execute("UPDATE chain_head SET kinds = replace(kinds, 'event ', '')")
        connection.commit()
    await open_again()
    told = [finding.text for finding in look(recorded).findings]
    assert any("of the records command 1 to 4, at least one was changed" in text for text in told)
    assert any("begins the chain of event a second time" in text for text in told)
    with contextlib.closing(sqlite3.connect(recorded)) as connection:
        connection.execute("ALTER TABLE chain_head DROP COLUMN kinds")
        connection.execute("UPDATE schema_version SET version_num = '0010'")
        connection.commit()
    assert "open it once with this program" in look(recorded).findings[0].text
    with open_reader(f"sqlite:///{recorded}") as reader:
        assert looking.chain_head(reader) is not None, "a pack can be made of it"


def test_what_leaves_by_the_lines_own_retention_is_no_finding_and_what_comes_back_is(recorded: Path) -> None:
    with contextlib.closing(sqlite3.connect(recorded)) as connection:
        first = connection.execute("SELECT * FROM block ORDER BY id").fetchone()
    done = keep(f"sqlite:///{recorded}", "demo", Policy(keep_days=1e-5))
    assert done.removed_rows > 0
    assert look(recorded).findings == []
    with open_reader(f"sqlite:///{recorded}") as reader:
        assert [event.kind for event in reader.events(kinds=["historian.removed"])] == ["historian.removed"]
    with contextlib.closing(sqlite3.connect(recorded)) as connection:
        signs = ", ".join("?" * len(first))
        connection.execute(f"INSERT INTO block VALUES ({signs})", first)  # noqa: S608
        connection.commit()
    (finding,) = look(recorded).findings
    assert finding.where == f"block {first[0]}"


async def test_samples_cut_off_the_end_are_found_also_where_no_evidence_came_after_them(
    historian: MakeHistorian, db: Path, tmp_path: Path
) -> None:
    history, copy = historian(), tmp_path / "copy.db"
    await history.start()
    for n in range(3):
        history.offer(scan_at(n))
        await history.flush()
    with contextlib.closing(sqlite3.connect(db)) as live, contextlib.closing(sqlite3.connect(copy)) as connection:
        live.backup(connection)  # as a kill would leave it: nothing is written at an end
        assert look(copy).findings == []
        newest = connection.execute("SELECT max(id) FROM tail").fetchone()[0]
        for cut in (f"DELETE FROM tail WHERE id = {newest}", "DELETE FROM tail"):  # noqa: S608
            connection.execute(cut)
            connection.commit()
            (finding,) = look(copy).findings
            assert (finding.what, finding.where) == ("removed", f"tail {newest}")
            assert "end of the tail" in finding.text
    await history.stop()


@pytest.mark.usefixtures("short_blocks")
async def test_the_chain_is_the_same_in_postgresql(
    postgresql_url: str,
    tmp_path: Path,
    tags: Sequence[Tag],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module, name, value in ((chain_store, "_AT_ONCE", 7), (chain_store, "EACH", 4), (looking, "EACH", 4)):
        monkeypatch.setattr(module, name, value)

    def history() -> Historian:
        return Historian(postgresql_url, tmp_path / "spool", "demo", tags, flush_s=0.02)

    def found() -> list[str]:
        with open_reader(postgresql_url) as reader:
            return [finding.where for finding in verify(reader).findings]

    await record(history())
    assert found() == []
    for table, what, back, where in (
        ("command", "value = '9' WHERE id = 2", "value = '1.0' WHERE id = 2", "command 1 to 4"),
        ("chunk", "high = high + 1 WHERE tag_id = 1", "high = high - 1 WHERE tag_id = 1", "block 1"),
        ("tag", "unit = 'K' WHERE id = 2", "unit = '°C' WHERE id = 2", "tag 2"),
        ("tail", "number = number + 1", "number = number - 1", "tail "),
        ("recipe_version", "judged_by = 'li'", "judged_by = 'wang'", "recipe_version s"),
    ):  # fmt: skip
        change(postgresql_url, f"UPDATE {table} SET {what}")  # noqa: S608
        assert any(one.startswith(where) for one in found()), table
        change(postgresql_url, f"UPDATE {table} SET {back}")  # noqa: S608
    assert found() == []
    for emptied in ("DELETE FROM chain", "DELETE FROM chain_head", "UPDATE tail SET hash = NULL"):
        change(postgresql_url, emptied)
    for more in ("UPDATE chain_head SET kinds = kinds", "UPDATE chain_head SET kinds = replace(kinds, ' tail', '')"):
        change(postgresql_url, more)
        again = history()
        await again.start()
        await again.stop()
        assert found() == []


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
