"""What can happen to a database and a disk, on a real SQLite file.

Every commit fails once, and every few statements; all of them: ``LINECONTROL_FAULTS=all python3 run.py test
tests/history/test_historian_faults.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine.default import DefaultDialect

from linecontrol.core.errors import StorageError
from linecontrol.core.image import Scan
from linecontrol.core.model import Event, Sample, Severity, Status, Tag
from linecontrol.history import Historian, RunRow, inserts, open_reader, tail
from linecontrol.history import store as store_module
from linecontrol.history.rows import SAMPLE, Batch, Row, SampleRow, micros
from linecontrol.history.store import Kept, Store, StoreAway
from linecontrol.history.verify import verify

T0 = 1_750_000_000.0
IS_CAMPAIGN = os.environ.get("LINECONTROL_FAULTS") == "all"

MakeHistorian = Callable[..., Historian]
MakeScan = Callable[[int], Scan]
Ask = Callable[..., list[tuple[Any, ...]]]


def remove(folder: Path) -> None:
    for part in folder.glob("history.db*"):
        part.unlink()


def run_row(n: int) -> RunRow:
    return RunRow("R-1", "standard", "abc", f"State {n}", T0 + n, T0)


async def until(true: Callable[[], bool], patience_s: float = 20.0) -> None:
    """For what happens in another thread, without a call that could be awaited."""
    deadline = asyncio.get_running_loop().time() + patience_s
    while not true():
        assert asyncio.get_running_loop().time() < deadline, "it did not come true in time"
        await asyncio.sleep(0.01)


def check_nothing_lost_or_twice(ask: Ask, history: Historian, scans: int, *, events: int) -> None:
    """In the order they were written, once each."""
    seq = [value for (value,) in ask("SELECT value FROM readable_sample WHERE tag = 'SEQ' AND quality = 'GOOD'")]
    assert seq == [float(n) for n in range(scans)]
    texts = [text for (text,) in ask("SELECT text FROM event WHERE kind = 'test' ORDER BY id")]
    assert texts == [str(n) for n in range(events)]
    assert ask("PRAGMA integrity_check") == [("ok",)]
    counters = history.counters
    assert counters.adds_up
    assert counters.dropped == counters.quarantined == counters.spooled == counters.pending == 0


HOLD_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
connection.execute("COMMIT")
"""


@pytest.mark.usefixtures("hasty")
async def test_locked_by_another_process_nothing_is_lost_and_order_kept(
    historian: MakeHistorian, scan: MakeScan, ask: Ask, db: Path
) -> None:
    told: list[Event] = []
    history = historian(on_event=told.append)
    await history.start()
    for n in range(20):
        history.offer(scan(n))
    await history.save_run(run_row(0))
    pipe = asyncio.subprocess.PIPE
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLD_LOCK, str(db), stdin=pipe, stdout=pipe)
    assert other.stdout is not None
    assert await other.stdout.readline() == b"locked\n"
    for n in range(20, 60):
        history.offer(scan(n))
        history.event(Event(T0 + n, "test", "x", str(n - 20)))
        if n % 10 == 0:
            await history.flush()  # durable in the spool
            assert history.counters.adds_up
    await history.save_run(run_row(1))  # acknowledged by the spool
    assert history.counters.spooled > 40
    assert history.counters.spool_bytes > 0
    last = await history.last_run()
    assert last is not None
    assert last.state == "State 1"  # before the database has it
    assert [run.state for run in await history.runs()] == ["State 1"]
    assert ask("SELECT state FROM run") == [("State 0",)]
    await other.communicate(b"")
    await until(lambda: history.counters.spooled == 0)
    for n in range(60, 70):
        history.offer(scan(n))
    await history.flush()
    assert ask("SELECT state FROM run") == [("State 1",)]
    await history.stop()
    check_nothing_lost_or_twice(ask, history, 70, events=40)
    kinds = [event.kind for event in told]
    assert kinds == ["historian.away", "historian.back"]
    assert [event.active for event in told] == [True, False]
    assert told[0].severity is Severity.ALARM
    assert ask("SELECT kind FROM event WHERE kind LIKE 'historian.%' ORDER BY id")[1:-1] == [(kind,) for kind in kinds]


