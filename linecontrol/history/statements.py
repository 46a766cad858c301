"""Questions that are asked often, made ready once. What SQLAlchemy does for each execution takes longer than most
of these answers; here it only writes the SQL, in the words of each database."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite as sqlite_dialect

from linecontrol.history import schema

Connection = sa.Connection | sqlite3.Connection
"""Whom a question may be put to. A plain one of SQLite, in which a transaction was begun, answers soonest."""


class _Written(NamedTuple):
    sql: str
    order: tuple[str, ...] | None
    given: Mapping[str, Any]


_SQLITE = sqlite_dialect()


class Question:
    """A SELECT of plain columns (numbers, texts, bytes), with named parameters."""

    def __init__(self, select: sa.Select[Any]) -> None:
        self._select = select
        self._sql: dict[str, _Written] = {}

    def ask(self, connection: Connection, **values: int) -> list[tuple[Any, ...]]:
        """All rows, in the transaction there is, or a new one. What it raises is in ``sql.DATABASE_ERRORS``."""
        if isinstance(connection, sqlite3.Connection):
            sql, order, given = self._sql.get(_SQLITE.driver) or self._written(_SQLITE)
            if order is not None:
                named = {**given, **values} if given else values
                return connection.execute(sql, [named[name] for name in order]).fetchall()
            return connection.execute(sql, {**given, **values}).fetchall()
        if not connection.in_transaction():
            connection.begin()
        sql, order, given = self._sql.get(connection.dialect.driver) or self._written(connection.dialect)
        named = {**given, **values}
        base = connection.connection.driver_connection
        if isinstance(base, sqlite3.Connection) and order is not None:
            return base.execute(sql, [named[name] for name in order]).fetchall()
        found = connection.exec_driver_sql(sql, named if order is None else tuple(named[name] for name in order))
        return [tuple(row) for row in found]

    def _written(self, dialect: sa.Dialect) -> _Written:
        compiled = self._select.compile(dialect=dialect)
        order = None if compiled.positiontup is None else tuple(compiled.positiontup)
        given = {name: value for name, value in compiled.params.items() if value is not None}
        self._sql[dialect.driver] = found = _Written(str(compiled), order, given)
        return found


def number(name: str) -> sa.BindParameter[int]:
    """A parameter: an id or a time [us]."""
    return sa.bindparam(name, type_=schema.Micros)
