"""How rows of each kind go into their tables. The one writing place that knows that samples are packed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from linecontrol.history import schema, tail
from linecontrol.history.rows import ALARM, BYPASS, CALIBRATION, COLUMNS, DEVIATION, LAB, RECIPE, RUN, VERSION, Row

_KEYS = {DEVIATION: "deviation_id", CALIBRATION: "calibration_id", BYPASS: "bypass_id"}
"""Kinds whose newest row replaces the one of the same name."""


def insert(connection: sa.Connection, line_id: int, kind: str, rows: Sequence[Row]) -> None:
    """Rows of any kind but samples."""
    records = [{"line_id": line_id, **dict(zip(COLUMNS[kind], row, strict=True))} for row in rows]
    if kind == RUN:
        for record in records:
            _upsert_run(connection, record)
    elif kind == RECIPE:
        for record in records:
            _insert_recipe(connection, record)
    elif kind == LAB:
        for record in records:
            _insert_lab(connection, record)
    elif kind == VERSION:
        for record in records:
            _insert_version(connection, record)
    elif kind == ALARM:
        for record in records:
            _upsert_alarm(connection, record)
    elif kind in _KEYS:
        for record in records:
            _upsert(connection, schema.metadata.tables[kind], _KEYS[kind], record)
    else:
        connection.execute(schema.metadata.tables[kind].insert(), records)


def insert_samples(
    connection: sa.Connection, line_id: int, ids: Mapping[str, int], rows: Sequence[Row], mark: tuple[str, int]
) -> None:
    """One row of the tail; ``mark``: writer and number of the batch. Raises as ``tail.pack``."""
    packed = tail.pack(rows, ids)
    connection.exec_driver_sql(_tail_sql(connection.dialect), (line_id, *mark, *packed))


def _tail_sql(dialect: sa.Dialect) -> str:
    """Written out, because building it again for every scan would take longer than executing it."""
    sign = "?" if dialect.paramstyle == "qmark" else "%s"
    columns = "line_id, writer, number, start_us, end_us, rows, samples, texts"
    return f"INSERT INTO tail ({columns}) VALUES ({', '.join([sign] * 8)})"  # noqa: S608 - no word of anybody else's


def _upsert_run(connection: sa.Connection, record: dict[str, Any]) -> None:
    run = schema.run
    key = sa.and_(run.c.line_id == record["line_id"], run.c.run_id == record["run_id"])
    if not connection.execute(run.update().where(key), record).rowcount:
        connection.execute(run.insert(), record)


def _insert_version(connection: sa.Connection, record: dict[str, Any]) -> None:
    """A version is kept once; the newest becomes the run's record, in the same transaction."""
    kept, run = schema.run_version, schema.run
    mine = sa.and_(kept.c.line_id == record["line_id"], kept.c.run_id == record["run_id"])
    newest = connection.execute(sa.select(sa.func.max(kept.c.version)).where(mine)).scalar() or 0
    if connection.execute(sa.select(kept.c.version).where(mine, kept.c.version == record["version"])).first():
        return
    connection.execute(kept.insert(), record)
    if record["version"] > newest:
        key = sa.and_(run.c.line_id == record["line_id"], run.c.run_id == record["run_id"])
        connection.execute(run.update().where(key).values(record=record["record"]))


def _upsert_alarm(connection: sa.Connection, record: dict[str, Any]) -> None:
    alarm = schema.alarm
    key = sa.and_(alarm.c.line_id == record["line_id"], alarm.c.name == record["name"])
    if not connection.execute(alarm.update().where(key), record).rowcount:
        connection.execute(alarm.insert(), record)


def _upsert(connection: sa.Connection, table: sa.Table, key: str, record: dict[str, Any]) -> None:
    found = sa.and_(table.c.line_id == record["line_id"], table.c[key] == record[key])
    if not connection.execute(table.update().where(found), record).rowcount:
        connection.execute(table.insert(), record)


def _insert_recipe(connection: sa.Connection, record: dict[str, Any]) -> None:
    recipe = schema.recipe
    key = sa.and_(recipe.c.line_id == record["line_id"], recipe.c.hash == record["hash"])
    if connection.execute(sa.select(recipe.c.hash).where(key)).scalar() is None:
        connection.execute(recipe.insert(), record)


def _insert_lab(connection: sa.Connection, record: dict[str, Any]) -> None:
    lab = schema.lab
    key = sa.and_(lab.c.line_id == record["line_id"], lab.c.lab_id == record["lab_id"])
    if connection.execute(sa.select(lab.c.lab_id).where(key)).scalar() is None:
        connection.execute(lab.insert(), record)