@pytest.mark.usefixtures("hasty")
async def test_what_waits_in_the_spool_is_stored_once_by_the_next_recording(
    historian: MakeHistorian, scan: MakeScan, ask: Ask, db: Path
) -> None:
    history = historian()
    await history.start()
    history.offer(scan(0))
    await history.flush()
    with contextlib.closing(sqlite3.connect(db, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for n in range(1, 30):
            history.offer(scan(n))
            history.event(Event(T0 + n, "test", "x", str(n - 1)))
        await history.save_run(run_row(1))
        await history.stop()
        assert history.counters.spooled > 29
        second = historian()
        await second.start()  # the database is still away: it starts all the same
        latest = second.latest_time()
        assert latest is not None
        assert latest >= T0 + 29  # known from the spool
        run = await second.last_run()
        assert run is not None
        assert run.state == "State 1"
        second.offer(scan(30))
        await second.flush()
        other.execute("ROLLBACK")
    other.close()
    await until(lambda: second.counters.spooled == 0)
    await second.stop()
    check_nothing_lost_or_twice(ask, second, 31, events=29)
    rows = ask("SELECT quality FROM readable_sample WHERE tag = 'TT-2' ORDER BY time_utc")
    assert rows == [("GOOD",), ("GOOD",), ("BAD",), ("GOOD",)]  # first, held back, the gap, again


# -- the n-th statement fails, for every n until none does


class Saboteur:
    """Fails the n-th statement, or commit, of any engine: before it happened, or after (the answer is lost)."""

    def __init__(self, at: int, where: str, message: str) -> None:
        self.at, self.where, self.message = at, where, message
        self.seen = 0

    @property
    def has_struck(self) -> bool:
        return self.seen >= self.at

    def strike(self) -> None:
        self.seen += 1
        if self.seen == self.at:
            raise sa.exc.OperationalError("injected", None, sqlite3.OperationalError(self.message))

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        if self.where == "statement":
            sa.event.listen(sa.Engine, "before_cursor_execute", self._statement)
            yield
            sa.event.remove(sa.Engine, "before_cursor_execute", self._statement)
            return
        real: Callable[[DefaultDialect, Any], None] = DefaultDialect.do_commit

        def commit(dialect: DefaultDialect, connection: Any) -> None:
            if self.where == "before commit":
                self.strike()
            real(dialect, connection)
            if self.where == "after commit":
                self.strike()

        DefaultDialect.do_commit = commit  # type: ignore[method-assign]
        yield
        DefaultDialect.do_commit = real  # type: ignore[method-assign]

    def _statement(self, *_: object) -> None:
        self.strike()


class Corruptor(Saboteur):
    """Answers the first statement as a damaged file would."""

    def __init__(self) -> None:
        super().__init__(1, "statement", "")

    def strike(self) -> None:
        self.seen += 1
        if self.seen == self.at:
            sick = sqlite3.DatabaseError("database disk image is malformed")
            sick.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise sa.exc.DatabaseError("injected", None, sick)


async def one_recording(history: Historian, scan: MakeScan) -> list[int]:
    """Some of everything. Returns the runs that were acknowledged."""
    acknowledged = []
    await history.start()
    for n in range(6):
        history.offer(scan(n))
        history.event(Event(T0 + n, "test", "x", str(n)))
        if n % 2:
            await history.save_run(run_row(n))
            acknowledged.append(n)
        assert history.counters.adds_up
    await history.stop()
    assert history.counters.adds_up
    assert history.counters.pending == 0
    return acknowledged


@pytest.mark.usefixtures("hasty", "short_blocks")
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("statement", "database or disk is full"),
        ("before commit", "disk I/O error"),
        ("after commit", "database or disk is full"),
    ],
)
async def test_every_single_failure_is_survived(
    where: str,
    message: str,
    historian: MakeHistorian,
    scan: MakeScan,
    ask: Ask,
    db: Path,
    made_db: Path,
    tmp_path: Path,
) -> None:
    step = 6 if where == "statement" and not IS_CAMPAIGN else 1
    struck = 0
    for n in range(1, 200, step):
        remove(tmp_path)
        if n != 1:  # once from nothing, migration included
            shutil.copy(made_db, db)
        saboteur = Saboteur(n, where, message)
        history = historian()
        with saboteur.at_work():
            acknowledged = await one_recording(history, scan)
        assert acknowledged == [1, 3, 5]
        if history.counters.spooled:
            history = historian()
            await history.start()
            await until(lambda history=history: history.counters.spooled == 0)  # type: ignore[misc]
            await history.stop()
        check_nothing_lost_or_twice(ask, history, 6, events=6)
        assert ask("SELECT state FROM run") == [("State 5",)]
        if not saboteur.has_struck:
            assert ask("SELECT count(*) FROM block")[0][0] >= 1  # sealing was among what could fail
            break
        struck += 1
    else:
        pytest.fail("it never came through clean")
    assert struck >= (48 // step if where == "statement" else 3)


@pytest.mark.parametrize("is_written", [False, True])
def test_a_commit_of_samples_that_fails_is_made_once(
    is_written: bool, db: Path, tmp_path: Path, tags: list[Tag], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locked by somebody else, or its answer lost: the same batch comes again."""
    url = f"sqlite:///{db}"
    store = Store(url, "demo", tags, tmp_path / "q")
    store.open()
    batches: list[Batch] = []
    for at in (1, 2):
        rows: list[Row] = [SampleRow(name, micros(T0 + at), float(at), None, 0) for name in ("SEQ", "TT-1")]
        batches.append(Batch("w", at, {SAMPLE: rows}))
    assert store.write(batches[:1]) == Kept(2)

    def lost(*given: Any) -> None:
        inserts.commit_samples(*given)
        raise sqlite3.OperationalError("disk I/O error")

    with contextlib.closing(sqlite3.connect(db, isolation_level=None)) as other:
        if is_written:
            monkeypatch.setattr(store_module, "commit_samples", lost)
        else:
            other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreAway):
            store.write(batches[1:])
        monkeypatch.undo()
    store.open()
    assert store.write(batches[1:]) == Kept(2, duplicates=2 if is_written else 0)
    store.close()
    with open_reader(url) as reader:
        assert reader.series(["SEQ"], T0)["SEQ"].values.tolist() == [1.0, 2.0]


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("hasty")
async def test_each_statement_of_making_a_new_database_may_fail(
    historian: MakeHistorian, scan: MakeScan, ask: Ask, tmp_path: Path
) -> None:
    for n in range(1, 400, 1 if IS_CAMPAIGN else 45):
        remove(tmp_path)
        saboteur = Saboteur(n, "statement", "disk I/O error")
        history = historian()
        with saboteur.at_work():
            assert await one_recording(history, scan) == [1, 3, 5]
        if history.counters.spooled:
            history = historian()
            await history.start()
            await until(lambda history=history: history.counters.spooled == 0)  # type: ignore[misc]
            await history.stop()
        check_nothing_lost_or_twice(ask, history, 6, events=6)
        if not saboteur.has_struck:
            return
    pytest.fail("it never came through clean")


@pytest.mark.usefixtures("hasty")
async def test_with_database_and_spool_both_full_nothing_is_acknowledged_and_nothing_lost(
    historian: MakeHistorian, scan: MakeScan, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Event] = []
    history = historian(save_patience_s=0.2, on_event=told.append)
    await history.start()
    is_full = True

    def no_space(*_: object) -> None:
        if is_full:
            raise OSError(errno.ENOSPC, "No space left on device")

    fsync = os.fsync

    def failing_fsync(file: int) -> None:
        no_space()
        fsync(file)

    monkeypatch.setattr(os, "fsync", failing_fsync)
    sa.event.listen(sa.Engine, "commit", no_space)
    try:
        for n in range(10):
            history.offer(scan(n))
            history.event(Event(T0 + n, "test", "x", str(n)))
        with pytest.raises(StorageError, match="not durable"):
            await history.save_run(run_row(1))
        assert history.counters.stored == history.counters.spooled == 0
        assert history.counters.pending > 20
        assert history.counters.adds_up
        assert ask("SELECT count(*) FROM run") == [(0,)]
        is_full = False
        await until(lambda: history.counters.pending == history.counters.spooled == 0)
    finally:
        is_full = False
        sa.event.remove(sa.Engine, "commit", no_space)
    await history.stop()
    check_nothing_lost_or_twice(ask, history, 10, events=10)
    assert ask("SELECT state FROM run") == [("State 1",)]  # kept after all, as it said it might be
    stuck = [event.active for event in told if event.kind == "historian.stuck"]
    assert stuck == [True, False]


async def test_a_full_spool_gives_up_samples_counts_them_and_keeps_the_journals(
    historian: MakeHistorian, scan: MakeScan, ask: Ask, db: Path
) -> None:
    told: list[Event] = []
    history = historian(spool_most_bytes=4000, on_event=told.append)
    await history.start()
    with contextlib.closing(sqlite3.connect(db, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for n in range(300):
            history.offer(scan(n))
            history.event(Event(T0 + n, "test", "x", str(n)))
            if n % 20 == 19:
                await history.flush()
        await history.save_run(run_row(1))
        dropped = history.counters.dropped
        assert dropped > 0
        assert history.counters.adds_up
        other.execute("ROLLBACK")
    other.close()
    await until(lambda: history.counters.spooled == 0)
    await history.stop()
    assert history.counters.dropped == dropped
    assert ask("SELECT count(*) FROM event WHERE kind = 'test'") == [(300,)]
    assert ask("SELECT state FROM run") == [("State 1",)]
    (in_database,) = ask("SELECT count(*) FROM sample")[0]
    journal_rows = ask("SELECT (SELECT count(*) FROM event) + 1")[0][0]
    assert in_database == history.counters.stored - journal_rows
    kinds = [(event.kind, event.active) for event in told]
    assert kinds.count(("historian.dropped", None)) == 1
    assert kinds.count(("historian.spool_filling", True)) == 1
    assert kinds.count(("historian.spool_filling", False)) == 1


async def test_full_memory_gives_up_samples_counts_them_and_keeps_the_journals(
    historian: MakeHistorian, scan: MakeScan
) -> None:
    history = historian(memory_rows=50)
    for n in range(100):  # before the start nothing takes them away
        history.offer(scan(n))
        history.event(Event(T0 + n, "test", "x", str(n)))
    assert history.counters.dropped > 0
    assert history.counters.adds_up
    await history.start()
    await history.flush()
    assert len(await history.events(kinds=["test"])) == 100
    await history.stop()


# -- the file itself


def damage(db: Path, how: str) -> bytes:
    if how == "no database":
        db.write_bytes(b"this is a text, not a database\n" * 1000)
    else:
        content = bytearray(db.read_bytes())
        for at in range(4096, len(content), 3):
            content[at] ^= 0x5A
        db.write_bytes(content)
    return content_of(db)


def content_of(path: Path) -> bytes:
    return path.read_bytes()


def set_aside(folder: Path) -> list[Path]:
    return list(folder.glob("history.db.malformed-*Z"))


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("how", ["no database", "overwritten"])
async def test_a_malformed_file_found_at_the_start_is_set_aside_whole(
    how: str, historian: MakeHistorian, scan: MakeScan, ask: Ask, db: Path, tmp_path: Path
) -> None:
    first = historian()
    await first.start()
    for n in range(50):
        first.offer(scan(n))
    await first.stop()
    content = damage(db, how)
    second = historian()
    await second.start()
    second.offer(scan(0))
    await second.save_run(run_row(1))
    (aside,) = set_aside(tmp_path)
    assert content_of(aside) == content
    (alarm,) = await second.events(kinds=["historian.malformed"])
    assert alarm.severity is Severity.ALARM
    assert str(aside) in alarm.text
    await second.stop()
    check_nothing_lost_or_twice(ask, second, 1, events=0)


def damage_tail(db: Path, row: str) -> None:
    """In the second commit of samples that is there."""
    with contextlib.closing(sqlite3.connect(db)) as connection, connection:
        second = "UPDATE tail SET samples = ? WHERE id = (SELECT id FROM tail ORDER BY id LIMIT 1 OFFSET 1)"
        assert connection.execute(second, (bytes.fromhex(row),)).rowcount == 1


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    "row", ["02000000", "ffffff7f" * 4, "03000000000000005bc2217030610600" * 9], ids=["torn", "huge", "odd"]
)
async def test_fresh_samples_that_nobody_can_read_are_set_aside_alone(
    row: str, historian: MakeHistorian, scan: MakeScan, ask: Ask, db: Path, tmp_path: Path
) -> None:
    first = historian()
    await first.start()
    for n in range(3):
        first.offer(scan(n))
        await first.flush()
    await first.stop()
    damage_tail(db, row)
    second = historian()
    await second.start()
    second.offer(scan(3))
    await second.flush()
    assert [json.loads(text)["samples"] for (text,) in ask("SELECT row FROM quarantine WHERE kind = 'tail'")] == [row]
    await second.stop()
    with open_reader(f"sqlite:///{db}") as reader:  # an event has told of it: known, and nothing else is missed
        found = verify(reader)
        assert found.is_sound, found.findings
        assert [text.split(";")[0].partition(" ")[2] for text in found.known] == ["fresh samples were damaged"]
    store = Store(f"sqlite:///{db}", "demo", [], tmp_path / "quarantine")
    assert [kind for kind, _, _ in store.open().notes] == []
    damage_tail(db, row)  # once more, while it is in use: found when the tail is sealed
    assert store.seal() > 0
    assert [kind for kind, _, _ in store.take_notes()] == ["historian.rows_damaged"]
    assert store.take_notes() == []
    store.close()
    assert set_aside(tmp_path) == []
    values = [value for (value,) in ask("SELECT value FROM readable_sample WHERE tag = 'SEQ' ORDER BY 1")]
    assert [value for value in values if value is not None] == [0.0, 3.0]
    assert ask("SELECT severity FROM event WHERE kind = 'historian.rows_damaged'") == [("alarm",)]
    with open_reader(f"sqlite:///{db}") as reader:  # of the second no event has told: that is found
        found = verify(reader)
        assert [finding.where for finding in found.findings] == ["quarantine 1", "quarantine 2"]
        assert not found.known
    with contextlib.closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("DELETE FROM quarantine")
    with open_reader(f"sqlite:///{db}") as reader:
        assert [finding.where for finding in verify(reader).findings] == ["quarantine"]


@given(st.binary(max_size=300))
def test_whatever_lies_in_a_row_of_fresh_samples_takes_no_more_room_than_it_fills(row: bytes) -> None:
    try:
        found = tail.unpack([(row, None)])
    except ValueError:
        return
    assert 10 * len(found.tags) <= len(row)


@pytest.mark.usefixtures("hasty")
async def test_a_file_that_is_damaged_while_recording_is_set_aside_and_recording_goes_on(
    historian: MakeHistorian, scan: MakeScan, ask: Ask, tmp_path: Path
) -> None:
    history = historian()
    await history.start()
    history.offer(scan(0))
    await history.flush()
    with Corruptor().at_work():
        history.offer(scan(1))
        history.event(Event(T0 + 1, "test", "x", "0"))
        await history.flush()
        assert len(set_aside(tmp_path)) == 1
    await until(lambda: history.counters.spooled == 0)
    await history.stop()
    assert [value for (value,) in ask("SELECT value FROM readable_sample WHERE tag = 'SEQ'")] == [1.0]
    assert ask("SELECT text FROM event WHERE kind = 'test'") == [("0",)]
    assert ask("SELECT severity FROM event WHERE kind = 'historian.malformed'") == [("alarm",)]
    assert history.counters.adds_up


@pytest.mark.usefixtures("hasty")
async def test_a_file_removed_while_recording_is_noticed(
    historian: MakeHistorian, scan: MakeScan, ask: Ask, db: Path, tmp_path: Path
) -> None:
    history = historian()
    await history.start()
    history.offer(scan(0))
    await history.flush()
    remove(tmp_path)
    history.offer(scan(1))
    await history.save_run(run_row(1))
    await until(lambda: db.exists() and history.counters.spooled == 0)
    await history.stop()
    assert ask("SELECT state FROM run") == [("State 1",)]
    assert ask("SELECT value FROM readable_sample WHERE tag = 'SEQ'") == [(1.0,)]
    assert "was removed" in ask("SELECT text FROM event WHERE kind = 'historian.away'")[0][0]


@pytest.fixture
def folder_in_its_place(db: Path) -> None:
    db.mkdir()


@pytest.mark.usefixtures("folder_in_its_place")
async def test_a_place_that_cannot_be_written_refuses_the_start(historian: MakeHistorian) -> None:
    with pytest.raises(StorageError, match="cannot be used"):
        await historian().start()


async def test_a_spool_folder_that_cannot_be_made_refuses_the_start(historian: MakeHistorian, tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file")
    with pytest.raises(StorageError, match="spool folder"):
        await historian().start()


def refuse(db: Path, table: str, when: str, why: str) -> None:
    with contextlib.closing(sqlite3.connect(db)) as other:
        act = f"BEGIN SELECT RAISE(ABORT, '{why}'); END"
        other.execute(f"CREATE TRIGGER refuse_{table} BEFORE INSERT ON {table} WHEN {when} {act}")


async def test_a_row_the_database_refuses_goes_to_quarantine_alone(
    historian: MakeHistorian, scan: MakeScan, ask: Ask, db: Path
) -> None:
    history = historian()
    await history.start()
    await history.flush()
    refuse(db, "event", "new.text = '13'", "thirteen is not wanted")
    for n in range(40):
        history.offer(scan(n))
        history.event(Event(T0 + n, "test", "x", str(n)))
    await history.stop()
    texts = [text for (text,) in ask("SELECT text FROM event WHERE kind = 'test' ORDER BY id")]
    assert texts == [str(n) for n in range(40) if n != 13]
    seq = [value for (value,) in ask("SELECT value FROM readable_sample WHERE tag = 'SEQ' AND quality = 'GOOD'")]
    assert seq == [float(n) for n in range(40)]  # samples of the same commit are not harmed
    ((kind, row, reason),) = ask("SELECT kind, row, reason FROM quarantine")
    assert (kind, reason) == ("event", "thirteen is not wanted")
    assert '"text": "13"' in row
    assert history.counters.quarantined == 1
    assert history.counters.adds_up
    with open_reader(f"sqlite:///{db}") as reader:
        assert reader.quarantined()[0].reason == reason


async def test_a_sample_no_record_can_hold_goes_to_quarantine_alone(
    historian: MakeHistorian, scan: MakeScan, ask: Ask
) -> None:
    history = historian()
    await history.start()
    for n in range(8):
        history.offer(scan(n))
        too_large: Any = 2**40
        history.offer(Scan("drying", T0 + n + 0.5, {"TT-2": Sample(float(n), too_large, T0 + n + 0.5)}))
    await history.stop()
    seq = [value for (value,) in ask("SELECT value FROM readable_sample WHERE tag = 'SEQ' AND quality = 'GOOD'")]
    assert seq == [float(n) for n in range(8)]
    assert ask("SELECT kind, reason LIKE '%too large%', count(*) FROM quarantine GROUP BY 1, 2") == [("sample", 1, 8)]
    assert history.counters.quarantined == 8
    assert history.counters.adds_up


@pytest.mark.usefixtures("hasty")
async def test_poison_that_went_through_the_spool_is_quarantined_and_counted_all_the_same(
    historian: MakeHistorian, scan: MakeScan, ask: Ask, db: Path
) -> None:
    history = historian()
    await history.start()
    half_a_pair = Sample("half a \ud83d pair", Status.GOOD, T0 + 50)
    with contextlib.closing(sqlite3.connect(db, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for n in range(10):
            history.offer(scan(n))
        history.offer(Scan("drying", T0 + 50, {"ZT-1": half_a_pair}))
        await history.flush()
        assert history.counters.spooled > 10
        other.execute("ROLLBACK")
    other.close()
    await until(lambda: history.counters.spooled == 0)
    await history.stop()
    assert ask("SELECT kind, reason LIKE '%surrogates%' FROM quarantine") == [("sample", 1)]
    assert [v for (v,) in ask("SELECT value FROM readable_sample WHERE tag = 'SEQ'")] == [float(n) for n in range(10)]
    assert history.counters.quarantined == 1
    assert history.counters.spooled == history.counters.dropped == 0
    assert history.counters.adds_up


async def test_when_even_the_quarantine_table_refuses_the_row_goes_to_a_file(
    historian: MakeHistorian, scan: MakeScan, db: Path, tmp_path: Path
) -> None:
    history = historian()
    await history.start()
    await history.flush()
    refuse(db, "event", "new.text = '13'", "no")
    refuse(db, "quarantine", "1", "no")
    for n in range(20):
        history.offer(scan(n))
        history.event(Event(T0 + n, "test", "x", str(n)))
    await history.stop()
    (path,) = (tmp_path / "spool").glob("*.quarantine.jsonl")
    assert path.read_text().count('\\"text\\": \\"13\\"') == 1
    assert history.counters.quarantined == 1
    assert history.counters.adds_up
