"""How rows of each kind go into their tables. The one writing place that knows that samples are packed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from linecontrol.history import chain_store, schema, tail
from linecontrol.history.chain import CHAINED, JOURNAL, Link, how_linked, link_of, tail_digest
from linecontrol.history.chain_samples import note_tail
from linecontrol.history.rows import (
    ALARM,
    BAG,
    BYPASS,
    CALIBRATION,
    COLUMNS,
    DEVIATION,
    LAB,
    LOT,
    RECIPE,
    RUN,
    VERSION,
    Row,
)

_REPLACED = (RUN, BAG, DEVIATION, CALIBRATION, BYPASS)
"""Kinds whose newest row replaces the one of the same name."""


def insert(connection: sa.Connection, line_id: int, kind: str, rows: Sequence[Row], links: list[Link]) -> None:
    """Rows of any kind but samples. What became evidence is added to ``links``."""
    records = [{"line_id": line_id, **dict(zip(COLUMNS[kind], row, strict=True))} for row in rows]
    if kind in _REPLACED:
        for record in records:
            links += _replace(connection, kind, record)
    elif kind in (RECIPE, LAB, LOT):
        for record in records:
            links += _insert_once(connection, kind, record)
    elif kind == VERSION:
        for record in records:
            links += _insert_version(connection, record)
    elif kind == ALARM:
        for record in records:
            _upsert_alarm(connection, record)
    elif kind in CHAINED or kind in JOURNAL:
        if kind in JOURNAL:
            chain_store.hold(connection, line_id)  # its rows are counted in the order of their numbers
        links += _insert_evidence(connection, kind, records)
    else:
        connection.execute(schema.metadata.tables[kind].insert(), records)


def insert_samples(
    connection: sa.Connection, line_id: int, ids: Mapping[str, int], rows: Sequence[Row], mark: tuple[str, int]
) -> tail.Packed:
    """One row of the tail; ``mark``: writer and number of the batch. Raises as ``tail.pack``."""
    packed = tail.pack(rows, ids)
    sql = _tail_sql(connection.dialect.paramstyle, connection.dialect.name)
    connection.exec_driver_sql(sql, _tail_cells(line_id, packed, mark))
    connection.exec_driver_sql(note_tail(connection.dialect.paramstyle), (line_id, line_id))
    return packed


def commit_samples(
    base: sqlite3.Connection, line_id: int, ids: Mapping[str, int], rows: Sequence[Row], mark: tuple[str, int]
) -> tail.Packed:
    """The same in SQLite, and durable at once: a statement of its own is a transaction of its own, in two thirds of
    the time that BEGIN and COMMIT take. Not within another transaction; the connection has ``NOTED_IN_SQLITE``."""
    packed = tail.pack(rows, ids)
    base.execute(_IN_SQLITE, _tail_cells(line_id, packed, mark))
    return packed


def _tail_cells(line_id: int, packed: tail.Packed, mark: tuple[str, int]) -> tuple[Any, ...]:
    cells = (*mark, packed.start_us, packed.end_us, packed.rows, packed.texts)
    return (line_id, *mark, *packed, line_id, tail_digest(cells, packed.samples))


def _tail_sql(paramstyle: str, dialect: str) -> str:
    """Written out, because building it again for every scan would take longer than executing it.

    The hash follows from the row before in the same statement, so that two writers cannot both follow the same row.
    """
    sign = "?" if paramstyle == "qmark" else "%s"
    columns = "line_id, writer, number, start_us, end_us, rows, samples, texts, hash"
    before = f"SELECT hash FROM tail WHERE line_id = {sign} ORDER BY id DESC LIMIT 1"  # noqa: S608 - ours alone
    text = f"coalesce(({before}), '') || {sign}"
    made = f"encode(sha256(convert_to({text}, 'UTF8')), 'hex')" if dialect == "postgresql" else f"text_hash({text})"
    return f"INSERT INTO tail ({columns}) VALUES ({', '.join([sign] * 8)}, {made})"  # noqa: S608 - ours alone


_IN_SQLITE = _tail_sql("qmark", "sqlite")


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
    table, key = schema.metadata.tables[kind], how_linked(kind).key
    if key != "id":
        connection.execute(table.insert(), records)
        return [link_of(kind, record) for record in records]
    statement = table.insert().returning(table.c.id, sort_by_parameter_order=True)
    numbers = connection.execute(statement, records).scalars().all()
    return [link_of(kind, {**record, "id": number}) for record, number in zip(records, numbers, strict=True)]


def _insert_version(connection: sa.Connection, record: dict[str, Any]) -> list[Link]:
    """A version is kept once; the newest becomes the run's record, in the same transaction."""
    kept, run = schema.run_version, schema.run
    mine = sa.and_(kept.c.line_id == record["line_id"], kept.c.run_id == record["run_id"])
    newest = connection.execute(sa.select(sa.func.max(kept.c.version)).where(mine)).scalar() or 0
    if connection.execute(sa.select(kept.c.version).where(mine, kept.c.version == record["version"])).first():
        return []
    connection.execute(kept.insert(), record)
    links = [link_of(VERSION, record)]
    if record["version"] > newest:
        key = sa.and_(run.c.line_id == record["line_id"], run.c.run_id == record["run_id"])
        connection.execute(run.update().where(key).values(record=record["record"]))
        changed = connection.execute(sa.select(*(run.c[name] for name in COLUMNS[RUN])).where(key)).first()
        if changed is not None:
            links.append(link_of(RUN, dict(zip(COLUMNS[RUN], changed, strict=True))))
    return links


def _upsert_alarm(connection: sa.Connection, record: dict[str, Any]) -> None:
    alarm = schema.alarm
    key = sa.and_(alarm.c.line_id == record["line_id"], alarm.c.name == record["name"])
    if not connection.execute(alarm.update().where(key), record).rowcount:
        connection.execute(alarm.insert(), record)
