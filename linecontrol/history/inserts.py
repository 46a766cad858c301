"""How rows of each kind go into their tables. The one writing place that knows that a sample is a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from linecontrol.history import schema
from linecontrol.history.rows import ALARM, COLUMNS, LAB, RECIPE, RUN, SAMPLE, VERSION, Row

Insert = Callable[[sa.Connection, int, Mapping[str, int], str, Sequence[Row]], int]
"""(connection, line id, tag ids, kind, rows) -> how many of the rows the database had already."""


def inserter(engine: sa.Engine) -> Insert:
    """The insert function for this dialect."""
    insert_sample = sample_insert(engine.dialect.name)

    def insert(connection: sa.Connection, line_id: int, ids: Mapping[str, int], kind: str, rows: Sequence[Row]) -> int:
        if kind == SAMPLE:
            return _insert_samples(connection, insert_sample, ids, rows)
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
        else:
            connection.execute(schema.metadata.tables[kind].insert(), records)
        return 0

    return insert


def sample_insert(dialect: str) -> sa.Insert:
    """INSERT of a sample that leaves a row alone that is there already."""
    if dialect == "sqlite":
        return sqlite.insert(schema.sample).on_conflict_do_nothing()
    if dialect == "postgresql":
        return postgresql.insert(schema.sample).on_conflict_do_nothing()
    return schema.sample.insert()  # a duplicate then ends in quarantine; batch numbers prevent all but odd ones


def _insert_samples(
    connection: sa.Connection, statement: sa.Insert, ids: Mapping[str, int], rows: Sequence[Row]
) -> int:
    records = [
        {"tag_id": ids[tag], "time_us": time_us, "value": value, "text": text, "status": status}
        for tag, time_us, value, text, status in rows
    ]
    result = connection.execute(statement, records, execution_options={"preserve_rowcount": True})
    return len(records) - result.rowcount if 0 <= result.rowcount <= len(records) else 0


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
