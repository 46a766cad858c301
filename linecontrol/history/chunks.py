"""Blocks and chunks in the database: how they are written and found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from linecontrol.history import schema, series
from linecontrol.history.numbers import Ints, unpack_ints
from linecontrol.history.seal import Block, Chunk
from linecontrol.history.series import Rollup, Series

_chunk, _block = schema.chunk, schema.block

_PLACE = [_chunk.c[name] for name in ("tag_id", "block_id", "axis", "times_bytes", "values_bytes", "notes_bytes")]
_LENGTH = _chunk.c.times_bytes + _chunk.c.values_bytes + _chunk.c.notes_bytes
_ROLLUP = [
    _chunk.c[name]
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

Found = tuple[int, int, int | None, series.Packed]
"""Tag, block, axis and samples of a chunk."""


# -- writing


def insert_block(connection: sa.Connection, line_id: int, block: Block) -> int:
    """Write a sealed block; returns its id. The caller's transaction."""
    head = {"line_id": line_id, "start_us": block.start_us, "end_us": block.end_us, "rows": block.rows}
    data = b"".join(part for chunk in block.chunks for part in parts_of(chunk))
    made = connection.execute(_block.insert(), {**head, "data": data}).inserted_primary_key
    assert made is not None  # noqa: S101 - the table counts up by itself
    block_id = int(made[0])
    if block.axes:
        axes = [{"block_id": block_id, "number": a.number, "count": a.count, "times": a.times} for a in block.axes]
        connection.execute(schema.axis.insert(), axes)
    records, offset = [], 0
    for chunk in block.chunks:
        records.append(chunk_record(line_id, block_id, offset, chunk))
        offset += sum(map(len, parts_of(chunk)))
    connection.execute(_chunk.insert(), records)
    return block_id


def parts_of(chunk: Chunk) -> tuple[bytes, bytes, bytes]:
    """What a chunk adds to the data of its block."""
    return chunk.packed.times, chunk.packed.data, chunk.packed.notes or b""


def chunk_record(line_id: int, block_id: int, offset: int, chunk: Chunk) -> dict[str, Any]:
    """A chunk as a row of its table. ``offset``: where in the block's data it begins."""
    times, values, notes = map(len, parts_of(chunk))
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
        "offset": offset,
        "times_bytes": times,
        "values_bytes": values,
        "notes_bytes": notes,
    }


