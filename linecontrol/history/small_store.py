"""Small tables of one line, read once and written seldom, as records. Blocking: call it from a thread.

Beside the one writer, because every write must be durable when it returns, or be refused: a right that was taken away,
or a recipe that was approved, must not wait in a spool. A record's fields are its table's columns; ``…_at`` [s since
1970, UTC] is kept as ``…_us``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, TypeVar

from linecontrol.core.errors import StorageError

if TYPE_CHECKING:
    import sqlalchemy as sa

T = TypeVar("T")


class SmallStore:
    """Records of some kinds in the database of a history that is open. What is evidence of them is chained as well.

    Args:
        tables: the name of the table of each kind of record; records have an ``id``.
        what: what cannot be kept, for the sentence of a StorageError, which every method may raise.
    """

    def __init__(self, url: str, line: str, tables: Mapping[type[Any], str], what: str) -> None:
        from linecontrol.history.sql import engine_for, parse_url

        self._engine = engine_for(parse_url(url))
        self._line, self._tables, self._what = line, tables, what

    def save(self, *rows: Any) -> None:
        """Keep these records, in one transaction; one with an id that is there already takes its place."""
        from linecontrol.history import chain_store
        from linecontrol.history.chain import CHAINED, link_of

        with self._begun() as (connection, line_id):
            links = []
            for row in rows:
                table = self._table(type(row))
                values = {"line_id": line_id, **_cells(row)}
                if table.name in CHAINED:
                    links.append(link_of(table.name, values))
                here = (table.c.line_id == line_id) & (table.c.id == row.id)
                if not connection.execute(table.update().where(here), values).rowcount:
                    connection.execute(table.insert(), values)
            chain_store.append(connection, line_id, links)

    def remove(self, *rows: Any) -> None:
        """Forget these records, in one transaction."""
        with self._begun() as (connection, line_id):
            for row in rows:
                table = self._table(type(row))
                connection.execute(table.delete().where(table.c.line_id == line_id, table.c.id == row.id))

    def all(self, kind: type[T]) -> list[T]:
        """Every record of a kind."""
        table = self._table(kind)
        with self._begun() as (connection, line_id):
            found = connection.execute(table.select().where(table.c.line_id == line_id)).mappings().all()
        return [row_of(kind, dict(row)) for row in found]

    @contextlib.contextmanager
    def _begun(self) -> Iterator[tuple[sa.Connection, int]]:
        from linecontrol.history.opening import register_line
        from linecontrol.history.sql import DATABASE_ERRORS, reason_of

        try:
            with self._engine.begin() as connection:
                yield connection, register_line(connection, self._line)
        except DATABASE_ERRORS as error:
            raise StorageError(f"{self._what} cannot be kept now: {reason_of(error)}") from error

    def _table(self, kind: type[Any]) -> sa.Table:
        from linecontrol.history import schema

        return schema.metadata.tables[self._tables[kind]]


def _cells(row: Any) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for name, value in asdict(row).items():
        if name.endswith("_at"):
            cells[name.removesuffix("_at") + "_us"] = None if value is None else round(value * 1e6)
        elif isinstance(value, bool):
            cells[name] = int(value)
        else:
            cells[name] = " ".join(value) if isinstance(value, tuple) else value
    return cells


def row_of(kind: type[T], cells: dict[str, Any]) -> T:
    """A record from the columns of its table."""
    values: dict[str, Any] = {}
    for one in fields(kind):  # type: ignore[arg-type]
        name, declared = one.name, str(one.type)
        if name.endswith("_at"):
            micros = cells[name.removesuffix("_at") + "_us"]
            values[name] = None if micros is None else micros / 1e6
        elif declared == "bool":
            values[name] = bool(cells[name])
        else:
            values[name] = tuple(cells[name].split()) if declared.startswith("tuple") else cells[name]
    return kind(**values)
