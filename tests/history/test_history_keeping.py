"""Backup and restore, archive and retention, the quarantine tried again, readers: on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow.parquet  # type: ignore[import-untyped]
import pytest
import sqlalchemy as sa

from linecontrol.core.errors import StorageError
from linecontrol.core.image import Scan
from linecontrol.core.model import Event, Sample, Status, Tag
from linecontrol.history import Historian, Policy, RunRow, keeper, open_reader
from linecontrol.history.backup import back_up, restore
from linecontrol.history.keeping import keep
from linecontrol.history.quarantine import retry
from linecontrol.history.readers import apply_grants, grants
from linecontrol.history.sql import engine_for, parse_url
from linecontrol.history.verify import verify

T0 = 1_750_032_000.0  # 2025-06-16 00:00 UTC
DAY_S = 86_400.0

MakeScan = Callable[[int], Scan]


def days(n: int) -> Scan:
    """A scan every two hours."""
    now = T0 + n * 7200.0
    values: dict[str, float | str] = {"SEQ": float(n), "ZT-1": "相 A" if n % 2 else "=B"}
    samples = {name: Sample(value, Status.GOOD, now) for name, value in values.items()}
    return Scan("drying", now, samples | {"TT-1": Sample(None, Status.BAD_SENSOR_FAILURE, now)})


async def record(url: str, folder: Path, tags: Sequence[Tag], scans: range, policy: Policy | None = None) -> Historian:
    history = Historian(url, folder / "spool", "demo", tags, flush_s=0.02, policy=policy)
    await history.start()
    for n in scans:
        history.offer(days(n))
        history.event(Event(T0 + n, "test", "x", str(n)))
        await history.flush()
    await history.save_run(RunRow("R-1", "standard", "abc", "Complete", T0 + 9, T0, T0 + 9))
    await history.stop()
    assert history.counters.adds_up
    return history


def check_sound(url: str) -> None:
    """The chain of evidence covers all that has become of the samples."""
    with open_reader(url) as reader:
        assert verify(reader).findings == []


def seq(url: str) -> list[float]:
    with open_reader(url) as reader:
        rows = reader.series(["SEQ"], 0.0)["SEQ"]
    return [float(value) for value in rows.values[rows.is_number]]


async def test_a_backup_taken_while_recording_is_put_back(url: str, tmp_path: Path, tags: list[Tag], db: Path) -> None:
    if url.startswith("postgresql") and shutil.which("pg_dump") is None:
        pytest.skip("pg_dump is not installed")
    copy = tmp_path / "copy"
    await record(url, tmp_path, tags, range(20))
    history = Historian(url, tmp_path / "spool", "demo", tags, flush_s=0.02)
    await history.start()
    assert back_up(url, copy) == copy.stat().st_size > 1000
    history.offer(days(50))
    await history.stop()
    assert seq(url) == [float(n) for n in (*range(20), 50)]
    with pytest.raises(StorageError, match="is there already"):
        back_up(url, copy)
    aside = restore(url, copy)
    assert seq(url) == [float(n) for n in range(20)]
    with open_reader(url) as reader:
        assert [event.text for event in reader.events(kinds=["test"])] == [str(n) for n in range(20)]
    if aside is not None:  # nothing is ever deleted
        assert seq(f"sqlite:///{aside}") == [float(n) for n in (*range(20), 50)]
    await record(url, tmp_path, tags, range(60, 62))  # and recording goes on in it
    assert seq(url) == [float(n) for n in (*range(20), 60, 61)]


def test_a_backup_that_is_none_is_refused_and_nothing_changed(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"this is a text\n" * 1000)
    with pytest.raises(StorageError, match="is no history"):
        restore(f"sqlite:///{tmp_path / 'h.db'}", broken)
    with pytest.raises(StorageError, match="no backup"):
        restore(f"sqlite:///{tmp_path / 'h.db'}", tmp_path / "none")
    with pytest.raises(StorageError, match="no history at"):
        back_up(f"sqlite:///{tmp_path / 'h.db'}", tmp_path / "copy")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken"]


@pytest.mark.usefixtures("short_blocks")
async def test_old_days_go_to_parquet_and_leave_only_when_they_are_there(
    url: str, tmp_path: Path, tags: list[Tag]
) -> None:
    await record(url, tmp_path, tags, range(72))  # six days
    archive = tmp_path / "archive"
    assert keep(url, "demo", Policy(keep_days=2.0, archive=archive, archive_after_days=5.5)).removed_rows == 0
    done = keep(url, "demo", Policy(keep_days=2.0, archive=archive, archive_after_days=1.0))
    assert len(done.files) == 4
    assert done.removed_rows > 0
    assert keep(url, "demo", Policy(keep_days=2.0, archive=archive, archive_after_days=1.0)).files == ()
    kept = seq(url)
    assert kept == [float(n) for n in range(72)][-len(kept) :]
    assert 24 <= len(kept) <= 26
    files = sorted((archive / "demo").iterdir())
    assert [path.name.split(".")[0] for path in files] == [f"2025-06-{day}" for day in (16, 17, 18, 19)]
    rows = pyarrow.parquet.read_table(files[0]).to_pylist()
    mine = [row for row in rows if row["tag"] == "SEQ"]
    assert [row["value"] for row in mine] == [float(n) for n in range(12)]
    assert mine[0]["time"].timestamp() == T0
    assert [row["text"] for row in rows if row["tag"] == "ZT-1"][:2] == ["=B", "相 A"]
    assert {(row["value"], row["quality"], row["unit"]) for row in rows if row["tag"] == "TT-1"} == {
        (None, "BAD", "°C")
    }
    check_sound(url)
    with open_reader(url) as reader:  # journals and runs are for ever
        told = [event.kind for event in reader.events(kinds=["historian.archived", "historian.removed"])]
        assert (told.count("historian.archived"), told.count("historian.removed")) == (4, 1)
        assert len(reader.events(kinds=["test"])) == 72
        assert reader.last_run() is not None
        found = reader.stats()
    assert found.archived_rows > 0
    assert found.days_kept < 2.5


@pytest.mark.usefixtures("short_blocks")
async def test_the_recording_applies_its_policy_by_itself(
    db: Path, tmp_path: Path, tags: list[Tag], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{db}"
    await record(url, tmp_path, tags, range(72))
    monkeypatch.setattr(keeper, "EVERY_S", 0.0)
    told: list[Event] = []
    (tmp_path / "file").write_text("in the way")
    for archive, kind in ((tmp_path / "archive", ""), (tmp_path / "file", "historian.keeping")):
        policy = Policy(keep_days=2.0, archive=archive, archive_after_days=1.0)
        history = Historian(url, tmp_path / "spool", "demo", tags, policy=policy, flush_s=0.02, on_event=told.append)
        await history.start()
        while (process := history._writer._keeper._process) is None:
            await history.flush()
        await asyncio.to_thread(process.wait, 30)
        while history._writer._keeper._process is process:  # until its end was seen
            await history.flush()
        await history.flush()
        await history.stop()
        assert {event.kind for event in told} == ({kind} if kind else set())
        if not kind:
            assert 24 <= len(seq(url)) <= 26
            await record(url, tmp_path, tags, range(72, 120))


async def test_what_was_set_aside_is_stored_once_it_can_be(url: str, tmp_path: Path, tags: list[Tag]) -> None:
    history = Historian(url, tmp_path / "spool", "demo", tags, flush_s=0.02)
    await history.start()
    for n in range(5):
        history.offer(days(n))
    too_large: int = 2**40
    history.offer(Scan("drying", T0 + 99, {"TT-2": Sample(1.5, too_large, T0 + 99)}))  # type: ignore[arg-type]
    await history.stop()
    assert history.counters.quarantined == 1
    assert retry(url, "demo") == (0, 1)  # it still cannot be
    engine = engine_for(parse_url(url))
    with engine.begin() as connection:
        row = connection.execute(sa.text("SELECT row FROM quarantine")).scalar_one()
        mended = json.dumps(json.loads(row) | {"status": 0})
        connection.execute(sa.text("UPDATE quarantine SET row = :row"), {"row": mended})
    engine.dispose()
    assert retry(url, "demo") == (1, 0)
    check_sound(url)
    with open_reader(url) as reader:
        assert reader.samples(["TT-2"], T0)["TT-2"] == [Sample(1.5, Status.GOOD, T0 + 99)]
        assert reader.quarantined() == []


async def test_researchers_may_read_in_postgresql_and_nothing_else(
    postgresql_url: str, tmp_path: Path, tags: list[Tag]
) -> None:
    await record(postgresql_url, tmp_path, tags, range(5))
    apply_grants(postgresql_url, "researchers")
    apply_grants(postgresql_url, "researchers")  # again does no harm
    theirs = postgresql_url.replace("test@", "researchers@")
    assert seq(theirs) == [0.0, 1.0, 2.0, 3.0, 4.0]
    with open_reader(theirs) as reader:  # what comparing, tracing and `history stats` ask
        assert [row.run_id for row in reader.runs()] == ["R-1"]
        assert reader.versions("R-1") == reader.deviations() == reader.quarantined() == []
        assert reader.stats().tail_rows + reader.stats().rows > 0
    engine = engine_for(parse_url(theirs))
    for statement in ("DELETE FROM tail", "SELECT * FROM user_account", "SELECT * FROM audit"):
        with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match=r"permission denied|read-only"):
            connection.exec_driver_sql(statement)
    engine.dispose()
    with pytest.raises(StorageError, match="no plain name"):
        grants("x; DROP TABLE run", "history")


def test_a_file_is_read_only_for_who_opens_it_so(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE line (name)")
    with (
        contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        connection.execute("INSERT INTO line VALUES ('x')")


async def test_statistics_count_what_there_is(url: str, tmp_path: Path, tags: list[Tag], scan: MakeScan) -> None:
    history = Historian(url, tmp_path / "spool", "demo", tags, flush_s=0.02)
    await history.start()
    for n in range(4000):
        history.offer(scan(n))
    await history.flush()
    for n in range(4000, 4100):
        history.offer(scan(n))
    await history.stop()
    with open_reader(url) as reader:
        found = reader.stats()
        counts = {tag: len(rows) for tag, rows in reader.series([tag.name for tag in tags], 0.0).items()}
    assert found.rows + found.tail_rows == sum(counts.values())
    assert found.blocks == 1
    assert found.bytes_per_row is not None
    assert found.bytes_per_row < 5.0
    assert found.days_kept == pytest.approx(4099 / DAY_S)
    assert (found.days_left is not None) == url.startswith("sqlite")
    assert found.database_bytes > found.free_bytes >= 0
