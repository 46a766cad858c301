"""How rows of each kind go into their tables. The one writing place that knows that a sample is a row."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from linecontrol.history import schema
from linecontrol.history.chain import CHAINED, Link, link_of
from linecontrol.history.rows import ALARM, BAG, COLUMNS, LAB, LOT, RECIPE, RUN, SAMPLE, Row

Insert = Callable[[sa.Connection, int, Mapping[str, int], str, Sequence[Row], list[Link]], int]
"""(connection, line id, tag ids, kind, rows, links) -> how many of the rows the database had already.

What became evidence is added to ``links``.
"""


def inserter(engine: sa.Engine) -> Insert:
    """The insert function for this dialect."""
    insert_sample = sample_insert(engine.dialect.name)

    def insert(
        connection: sa.Connection,
        line_id: int,
        ids: Mapping[str, int],
        kind: str,
        rows: Sequence[Row],
        links: list[Link],
    ) -> int:
        if kind == SAMPLE:
            return _insert_samples(connection, insert_sample, ids, rows)
        records = [{"line_id": line_id, **dict(zip(COLUMNS[kind], row, strict=True))} for row in rows]
        if kind in (RUN, BAG):
            for record in records:
                links += _replace(connection, kind, record)
        elif kind in (RECIPE, LAB, LOT):
            for record in records:
                links += _insert_once(connection, kind, record)
        elif kind == ALARM:
            for record in records:
                _upsert_alarm(connection, record)
        elif kind in CHAINED:
            links += _insert_evidence(connection, kind, records)
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


def _replace(connection: sa.Connection, kind: str, record: dict[str, Any]) -> list[Link]:
    """Write a row over what is there of it; a link only where the evidence has changed."""
    table, key = schema.metadata.tables[kind], CHAINED[kind].key
    mine = sa.and_(table.c.line_id == record["line_id"], table.c[key] == record[key])
    columns = COLUMNS[kind]
    before = connection.execute(sa.select(*(table.c[name] for name in columns)).where(mine)).first()
    if before is None:
        connection.execute(table.insert(), record)
    else:
        connection.execute(table.update().where(mine), record)
    if kind == BAG and record["closed_us"] is not None:
        _index_lots(connection, record)
    link = link_of(kind, record)
    old = None if before is None else link_of(kind, dict(zip(columns, before, strict=True)))
    return [] if link == old else [link]


def _index_lots(connection: sa.Connection, record: dict[str, Any]) -> None:
    table, place = schema.bag_lot, {"line_id": record["line_id"], "bag_id": record["bag_id"]}
    connection.execute(table.delete().where(table.c.line_id == place["line_id"], table.c.bag_id == place["bag_id"]))
    lots = [{**place, "lot_id": lot, "share": share, "kg": kg} for lot, share, kg in json.loads(record["lots"])]
    if lots:
        connection.execute(table.insert(), lots)


def _insert_once(connection: sa.Connection, kind: str, record: dict[str, Any]) -> list[Link]:
    """A row with a name of its own; entered again under the same name, it is kept once."""
    table, key = schema.metadata.tables[kind], CHAINED[kind].key
    mine = sa.and_(table.c.line_id == record["line_id"], table.c[key] == record[key])
    if connection.execute(sa.select(table.c[key]).where(mine)).scalar() is not None:
        return []
    connection.execute(table.insert(), record)
    return [link_of(kind, record)]


def _insert_evidence(connection: sa.Connection, kind: str, records: list[dict[str, Any]]) -> list[Link]:
    """Rows that are only ever added, numbered by the database."""
    table, key = schema.metadata.tables[kind], CHAINED[kind].key
    if key != "id":
        connection.execute(table.insert(), records)
        return [link_of(kind, record) for record in records]
    statement = table.insert().returning(table.c.id, sort_by_parameter_order=True)
    numbers = connection.execute(statement, records).scalars().all()
    return [link_of(kind, {**record, "id": number}) for record, number in zip(records, numbers, strict=True)]


def _upsert_alarm(connection: sa.Connection, record: dict[str, Any]) -> None:
    alarm = schema.alarm
    key = sa.and_(alarm.c.line_id == record["line_id"], alarm.c.name == record["name"])
    if not connection.execute(alarm.update().where(key), record).rowcount:
        connection.execute(alarm.insert(), record)