def make_partition(connection: sa.Connection, line_id: int) -> None:
    """In PostgreSQL the chunks of every line lie in a table of their own."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(
            f"CREATE TABLE IF NOT EXISTS chunk_line_{line_id} PARTITION OF chunk FOR VALUES IN ({line_id})"
        )


# -- the tail


def tail_rows(connection: sa.Connection, line_id: int, start_us: int | None = None, end_us: int | None = None) -> Any:
    """(samples, texts) of the tail in the order they were committed, all that may hold rows in [start_us, end_us)."""
    table = schema.tail
    query = sa.select(table.c.samples, table.c.texts).where(table.c.line_id == line_id).order_by(table.c.id)
    if start_us is not None:
        query = query.where(table.c.end_us >= start_us)
    if end_us is not None:
        query = query.where(table.c.start_us < end_us)
    return connection.execute(query).all()


# -- chunks


def series_of(connection: sa.Connection, found: Sequence[Found]) -> dict[int, list[Series]]:
    """The chunks as series by tag, in their order."""
    axes = _axes(connection, {block_id for _, block_id, axis, _ in found if axis is not None})
    answer: dict[int, list[Series]] = {}
    for tag_id, block_id, number, packed in found:
        axis = None if number is None else axes[block_id, number]
        answer.setdefault(tag_id, []).append(series.unpack(packed, axis))
    return answer


def _axes(connection: sa.Connection, blocks: Iterable[int]) -> Mapping[tuple[int, int], Ints]:
    axes: dict[tuple[int, int], Ints] = {}
    table, wanted = schema.axis, sorted(blocks)
    for at in range(0, len(wanted), 500):
        query = sa.select(table.c.block_id, table.c.number, table.c.times)
        for block_id, number, times in connection.execute(query.where(table.c.block_id.in_(wanted[at : at + 500]))):
            axes[block_id, number] = unpack_ints(times)
    return axes


def _packed(data: bytes, at: int, times: int, values: int, notes: int) -> series.Packed:
    middle, end = at + times, at + times + values
    return series.Packed(data[at:middle], data[middle:end], data[end : end + notes] if notes else None)


def _reaching(columns: Sequence[Any], tag_id: int, start_us: int, end_us: int | None) -> sa.Select[Any]:
    """Chunks of a tag that reach into [start_us, end_us), or the last before it; oldest first."""
    since = (
        sa.select(sa.func.max(_chunk.c.start_us))
        .where(_chunk.c.tag_id == tag_id, _chunk.c.start_us <= start_us)
        .scalar_subquery()
    )
    query = sa.select(*columns).where(_chunk.c.tag_id == tag_id, _chunk.c.start_us >= sa.func.coalesce(since, start_us))
    if end_us is not None:
        query = query.where(_chunk.c.start_us < end_us)
    return query.order_by(_chunk.c.start_us)


def of_tag(
    connection: sa.Connection, tag_id: int, start_us: int, end_us: int | None, most: int | None = None
) -> list[Found]:
    """Chunks with rows in [start_us, end_us), and the last before it; oldest first, at most ``most``."""
    part = sa.func.substr(_block.c.data, _chunk.c.offset + 1, _LENGTH, type_=sa.LargeBinary)
    query = _reaching([*_PLACE, part], tag_id, start_us, end_us).join(_block, _block.c.id == _chunk.c.block_id)
    rows = connection.execute(query if most is None else query.limit(most))
    return [(row[0], row[1], row[2], _packed(row[6], 0, row[3], row[4], row[5])) for row in rows]


def counts_of_tag(connection: sa.Connection, tag_id: int, start_us: int, end_us: int | None) -> Iterable[Any]:
    """start_us, end_us and count of the same chunks, as they are taken."""
    return connection.execute(_reaching((_chunk.c.start_us, _chunk.c.end_us, _chunk.c.count), tag_id, start_us, end_us))


def of_block(connection: sa.Connection, line_id: int, block_id: int) -> list[Found]:
    """All chunks of a block."""
    data = connection.execute(sa.select(_block.c.data).where(_block.c.id == block_id)).scalar()
    if data is None:
        return []
    query = sa.select(*_PLACE, _chunk.c.offset).where(_chunk.c.line_id == line_id, _chunk.c.block_id == block_id)
    rows = connection.execute(query)
    return [(row[0], row[1], row[2], _packed(data, row[6], row[3], row[4], row[5])) for row in rows]


def rollups(connection: sa.Connection, line_id: int, blocks: Sequence[int], ids: Sequence[int]) -> dict[int, list[Any]]:
    """Chunks of these tags in these blocks without their samples, by tag, oldest first."""
    found: dict[int, list[Any]] = {}
    query = sa.select(_chunk.c.tag_id, *_ROLLUP).where(
        _chunk.c.line_id == line_id,
        _chunk.c.block_id >= min(blocks),
        _chunk.c.block_id <= max(blocks),
        _chunk.c.tag_id.in_(ids),
    )
    wanted = set(blocks)
    for row in connection.execute(query.add_columns(_chunk.c.block_id)):
        if row.block_id in wanted:
            found.setdefault(row.tag_id, []).append(row)
    for rows in found.values():
        rows.sort(key=lambda row: row.start_us)
    return found


def rollup_of(row: Any) -> Rollup:
    return Rollup(row.count, row.numbers, row.low, row.high, row.weight_us, row.integral)
