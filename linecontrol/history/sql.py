"""The one place that knows database engines: how to open each, and what their errors mean for us.

SQLite: WAL, synchronous=FULL, explicit BEGIN IMMEDIATE (so that DDL and savepoints are real). Two kinds of full disk
("database or disk is full" and "disk I/O error") and a lock held too long are all the same here: the database is away.
"""

from __future__ import annotations

import os
import sqlite3
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool, QueuePool

from linecontrol.core.errors import ConfigError
from linecontrol.history.chain import text_hash

LOCK_WAIT_S = 0.5
_OPEN_TIMEOUT_S = 3
_KEEPALIVE = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
"""The server forgets a controller that lost its power after 25 s, and with it that it holds the line."""


class Fault(Enum):
    """What a database error asks of us."""

    AWAY = "away"  # the database cannot take anything now: spool, try again
    MALFORMED = "malformed"  # the file is damaged: set it aside, begin a new one
    ROW = "row"  # this row can never be stored: quarantine it, go on


_SQLITE_MALFORMED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_SQLITE_ROW = {
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_TOOBIG,
    sqlite3.SQLITE_RANGE,
}
_SQLITE_NEVER_BY_ITSELF = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}
_ROW_ERRORS = (sa.exc.IntegrityError, sa.exc.DataError)

DATABASE_ERRORS: tuple[type[Exception], ...] = (
    sa.exc.SQLAlchemyError,
    sqlite3.Error,
    OSError,
    ValueError,  # a driver that cannot bind a value (lone surrogate, NUL byte)
    TypeError,
    OverflowError,
)
"""All that executing a statement may raise for a reason outside this program."""


def fault_of(error: BaseException) -> Fault:
    """Sort an error of the driver or of SQLAlchemy into the three there are."""
    cause = error.orig if isinstance(error, sa.exc.StatementError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    if isinstance(code, int):
        primary = code & 0xFF
        if primary in _SQLITE_MALFORMED:
            return Fault.MALFORMED
        return Fault.ROW if primary in _SQLITE_ROW else Fault.AWAY
    state = getattr(cause, "sqlstate", None)
    if isinstance(state, str):  # PostgreSQL: 22 data, 23 constraint
        return Fault.ROW if state[:2] in ("22", "23") else Fault.AWAY
    if isinstance(error, sa.exc.OperationalError) or isinstance(cause, OSError):
        return Fault.AWAY
    if isinstance(error, _ROW_ERRORS) or isinstance(cause, (ValueError, TypeError, OverflowError)):
        return Fault.ROW
    if isinstance(error, (sa.exc.ProgrammingError, sa.exc.InterfaceError)):
        return Fault.AWAY if getattr(error, "connection_invalidated", False) else Fault.ROW
    return Fault.AWAY


def is_passing(error: sa.exc.DBAPIError) -> bool:
    """The same statement may well work later: a lock, a full disk, a server that is down."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if isinstance(code, int):
        return code & 0xFF != sqlite3.SQLITE_ERROR and fault_of(error) is Fault.AWAY
    return isinstance(error, (sa.exc.OperationalError, sa.exc.InterfaceError))


def needs_person(error: BaseException) -> bool:
    """Waiting will not help: no permission, or no such place."""
    cause = error.orig if isinstance(error, sa.exc.StatementError) else error
    if isinstance(cause, (PermissionError, NotADirectoryError, FileExistsError)):
        return True
    code = getattr(cause, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in _SQLITE_NEVER_BY_ITSELF


def reason_of(error: BaseException) -> str:
    """One line for a person: the driver's own words, without SQL and parameters."""
    cause = error.orig if isinstance(error, sa.exc.StatementError) and error.orig is not None else error
    return " ".join(str(cause).split())[:300] or type(cause).__name__


def parse_url(url: str) -> URL:
    """A database URL that can be used here. Raises ConfigError."""
    try:
        parsed = make_url(url)
    except sa.exc.ArgumentError as error:
        raise ConfigError(
            f"{url!r} is not a database URL (accepted: sqlite:////path/file.db, postgresql://host/name)"
        ) from error
    if parsed.get_backend_name() == "sqlite" and sqlite_path(parsed) is None:
        raise ConfigError(f"{url}: the history must lie in a file (accepted: sqlite:////path/file.db)")
    return parsed


def sqlite_path(url: URL) -> Path | None:
    """The file of an SQLite URL; None for any other database, or none on disk."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database)


def engine_for(url: URL, *, is_read_only: bool = False) -> sa.Engine:
    """An engine of this program. Raises ConfigError.

    For writing there is no pool: who wants a connection opens one, who has one keeps it. A reader's connections wait
    for its next question; each question is one transaction, in which the history stands still.
    """
    path = sqlite_path(url)
    if path is not None:
        return _sqlite_engine(path, is_read_only)
    options: dict[str, Any] = {}
    if url.get_driver_name() == "psycopg":
        options = {
            "connect_timeout": _OPEN_TIMEOUT_S,
            "tcp_user_timeout": 4000,
            "options": f"-c statement_timeout=4000 -c lock_timeout={int(LOCK_WAIT_S * 1000)} {_KEEPALIVE}",
        }
        if is_read_only:
            options["options"] += " -c default_transaction_read_only=on"
    try:
        if is_read_only:
            return sa.create_engine(
                url, pool_pre_ping=True, isolation_level="REPEATABLE READ", max_overflow=20, connect_args=options
            )
        return sa.create_engine(url, poolclass=NullPool, connect_args=options)
    except (ModuleNotFoundError, sa.exc.ArgumentError) as error:
        raise ConfigError(f"{url.render_as_string()}: the driver for this database is missing: {error}") from error


def _sqlite_engine(path: Path, is_read_only: bool) -> sa.Engine:
    def connect() -> sqlite3.Connection:
        connection = connect_to_read(path) if is_read_only else _connect_to_write(_name(path))
        connection.isolation_level = None  # SQLAlchemy's BEGIN is ours, below
        return connection

    pool: dict[str, Any] = {"poolclass": QueuePool, "max_overflow": 20} if is_read_only else {"poolclass": NullPool}
    engine = sa.create_engine("sqlite://", creator=connect, **pool)
    begin = "BEGIN" if is_read_only else "BEGIN IMMEDIATE"

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _connect_to_write(name: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{name}?mode=rwc", uri=True, timeout=LOCK_WAIT_S, check_same_thread=False)
    connection.create_function("text_hash", 1, text_hash, deterministic=True)  # PostgreSQL has its own
    try:
        connection.execute("PRAGMA journal_mode=WAL").fetchall()
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA journal_size_limit=67108864")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _name(path: Path) -> str:
    return f"file:{quote(str(path.absolute()))}"


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Read-only, without transactions but those asked for. On a medium that cannot be written, and where no
    writer has left a WAL, as immutable."""
    mode = "mode=ro"
    if not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists():
        mode = "mode=ro&immutable=1"
    connection = sqlite3.connect(f"{_name(path)}?{mode}", uri=True, timeout=5.0, check_same_thread=False)
    connection.isolation_level = None
    return connection
