"""Blocks and chunks in the database: how they are written and found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from linecontrol.history import schema, series, tail
from linecontrol.history.numbers import Ints, unpack_ints
from linecontrol.history.seal import Block, Chunk
from linecontrol.history.series import Rollup, Series


def insert_block(connection: sa.Connection, line_id: int, block: Block) -> int:
    """Write a sealed block; returns its id. The caller's transaction."""
    head = {"line_id": line_id, "start_us": block.start_us, "end_us": block.end_us, "rows": block.rows}
    made = connection.execute(schema.block.insert(), head).inserted_primary_key
    assert made is not None  # noqa: S101 - the table counts up by itself
    block_id = int(made[0])
    if block.axes:
        axes = [{"block_id": block_id, "number": a.number, "count": a.count, "times": a.times} for a in block.axes]
        connection.execute(schema.axis.insert(), axes)
    records = [chunk_record(line_id, block_id, chunk) for chunk in block.chunks]
    connection.execute(schema.chunk.insert(), records)
    return block_id


def chunk_record(line_id: int, block_id: int, chunk: Chunk) -> dict[str, Any]:
    """A chunk as a row of its table."""
    return {
        "line_id": line_id,
        "block_id": block_id,
        "tag_id": chunk.tag_id,
        "start_us": chunk.start_us,
        "end_us": chunk.end_us,
        "count": chunk.rollup.rows,
        "numbers": chunk.rollup.numbers,
        "low": chunk.rollup.low,
        "high": chunk.rollup.high,
        "weight_us": chunk.rollup.weight_us,
        "integral": chunk.rollup.integral,
        "last": chunk.last,
        "last_status": chunk.last_status,
        "axis": chunk.axis,
        "times": chunk.packed.times,
        "data": chunk.packed.data,
        "notes": chunk.packed.notes,
    }


def make_partition(connection: sa.Connection, line_id: int) -> None:
    """In PostgreSQL the chunks of every line lie in a table of their own."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(
            f"CREATE TABLE IF NOT EXISTS chunk_line_{line_id} PARTITION OF chunk FOR VALUES IN ({line_id})"
        )


def tail_rows(connection: sa.Connection, line_id: int, start_us: int | None = None, end_us: int | None = None) -> Any:
    """(samples, texts) of the tail in the order they were committed, all that may hold rows in [start_us, end_us)."""
    table = schema.tail
    query = sa.select(table.c.samples, table.c.texts).where(table.c.line_id == line_id).order_by(table.c.id)
    if start_us is not None:
        query = query.where(table.c.end_us >= start_us)
    if end_us is not None:
        query = query.where(table.c.start_us < end_us)
    return connection.execute(query).all()


_DATA = [schema.chunk.c[name] for name in ("tag_id", "block_id", "axis", "times", "data", "notes")]
_ROLLUP = [
    schema.chunk.c[name]
    for name in (
        "start_us",
        "end_us",
        "count",
        "numbers",
        "low",
        "high",
        "weight_us",
        "integral",
        "last",
        "last_status",
    )
]


def series_of(rows: Iterable[Any], axes: Mapping[tuple[int, int], Ints]) -> dict[int, list[Series]]:
    """The chunks in ``rows`` (columns ``_DATA``) as series by tag, in their order."""
    found: dict[int, list[Series]] = {}
    for tag_id, block_id, number, times, data, notes in rows:
        axis = None if number is None else axes[block_id, number]
        part = series.unpack(series.Packed(times, data, notes), axis)
        found.setdefault(tag_id, []).append(part)
    return found


def read_axes(connection: sa.Connection, rows: Iterable[Any]) -> dict[tuple[int, int], Ints]:
    """The axes that these chunks (columns ``_DATA``) need."""
    blocks = sorted({row[1] for row in rows if row[2] is not None})
    axes: dict[tuple[int, int], Ints] = {}
    table = schema.axis
    for at in range(0, len(blocks), 500):
        query = sa.select(table.c.block_id, table.c.number, table.c.times)
        for block_id, number, times in connection.execute(query.where(table.c.block_id.in_(blocks[at : at + 500]))):
            axes[block_id, number] = unpack_ints(times)
    return axes


_Columns = Sequence[sa.ColumnElement[Any]]


def _reaching(columns: _Columns, tag_id: int, start_us: int, end_us: int | None) -> sa.Select[Any]:
    """Chunks of a tag that reach into [start_us, end_us), or the last before it; oldest first."""
    chunk = schema.chunk
    since = (
        sa.select(sa.func.max(chunk.c.start_us))
        .where(chunk.c.tag_id == tag_id, chunk.c.start_us <= start_us)
        .scalar_subquery()
    )
    query = sa.select(*columns).where(chunk.c.tag_id == tag_id, chunk.c.start_us >= sa.func.coalesce(since, start_us))
    if end_us is not None:
        query = query.where(chunk.c.start_us < end_us)
    return query.order_by(chunk.c.start_us)


def of_tag(connection: sa.Connection, tag_id: int, start_us: int, end_us: int | None) -> Sequence[Any]:
    """Chunks (columns ``_DATA``) with rows in [start_us, end_us), and the last before it; oldest first."""
    return connection.execute(_reaching(_DATA, tag_id, start_us, end_us)).all()


def counts_of_tag(connection: sa.Connection, tag_id: int, start_us: int, end_us: int | None) -> Iterable[Any]:
    """start_us, end_us and count of the same chunks, as they are taken."""
    chunk = schema.chunk
    return connection.execute(_reaching((chunk.c.start_us, chunk.c.end_us, chunk.c.count), tag_id, start_us, end_us))


def rollups_of_tag(connection: sa.Connection, tag_id: int, start_us: int, end_us: int) -> Sequence[Any]:
    """The same chunks without their samples."""
    return connection.execute(_reaching(_ROLLUP, tag_id, start_us, end_us)).all()


def of_block(connection: sa.Connection, line_id: int, block_id: int) -> Sequence[Any]:
    """All chunks (columns ``_DATA``) of a block."""
    chunk = schema.chunk
    query = sa.select(*_DATA).where(chunk.c.line_id == line_id, chunk.c.block_id == block_id)
    return connection.execute(query).all()


def records_of_tag(rows: Iterable[tuple[bytes, str | None]], tag_id: int) -> Series:
    records, texts = tail.unpack(rows)
    return tail.of_tag(records, texts, tag_id)


def rollup_of(row: Any) -> Rollup:
    return Rollup(row.count, row.numbers, row.low, row.high, row.weight_us, row.integral)
