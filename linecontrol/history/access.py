"""Users, sessions and tokens of one line, as they are kept. Blocking: call it from a thread.

Small tables that are read once and written seldom; who asks the API is looked up in memory, never here. Times are real
time [s since 1970, UTC], not line time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from linecontrol.core.errors import StorageError

if TYPE_CHECKING:
    import sqlalchemy as sa


@dataclass(frozen=True, slots=True)
class UserRow:
    """A person. ``password_hash``: argon2id with its own salt; empty = no password can be right."""

    id: str
    name: str
    role: str
    password_hash: str
    language: str
    is_enabled: bool
    created_at: float


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session that has not ended. Of its token only the SHA-256 is kept.

    ``proved_at``: when its user last gave the password. ``seen_at``: when its user last did something, to the minute.
    """

    id: str
    user_id: str
    token_hash: str
    created_at: float
    proved_at: float
    seen_at: float
    address: str


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token for a script. ``scope``: rights it is narrowed to, empty = all. ``expires_at``: None = never."""

    id: str
    name: str
    token_hash: str
    role: str
    scope: tuple[str, ...]
    made_by: str
    created_at: float
    expires_at: float | None


AccessRow = UserRow | SessionRow | TokenRow
T = TypeVar("T", UserRow, SessionRow, TokenRow)

_TABLES: dict[type[Any], str] = {UserRow: "user_account", SessionRow: "user_session", TokenRow: "api_token"}


class AccessStore:
    """Keeps them in the database of a history that is open. Every write is durable when it returns.

    Raises StorageError for whatever the database says.
    """

    def __init__(self, url: str, line: str) -> None:
        from linecontrol.history.sql import engine_for, parse_url

        self._engine = engine_for(parse_url(url))
        self._line = line

    def users(self) -> list[UserRow]:
        return self._all(UserRow)

    def sessions(self) -> list[SessionRow]:
        return self._all(SessionRow)

    def tokens(self) -> list[TokenRow]:
        return self._all(TokenRow)

    def save(self, *rows: AccessRow) -> None:
        """Keep these rows, in one transaction; a row with an id that is there already takes its place."""
        with self._begun() as (connection, line_id):
            for row in rows:
                table = _table(type(row))
                values = {"line_id": line_id, **_cells(row)}
                here = (table.c.line_id == line_id) & (table.c.id == row.id)
                if not connection.execute(table.update().where(here), values).rowcount:
                    connection.execute(table.insert(), values)

    def remove(self, *rows: AccessRow) -> None:
        """Forget these rows, in one transaction."""
        with self._begun() as (connection, line_id):
            for row in rows:
                table = _table(type(row))
                connection.execute(table.delete().where(table.c.line_id == line_id, table.c.id == row.id))

    def _all(self, kind: type[T]) -> list[T]:
        table = _table(kind)
        with self._begun() as (connection, line_id):
            found = connection.execute(table.select().where(table.c.line_id == line_id)).mappings().all()
        return [_row_of(kind, dict(row)) for row in found]

    @contextlib.contextmanager
    def _begun(self) -> Iterator[tuple[sa.Connection, int]]:
        from linecontrol.history.opening import register_line
        from linecontrol.history.sql import DATABASE_ERRORS, reason_of

        try:
            with self._engine.begin() as connection:
                yield connection, register_line(connection, self._line)
        except DATABASE_ERRORS as error:
            raise StorageError(f"users and sessions cannot be kept now: {reason_of(error)}") from error


def _table(kind: type[Any]) -> sa.Table:
    from linecontrol.history import schema

    return schema.metadata.tables[_TABLES[kind]]


def _cells(row: AccessRow) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for name, value in asdict(row).items():
        if name.endswith("_at"):
            cells[name.removesuffix("_at") + "_us"] = None if value is None else round(value * 1e6)
        else:
            cells[name] = int(value) if isinstance(value, bool) else " ".join(value) if name == "scope" else value
    return cells


def _row_of(kind: type[T], cells: dict[str, Any]) -> T:
    values: dict[str, Any] = {}
    for one in fields(kind):
        if one.name.endswith("_at"):
            micros = cells[one.name.removesuffix("_at") + "_us"]
            values[one.name] = None if micros is None else micros / 1e6
        else:
            values[one.name] = cells[one.name]
    if "scope" in values:
        values["scope"] = tuple(values["scope"].split())
    if "is_enabled" in values:
        values["is_enabled"] = bool(values["is_enabled"])
    return kind(**values)
