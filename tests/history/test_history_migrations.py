from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from linecontrol.core.errors import StorageError
from linecontrol.core.model import Event
from linecontrol.history import Historian, LabRow, migrate, open_reader
from linecontrol.history.schema import REVISIONS, VERSION_TABLE, metadata
from linecontrol.history.sql import engine_for, parse_url

T0 = 1_750_000_000.0

MakeHistorian = Callable[..., Historian]
Ask = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def begun(db: Path) -> Path:
    """Here a database begins as nothing."""
    return db


async def make(historian: MakeHistorian) -> None:
    history = historian()
    await history.start()
    history.event(Event(T0, "test", "x", "kept"))
    await history.stop()


def change(db: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(db)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


async def test_the_migrations_make_exactly_the_tables_the_program_uses(historian: MakeHistorian, db: Path) -> None:
    await make(historian)
    engine = engine_for(parse_url(f"sqlite:///{db}"))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_a_new_file_is_made_as_all_migrations_make_it() -> None:
    made = migrate._NEWEST.read_text(encoding="utf-8")
    assert made == migrate.newest_sqlite(), "write what newest_sqlite() answers to migrations/newest.sql"


def test_every_revision_file_is_known_to_the_program() -> None:
    script = ScriptDirectory(str(migrate._MIGRATIONS))
    assert tuple(reversed([one.revision for one in script.walk_revisions()])) == REVISIONS


async def test_commits_are_durable(historian: MakeHistorian, ask: Ask, db: Path) -> None:
    await make(historian)
    assert ask("PRAGMA journal_mode") == [("wal",)]
    engine = engine_for(parse_url(f"sqlite:///{db}"))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
    engine.dispose()


async def test_a_newer_schema_is_refused_and_left_alone(historian: MakeHistorian, ask: Ask, db: Path) -> None:
    await make(historian)
    change(db, "UPDATE schema_version SET version_num = '9999'")
    with pytest.raises(StorageError, match=r"newer version.*schema 9999.*up to " + REVISIONS[-1]):
        await historian().start()
    with pytest.raises(StorageError, match="newer version"):
        open_reader(f"sqlite:///{db}")
    assert ask("SELECT version_num FROM schema_version") == [("9999",)]


async def test_a_database_of_another_program_is_refused_and_left_alone(
    historian: MakeHistorian, ask: Ask, db: Path
) -> None:
    change(db, "CREATE TABLE event (what TEXT)", "INSERT INTO event VALUES ('theirs')")
    with pytest.raises(StorageError, match="not a history of this program"):
        await historian().start()
    assert ask("SELECT * FROM event") == [("theirs",)]
    assert ask("SELECT count(*) FROM sqlite_master WHERE type = 'table'") == [(1,)]


NEXT = """

import sqlalchemy as sa
from alembic import op

revision, down_revision = "9000", "{before}"


def upgrade() -> None:
    op.add_column("event", sa.Column("extra", sa.Text))
    {then}
"""


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Pretend that a later program knows a schema 9000."""

    def pretend(then: str) -> None:
        folder = tmp_path / "migrations"
        shutil.copytree(migrate._MIGRATIONS, folder, dirs_exist_ok=True)
        (folder / "versions" / "v9000_next.py").write_text(NEXT.format(then=then, before=REVISIONS[-1]))
        monkeypatch.setattr(migrate, "_MIGRATIONS", folder)
        monkeypatch.setattr(migrate, "REVISIONS", (*REVISIONS, "9000"))

    return pretend


async def test_an_older_schema_is_migrated_behind_a_backup(
    historian: MakeHistorian, ask: Ask, db: Path, next_version: Callable[[str], None]
) -> None:
    await make(historian)
    next_version("pass")
    history = historian()
    await history.start()
    assert ask("SELECT version_num FROM schema_version") == [("9000",)]
    assert ask("SELECT text, extra FROM event WHERE kind = 'test'") == [("kept", None)]
    await history.stop()
    backup = db.with_name(f"history.db.schema-{REVISIONS[-1]}")
    with contextlib.closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("SELECT version_num FROM schema_version").fetchall() == [(REVISIONS[-1],)]
        assert connection.execute("SELECT text FROM event WHERE kind = 'test'").fetchall() == [("kept",)]


OLD_ROWS = [
    *((1, 1_750_000_000_000_000 + n * 1_000_000, n / 7.0, 0, None) for n in range(0, 10_000, 20)),
    (1, 1_750_010_000_000_000, None, 0x808D0000, None),
    (1, 1_750_010_001_000_000, None, 0, "=nan"),
    *((2, 1_750_000_000_000_000 + n * 1_000_000, None, 0, f"相 {n}") for n in range(0, 10_000, 500)),
]


def old_samples() -> dict[str, list[tuple[float, object, int]]]:
    rows: dict[str, list[tuple[float, object, int]]] = {"TT-1": [], "ZT-1": []}
    for tag_id, time_us, value, status, text in OLD_ROWS:
        rows["TT-1" if tag_id == 1 else "ZT-1"].append((time_us / 1e6, text if value is None else value, status))
    return rows


def check_old_samples(db: Path) -> None:
    """All rows from before are there, whichever way they are read."""
    with open_reader(f"sqlite:///{db}") as reader:
        for name, wanted in old_samples().items():
            found = reader.samples([name], T0, T0 + 20_000.0)[name]
            seen = [(s.time, "=nan" if s.value != s.value else s.value, int(s.status)) for s in found]
            assert seen[: len(wanted)] == wanted
            part = reader.samples([name], T0 + 5000.5, T0 + 6000.0, limit=3)[name]
            held = max(row for row in wanted if row[0] < T0 + 5000.5)
            assert part[0].time == held[0]
            assert len(part) == min(4, 1 + sum(T0 + 5000.5 <= row[0] < T0 + 6000.0 for row in wanted))
        whole = reader.statistics(["TT-1"], T0, T0 + 10_000.0)["TT-1"]
        assert whole.rows == whole.numbers == 500
        assert whole.high == 9980 / 7.0
        assert whole.mean == pytest.approx(sum(n / 7.0 for n in range(0, 10_000, 20)) / 500)


def made_at(db: Path, revision: str) -> None:
    """A history as the program of that schema left it: one line, one event, samples of two tags over three hours."""
    config = Config()
    config.set_main_option("script_location", str(migrate._MIGRATIONS))
    engine = engine_for(parse_url(f"sqlite:///{db}"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.exec_driver_sql("INSERT INTO line VALUES (1, 'demo')")
        connection.exec_driver_sql(
            "INSERT INTO event (line_id, time_us, kind, source, severity, text)"
            " VALUES (1, 1750000000000000, 'test', 'x', 'info', 'kept')"
        )
        if revision < "0005":
            connection.exec_driver_sql("INSERT INTO tag VALUES (1, 1, 'TT-1', '', 'drying', '°C', 'float64')")
            connection.exec_driver_sql("INSERT INTO tag VALUES (2, 1, 'ZT-1', '', 'drying', '', 'string')")
            for row in OLD_ROWS:
                connection.exec_driver_sql("INSERT INTO sample VALUES (?, ?, ?, ?, ?)", row)
    engine.dispose()


@pytest.mark.parametrize("revision", REVISIONS)
async def test_every_schema_there_has_been_is_brought_up_to_date(
    revision: str, historian: MakeHistorian, ask: Ask, db: Path
) -> None:
    made_at(db, revision)
    if revision < "0005":
        check_old_samples(db)
    history = historian()
    await history.start()
    await history.save_lab(LabRow("L1", "TT-1", 12.5, 0.1, T0, T0 + 60.0, "li"))
    assert [row.lab_id for row in await history.lab()] == ["L1"]
    await history.stop()
    assert ask("SELECT version_num FROM schema_version") == [(REVISIONS[-1],)]
    assert ask("SELECT text FROM event WHERE kind = 'test'") == [("kept",)]
    if revision < "0005":
        check_old_samples(db)
        assert ask("SELECT count(*) FROM block") == [(3,)]
        assert ask("SELECT count(*) FROM sqlite_master WHERE name IN ('sample', 'readable_sample')") == [(0,)]
    engine = engine_for(parse_url(f"sqlite:///{db}"))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_an_old_history_is_read_without_being_migrated(db: Path) -> None:
    made_at(db, "0001")
    with open_reader(f"sqlite:///{db}") as reader:
        assert reader.lab() == []
        assert [event.text for event in reader.events()] == ["kept"]
    with contextlib.closing(sqlite3.connect(db)) as connection:
        assert connection.execute("SELECT version_num FROM schema_version").fetchall() == [("0001",)]


async def test_a_migration_that_fails_half_way_leaves_everything_as_it_was(
    historian: MakeHistorian, ask: Ask, next_version: Callable[[str], None]
) -> None:
    await make(historian)
    next_version('op.execute("INSERT INTO no_such_table VALUES (1)")')
    with pytest.raises(StorageError, match=r"could not be migrated.*no_such_table.*Nothing was changed"):
        await historian().start()
    assert ask("SELECT version_num FROM schema_version") == [(REVISIONS[-1],)]
    assert "extra" not in ask("SELECT sql FROM sqlite_master WHERE name = 'event'")[0][0]


def test_the_sql_for_postgresql_can_be_printed_for_its_administrator(capsys: pytest.CaptureFixture[str]) -> None:
    sql = migrate.script_for("postgresql")
    assert "PARTITION BY LIST (line_id)" in sql
    assert "DOUBLE PRECISION" in sql
    assert "BIGSERIAL" in sql
    assert "WITHOUT ROWID" not in sql
    assert capsys.readouterr().out == ""
