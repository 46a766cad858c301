"""Copies of a whole history, taken while it is written, and how one is put back.

SQLite is copied by its own online backup and checked before the copy gets its name. PostgreSQL has programs of its own
for this (pg_dump, pg_restore, psql), which are run.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

from sqlalchemy.engine import URL

from linecontrol.core.errors import StorageError
from linecontrol.history.migrate import SchemaRefused, check_known
from linecontrol.history.schema import VERSION_TABLE, metadata
from linecontrol.history.sql import parse_url, reason_of, sqlite_path

_PAGES_AT_ONCE = 2000
_LONGEST_S = 24 * 3600


def back_up(url: str, target: Path) -> int:
    """Copy the history to a file that is not there yet. Returns its size in bytes. Raises StorageError."""
    if target.exists():
        raise StorageError(f"{target} is there already; give a name that is not")
    parsed = parse_url(url)
    path = sqlite_path(parsed)
    fresh = target.with_name(f"{target.name}.new")
    try:
        target.absolute().parent.mkdir(parents=True, exist_ok=True)
        if path is None:
            _run(parsed, "pg_dump", "--format=custom", f"--file={fresh}")
        else:
            _copy_sqlite(path, fresh)
        with fresh.open("rb+") as file:
            os.fsync(file.fileno())
        fresh.replace(target)
    except (OSError, sqlite3.Error) as error:
        raise StorageError(f"no backup was made: {reason_of(error)}") from error
    finally:
        fresh.unlink(missing_ok=True)
    return target.stat().st_size


def _copy_sqlite(path: Path, fresh: Path) -> None:
    if not path.exists():
        raise StorageError(f"there is no history at {path}")
    fresh.unlink(missing_ok=True)
    with (
        contextlib.closing(sqlite3.connect(f"file:{path.absolute()}?mode=ro", uri=True)) as source,
        contextlib.closing(sqlite3.connect(fresh)) as copy,
    ):
        source.backup(copy, pages=_PAGES_AT_ONCE)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, without companions
    check_file(fresh)


def check_file(path: Path) -> None:
    """Is this a sound history that this program can read? Raises StorageError when not."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path.absolute()}?mode=ro&immutable=1", uri=True)) as copy:
            verdict = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
            revision = copy.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()  # noqa: S608
    except sqlite3.Error as error:
        raise StorageError(f"{path} is no history: {reason_of(error)}") from error
    if verdict != "ok":
        raise StorageError(f"{path} is damaged: {verdict}")
    if revision is None:
        raise StorageError(f"{path} holds no history")
    check_known(revision[0])


def restore(url: str, source: Path) -> Path | None:
    """Put a backup in the place of the history. No controller may be recording there.

    The history that was there is set aside, never deleted: returns its new name (None when there was none, or for
    PostgreSQL, where its tables are replaced in one transaction). Raises StorageError; then nothing was changed.
    """
    if not source.exists():
        raise StorageError(f"there is no backup {source}")
    parsed = parse_url(url)
    path = sqlite_path(parsed)
    if path is None:
        _restore_postgresql(parsed, source)
        return None
    try:
        check_file(source)
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.restoring")
        shutil.copyfile(source, fresh)
        check_file(fresh)
        with fresh.open("rb+") as file:
            os.fsync(file.fileno())
        aside = _set_aside(path)
        fresh.replace(path)
    except SchemaRefused:
        raise
    except OSError as error:
        raise StorageError(f"the backup was not put back: {error}") from error
    return aside


def _restore_postgresql(url: URL, source: Path) -> None:
    """In one transaction: what is there goes, what was saved comes. (``pg_restore --clean`` knows no partitions.)"""
    with tempfile.TemporaryDirectory() as folder:
        clear, script = Path(folder, "clear.sql"), Path(folder, "saved.sql")
        tables = ", ".join((*metadata.tables, VERSION_TABLE, "sample"))
        clear.write_text(f"DROP TABLE IF EXISTS {tables} CASCADE;\n", encoding="ascii")
        _run(url, "pg_restore", "--no-owner", f"--file={script}", str(source), is_connected=False)
        _run(
            url,
            "psql",
            "--no-psqlrc",
            "--single-transaction",
            "--set=ON_ERROR_STOP=1",
            f"--file={clear}",
            f"--file={script}",
        )


def _set_aside(path: Path) -> Path | None:
    if not path.exists():
        return None
    aside = path.with_name(f"{path.name}.replaced-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    while aside.exists():
        aside = aside.with_name(f"{aside.name}x")
    for ending in ("", "-wal", "-shm"):
        part = path.with_name(path.name + ending)
        if part.exists():
            part.rename(aside.with_name(aside.name + ending))
    return aside


def _run(url: URL, program: str, *arguments: str, is_connected: bool = True) -> None:
    """One of PostgreSQL's own programs; the password goes by the environment, where no process list shows it."""
    if url.get_backend_name() != "postgresql":
        raise StorageError(f"{url.get_backend_name()} is backed up with its own programs")
    found = shutil.which(program)
    if found is None:
        raise StorageError(f"{program} is not installed on this machine; it comes with PostgreSQL's client programs")
    query = {name: value if isinstance(value, str) else value[0] for name, value in url.query.items()}
    host = url.host or query.get("host")
    where = {"--host": host, "--port": url.port or query.get("port"), "--username": url.username}
    options = [f"{name}={value}" for name, value in where.items() if value is not None]
    options += [f"--dbname={url.database}", "--no-password"]
    environment = dict(os.environ)
    if url.password is not None:
        environment["PGPASSWORD"] = str(url.password)
    try:
        subprocess.run(
            [found, *(options if is_connected else []), *arguments],
            check=True,
            capture_output=True,
            text=True,
            env=environment,
            timeout=_LONGEST_S,
        )
    except subprocess.CalledProcessError as error:
        raise StorageError(f"{program} failed: {' '.join(error.stderr.split())[:500]}") from error
