"""A small line to record, and a way to look into its database without the program under test."""

from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import postgresql_server
import pytest

from linecontrol.core.image import Scan
from linecontrol.core.model import DataType, Sample, Status, Tag, Text
from linecontrol.history import Historian, open_reader, sealing, writer
from linecontrol.history.migrate import bring_up_to_date
from linecontrol.history.sql import engine_for, parse_url, sqlite_path

T0 = 1_750_000_000.0


def tag(name: str, unit: str = "°C", kind: DataType = DataType.FLOAT64) -> Tag:
    return Tag(name, "drying", Text(name, name), unit, kind, f"s={name}", alias=f"drying.{name.lower()}")


@pytest.fixture
def tags() -> list[Tag]:
    return [tag("SEQ", ""), tag("TT-1"), tag("TT-2"), tag("XS-1", "", DataType.BOOL), tag("ZT-1", "", DataType.STRING)]


@pytest.fixture
def scan() -> Callable[[int], Scan]:
    """The n-th scan of the line: a counter, a value that changes, one that does not, a switch and a text."""

    def make(n: int) -> Scan:
        now = T0 + n
        values: dict[str, Any] = {
            "SEQ": float(n),
            "TT-1": 20.0 + n / 7.0,
            "TT-2": 55.5,
            "XS-1": n % 10 < 5,
            "ZT-1": "相 A" if n % 20 < 10 else "",
        }
        return Scan("drying", now, {name: Sample(value, Status.GOOD, now) for name, value in values.items()})

    return make


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def begun(db: Path, made_db: Path) -> Path:
    """The database, there already and empty; where another thing stands, that stays."""
    if not db.exists():
        shutil.copy(made_db, db)
    return db


@pytest.fixture
def historian(begun: Path, tmp_path: Path, tags: Sequence[Tag]) -> Callable[..., Historian]:
    def make(**options: Any) -> Historian:
        options.setdefault("flush_s", 0.02)
        line = options.pop("line", "demo")
        return Historian(f"sqlite:///{begun}", tmp_path / "spool", line, options.pop("tags", tags), **options)

    return make


@pytest.fixture
def ask(db: Path) -> Callable[..., list[tuple[Any, ...]]]:
    """Ask the file with plain sqlite3. The rows of its samples stand in the tables sample and readable_sample."""

    def run(query: str, *values: object) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(db)) as connection:
            if re.search(r"\b(readable_)?sample\b", query):
                unpack_samples(connection, db)
            return connection.execute(query, values).fetchall()

    return run


def unpack_samples(connection: sqlite3.Connection, db: Path) -> None:
    """What lies compressed, as rows that SQL can be asked for."""
    connection.execute("CREATE TEMP TABLE sample (tag_id, time_us, value, status, text)")
    connection.execute(
        "CREATE TEMP VIEW readable_sample AS SELECT line.name AS line, station, tag.name AS tag, unit, value, text,"
        " strftime('%Y-%m-%d %H:%M:%f', time_us / 1000000.0, 'unixepoch') AS time_utc, CASE WHEN status < 1073741824 "
        "THEN 'GOOD' WHEN status < 2147483648 THEN 'UNCERTAIN' ELSE 'BAD' END AS quality FROM temp.sample AS sample "
        "JOIN tag ON tag.id = tag_id JOIN line ON line.id = tag.line_id ORDER BY tag_id, time_us"
    )
    lines: dict[str, dict[str, int]] = {}
    for line, tag_id, name in connection.execute(
        "SELECT line.name, tag.id, tag.name FROM tag JOIN line ON line.id = line_id"
    ):
        lines.setdefault(line, {})[name] = tag_id
    for line, ids in lines.items():
        with open_reader(f"sqlite:///{db}", line) as reader:
            found = reader.series(list(ids), 0.0)
        for name, rows in found.items():
            numbers = [None if value != value else value for value in rows.values.tolist()]
            texts = [rows.texts.get(at) for at in range(len(rows))]
            columns = (rows.times.tolist(), numbers, rows.statuses.tolist(), texts)
            cells = ((ids[name], *row) for row in zip(*columns, strict=True))
            connection.executemany("INSERT INTO temp.sample VALUES (?, ?, ?, ?, ?)", cells)


@pytest.fixture(scope="session")
def made_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of the newest schema without anything in it, to be copied: making it takes longer than most tests."""
    path = tmp_path_factory.mktemp("made") / "history.db"
    migrate_all(f"sqlite:///{path}")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def migrate_all(url: str) -> None:
    parsed = parse_url(url)
    engine = engine_for(parsed)
    bring_up_to_date(engine, sqlite_path(parsed))
    engine.dispose()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask an away database again soon, so that a test need not wait."""
    monkeypatch.setattr(writer, "_RETRY_FIRST_S", 0.02)
    monkeypatch.setattr(writer, "_RETRY_MOST_S", 0.05)


@pytest.fixture
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seal the tail after two seconds of line time."""
    monkeypatch.setattr(sealing, "SPAN_US", 2_000_000)


@pytest.fixture(scope="session")
def server() -> Iterator[Path]:
    """Folder of the socket of a PostgreSQL server."""
    programs = postgresql_server.server_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server binary on this machine (initdb, pg_ctl)")
    with postgresql_server.running(programs) as folder:
        yield folder


@pytest.fixture(scope="session")
def made_postgresql(server: Path) -> str:
    """Name of a database of the newest schema without anything in it, to be copied."""
    postgresql_server.psql(server, "postgres", "CREATE DATABASE made")
    migrate_all(f"postgresql+psycopg://test@/made?host={server}")
    return "made"


@pytest.fixture
def psql(server: Path) -> Iterator[Callable[[str], list[str]]]:
    """Runs SQL in a fresh database, without any table; answers unaligned rows."""
    postgresql_server.psql(server, "postgres", "CREATE DATABASE history")
    yield lambda sql: postgresql_server.psql(server, "history", sql)
    postgresql_server.psql(server, "postgres", "DROP DATABASE history WITH (FORCE)")


@pytest.fixture
def bare_postgresql_url(psql: Callable[[str], list[str]], server: Path) -> str:
    """A fresh database of a real server, without any table."""
    del psql
    return f"postgresql+psycopg://test@/history?host={server}"


@pytest.fixture
def postgresql_url(made_postgresql: str, server: Path) -> Iterator[str]:
    """A fresh database of a real server, of the newest schema."""
    postgresql_server.psql(server, "postgres", f"CREATE DATABASE filled TEMPLATE {made_postgresql}")
    yield f"postgresql+psycopg://test@/filled?host={server}"
    postgresql_server.psql(server, "postgres", "DROP DATABASE filled WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, begun: Path) -> str:
    """A fresh database of each kind; the fixture ``historian`` records into that of SQLite."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql_url"))
    return f"sqlite:///{begun}"
