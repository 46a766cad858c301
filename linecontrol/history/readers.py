"""A role of PostgreSQL that may read a history and change nothing. (An SQLite file is opened with ``mode=ro``.)"""

from __future__ import annotations

import re

import sqlalchemy as sa

from linecontrol.core.errors import StorageError
from linecontrol.history.schema import VERSION_TABLE, metadata
from linecontrol.history.sql import DATABASE_ERRORS, engine_for, parse_url, reason_of

WITHHELD = ("user_account", "user_session", "api_token", "audit")
"""What researchers do not read: accounts, sessions, tokens, and the audit trail with its addresses."""

READABLE = (
    *(name for name in metadata.tables if name not in WITHHELD),
    *("readable_chunk", VERSION_TABLE),
)
"""What they read: all else, so that every question about runs, lots, bags and their evidence is answered."""

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def grants(role: str, database: str, schema: str = "public") -> list[str]:
    """The statements that make the role and let it read. Raises StorageError for a name that is none."""
    for word in (role, database, schema):
        if not _NAME.fullmatch(word):
            raise StorageError(f"{word!r} is no plain name (accepted: a-z, 0-9 and _, not beginning with a digit)")
    return [
        f"DO $$ BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        f"ALTER ROLE {role} SET default_transaction_read_only = on",
        f"GRANT CONNECT ON DATABASE {database} TO {role}",
        f"GRANT USAGE ON SCHEMA {schema} TO {role}",
        *(f"GRANT SELECT ON {schema}.{table} TO {role}" for table in READABLE),
    ]


def apply_grants(url: str, role: str) -> list[str]:
    """Make the role in this database; its password is set by the administrator. Returns what was executed."""
    parsed = parse_url(url)
    if parsed.get_backend_name() != "postgresql" or not parsed.database:
        raise StorageError("roles are for PostgreSQL; a history in a file is opened read-only with mode=ro")
    statements = grants(role, parsed.database)
    engine = engine_for(parsed)
    try:
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))
    except DATABASE_ERRORS as error:
        raise StorageError(f"the role was not made: {reason_of(error)}") from error
    finally:
        engine.dispose()
    return statements
