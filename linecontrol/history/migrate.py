"""Bring a database to this program's schema. Alembic is imported only when there is something to migrate.

A new SQLite file is made at once, from what all migrations come to (``newest.sql``, which a test holds against them):
it takes a fraction of the time, and every first start and every test begins with one.
"""

from __future__ import annotations

import contextlib
import io
import sqlite3
import threading
from pathlib import Path

import sqlalchemy as sa

from linecontrol.core.errors import StorageError
from linecontrol.history.schema import REVISIONS, VERSION_TABLE, metadata
from linecontrol.history.sql import is_passing, reason_of

_MIGRATIONS = Path(__file__).parent / "migrations"
_NEWEST = _MIGRATIONS / "newest.sql"
_ONE_AT_A_TIME = threading.Lock()  # alembic's context is a module-level proxy


class SchemaRefused(StorageError):
    """This database is not ours to write: made by a newer program, or by another one. Nothing was changed."""


def revision_of(connection: sa.Connection) -> str | None:
    """The schema's revision; None when the database is empty. Raises SchemaRefused when it is not ours."""
    tables = set(sa.inspect(connection).get_table_names())
    if VERSION_TABLE in tables:
        version = sa.table(VERSION_TABLE, sa.column("version_num"))
        found = connection.execute(sa.select(version.c.version_num)).scalar()
        if found is not None:
            return str(found)
    clash = sorted(tables & set(metadata.tables))
    if clash:
        raise SchemaRefused(
            f"the database has tables {', '.join(clash)} that are not a history of this program; "
            "give another database with --data"
        )
    return None


def check_known(revision: str) -> None:
    """Raises SchemaRefused when the revision is none this program knows."""
    if revision not in REVISIONS:
        raise SchemaRefused(
            f"the history was written by a newer version of this program (schema {revision}; this one knows up to "
            f"{REVISIONS[-1]}). Use the newer program, or give another database with --data"
        )


def bring_up_to_date(engine: sa.Engine, path: Path | None) -> Path | None:
    """Migrate when needed, all or nothing. ``path`` is the SQLite file, backed up before a real migration.

    Returns the backup, if one was made. Raises SchemaRefused, and whatever the database raises.
    """
    with engine.connect() as connection:
        found = revision_of(connection)
    if found == REVISIONS[-1]:
        return None
    if found is not None:
        check_known(found)
    backup = None if found is None or path is None else _back_up(path, found)
    try:
        with _ONE_AT_A_TIME, engine.begin() as connection:
            found = revision_of(connection)  # another process may have been faster
            if found is None and connection.dialect.name == "sqlite":
                _make_newest(connection)
            elif found != REVISIONS[-1]:
                _upgrade(connection)
    except sa.exc.DBAPIError as error:
        if is_passing(error):
            raise
        raise SchemaRefused(
            f"the history could not be migrated from schema {found} to {REVISIONS[-1]} ({reason_of(error)}). "
            "Nothing was changed; use the program it was made with, and report this"
        ) from error
    return backup


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _make_newest(connection: sa.Connection) -> None:
    for statement in _NEWEST.read_text(encoding="utf-8").split(";\n"):
        if statement.strip():
            connection.exec_driver_sql(statement)
    version = sa.table(VERSION_TABLE, sa.column("version_num"))
    connection.execute(sa.insert(version).values(version_num=REVISIONS[-1]))


def newest_sqlite() -> str:
    """What the migrations make of an empty SQLite database, as SQL: the content of ``newest.sql``."""
    engine = sa.create_engine("sqlite://")
    made = sa.text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
    try:
        with _ONE_AT_A_TIME, engine.begin() as connection:
            _upgrade(connection)
            statements = connection.execute(made).scalars().all()
    finally:
        engine.dispose()
    return "".join(f"{statement};\n" for statement in statements)


def _back_up(path: Path, revision: str) -> Path:
    backup = path.with_name(f"{path.name}.schema-{revision}")
    with (
        contextlib.closing(sqlite3.connect(path)) as source,
        contextlib.closing(sqlite3.connect(backup)) as target,
    ):
        source.backup(target)
    return backup


def script_for(dialect: str) -> str:
    """The SQL that makes the newest schema, for an administrator who lets no program make tables."""
    from alembic import command
    from alembic.config import Config

    out = io.StringIO()
    config = Config(output_buffer=out)
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("dialect", dialect)
    with _ONE_AT_A_TIME:
        command.upgrade(config, "head", sql=True)
    return out.getvalue()
