"""Rows that were set aside: try again to store them, or write them out for somebody to look at."""

from __future__ import annotations

import json
import secrets
from typing import Any

import sqlalchemy as sa

from linecontrol.core.errors import StorageError
from linecontrol.history import chain_store, schema
from linecontrol.history.chain import Link
from linecontrol.history.inserts import insert, insert_samples
from linecontrol.history.migrate import revision_of
from linecontrol.history.opening import tag_ids
from linecontrol.history.rows import COLUMNS, SAMPLE
from linecontrol.history.sql import DATABASE_ERRORS, Fault, engine_for, fault_of, parse_url, reason_of


def retry(url: str, line: str) -> tuple[int, int]:
    """Store what can be stored now. Returns how many rows went into the history, and how many stay set aside.

    Each row is stored and leaves the quarantine in one transaction, or neither. Raises StorageError.
    """
    engine = engine_for(parse_url(url))
    try:
        with engine.connect() as connection:
            with connection.begin():
                if revision_of(connection) != schema.REVISIONS[-1]:
                    raise StorageError("the history is not of this program's schema; start the controller once")
                query = sa.select(schema.line.c.id).where(schema.line.c.name == line)
                line_id = connection.execute(query).scalar()
                if line_id is None:
                    raise StorageError(f"there is no line {line!r} in this history")
                waiting = connection.execute(
                    sa.select(schema.quarantine).where(schema.quarantine.c.line_id == line_id).order_by("id")
                ).all()
                ids = tag_ids(connection, line_id)
            mark = secrets.token_hex(8)
            stored = sum(
                _store(connection, line_id, ids, row, (mark, number)) for number, row in enumerate(waiting, start=1)
            )
    except DATABASE_ERRORS as error:
        raise StorageError(f"the quarantine cannot be tried again: {reason_of(error)}") from error
    finally:
        engine.dispose()
    return stored, len(waiting) - stored


def _store(connection: sa.Connection, line_id: int, ids: dict[str, int], row: Any, mark: tuple[str, int]) -> bool:
    cells = _cells(row.kind, row.row)
    if cells is None:
        return False
    try:
        with connection.begin():
            if row.kind == SAMPLE:
                insert_samples(connection, line_id, ids, [cells], mark)
            else:
                links: list[Link] = []
                insert(connection, line_id, row.kind, [cells], links)
                chain_store.append(connection, line_id, links)
            connection.execute(schema.quarantine.delete().where(schema.quarantine.c.id == row.id))
    except KeyError:  # a tag that is still none of this line
        return False
    except DATABASE_ERRORS as error:
        if fault_of(error) is not Fault.ROW:
            raise
        return False
    return True


def _cells(kind: str, text: str) -> tuple[Any, ...] | None:
    """The row as it was; None when only its description was kept (it never was a row)."""
    if kind not in COLUMNS:
        return None
    try:
        found = json.loads(text)
        return tuple(found[name] for name in COLUMNS[kind])
    except (ValueError, KeyError, TypeError):
        return None
