"""Questions about what the guard keeps. A history from before there was a guard has none of it."""

from __future__ import annotations

import sqlalchemy as sa

from linecontrol.history import schema
from linecontrol.history.guarded import (
    BypassRow,
    CalibrationRow,
    DeviationRow,
    bypass_of,
    calibration_of,
    deviation_of,
)
from linecontrol.history.rows import BYPASS, CALIBRATION, COLUMNS, DEVIATION, micros


def deviations(
    connection: sa.Connection,
    line_id: int,
    since: float | None,
    until: float | None,
    limit: int,
    run_id: str | None,
    state: str | None,
) -> list[DeviationRow]:
    """Newest first. ``since``, ``until``: those whose suspect interval touches [since, until)."""
    table = schema.deviation
    query = _query(DEVIATION, line_id)
    if since is not None:
        query = query.where(sa.or_(table.c.until_us.is_(None), table.c.until_us >= micros(since)))
    if until is not None:
        query = query.where(table.c.since_us < micros(until))
    if run_id is not None:
        query = query.where(table.c.run_id == run_id)
    if state is not None:
        query = query.where(table.c.state == state)
    order = (table.c.opened_us.desc(), table.c.deviation_id.desc())
    return [deviation_of(tuple(row)) for row in _rows(connection, table, query.order_by(*order).limit(limit))]


def calibrations(connection: sa.Connection, line_id: int, item: str | None, limit: int) -> list[CalibrationRow]:
    """Newest first, of one item or of all."""
    table = schema.calibration
    query = _query(CALIBRATION, line_id)
    if item is not None:
        query = query.where(table.c.item == item)
    order = (table.c.done_us.desc(), table.c.entered_us.desc(), table.c.calibration_id.desc())
    return [calibration_of(tuple(row)) for row in _rows(connection, table, query.order_by(*order).limit(limit))]


def bypasses(
    connection: sa.Connection, line_id: int, since: float | None, until: float | None, limit: int
) -> list[BypassRow]:
    """Newest first; ``since``, ``until``: those that were on some time in [since, until)."""
    table = schema.bypass
    query = _query(BYPASS, line_id)
    if since is not None:
        query = query.where(sa.func.coalesce(table.c.ended_us, table.c.until_us) >= micros(since))
    if until is not None:
        query = query.where(table.c.since_us < micros(until))
    order = (table.c.since_us.desc(), table.c.bypass_id.desc())
    return [bypass_of(tuple(row)) for row in _rows(connection, table, query.order_by(*order).limit(limit))]


def _query(kind: str, line_id: int) -> sa.Select[tuple[object, ...]]:
    table = schema.metadata.tables[kind]
    return sa.select(*(table.c[name] for name in COLUMNS[kind])).where(table.c.line_id == line_id)


def _rows(
    connection: sa.Connection, table: sa.Table, query: sa.Select[tuple[object, ...]]
) -> list[sa.Row[tuple[object, ...]]]:
    if not sa.inspect(connection).has_table(table.name):
        return []  # a reader does not migrate
    return list(connection.execute(query).all())
