"""Blocks and chunks in the database: how they are written and found."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from linecontrol.history import schema, series
from linecontrol.history.numbers import Ints, unpack_ints
from linecontrol.history.seal import Block, Chunk
from linecontrol.history.series import Series
from linecontrol.history.statements import Question, number

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

_ALWAYS_US, _NEVER_US = -(2**62), 2**62
_TAG, _BLOCK, _LINE, _START, _END = map(number, ("tag", "block", "line", "start", "end"))
_FIRST, _LAST = number("first"), number("last")


def _reaching(*columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """Chunks of a tag that reach into [start, end), and the last before it; oldest first."""
    since = (
        sa.select(sa.func.max(_chunk.c.start_us))
        .where(_chunk.c.tag_id == _TAG, _chunk.c.start_us <= _START)
        .scalar_subquery()
    )
    inside = (_chunk.c.start_us >= sa.func.coalesce(since, _START), _chunk.c.start_us < _END)
    return sa.select(*columns).where(_chunk.c.tag_id == _TAG, *inside).order_by(_chunk.c.start_us)


_PART = sa.func.substr(_block.c.data, _chunk.c.offset + 1, _LENGTH, type_=sa.LargeBinary)
_OF_TAG = Question(_reaching(*_PLACE, _PART).join(_block, _block.c.id == _chunk.c.block_id).limit(number("most")))
_PLACES = Question(_reaching(*_PLACE, _chunk.c.offset).limit(number("most")))
_COUNTS = _reaching(_chunk.c.start_us, _chunk.c.end_us, _chunk.c.count)
_OF_BLOCK = Question(
    sa.select(*_PLACE, _chunk.c.offset).where(
        _chunk.c.line_id == _LINE, _chunk.c.block_id == _BLOCK, _chunk.c.tag_id >= _FIRST, _chunk.c.tag_id <= _LAST
    )
)
_DATA = Question(sa.select(_block.c.data).where(_block.c.id == _BLOCK))
_AXES = Question(
    sa.select(schema.axis.c.block_id, schema.axis.c.number, schema.axis.c.times).where(
        schema.axis.c.block_id >= _FIRST, schema.axis.c.block_id <= _LAST
    )
)
_ROLLUPS = Question(
    sa.select(_chunk.c.tag_id, *_ROLLUP).where(
        _chunk.c.line_id == _LINE, _chunk.c.block_id == _BLOCK, _chunk.c.tag_id >= _FIRST, _chunk.c.tag_id <= _LAST
    )
)
_TAIL = Question(
    sa.select(schema.tail.c.samples, schema.tail.c.texts)
    .where(schema.tail.c.line_id == _LINE, schema.tail.c.end_us >= _START, schema.tail.c.start_us < _END)
    .order_by(schema.tail.c.id)
)
_MOST = 2**31 - 1

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
    start_us = _ALWAYS_US if start_us is None else start_us
    end_us = _NEVER_US if end_us is None else end_us
    return _TAIL.ask(connection, line=line_id, start=start_us, end=end_us)


# -- chunks


def series_of(connection: sa.Connection, found: Sequence[Found]) -> dict[int, list[Series]]:
    """The chunks as series by tag, in their order."""
    axes = _axes(connection, {block_id for _, block_id, axis, _ in found if axis is not None})
    answer: dict[int, list[Series]] = {}
    for tag_id, block_id, at, packed in found:
        axis = None if at is None else axes[block_id, at]
        answer.setdefault(tag_id, []).append(series.unpack(packed, axis))
    return answer


def _axes(connection: sa.Connection, blocks: Iterable[int]) -> Mapping[tuple[int, int], Ints]:
    axes: dict[tuple[int, int], Ints] = {}
    wanted = set(blocks)
    if wanted:  # the blocks of one question are neighbours, but for those of other lines between them
        for block_id, number, times in _AXES.ask(connection, first=min(wanted), last=max(wanted)):
            if block_id in wanted:
                axes[block_id, number] = unpack_ints(times)
    return axes


def _packed(data: bytes, at: int, times: int, values: int, notes: int) -> series.Packed:
    middle, end = at + times, at + times + values
    return series.Packed(data[at:middle], data[middle:end], data[end : end + notes] if notes else None)


def _stretch(tag_id: int, start_us: int, end_us: int | None) -> dict[str, int]:
    return {"tag": tag_id, "start": start_us, "end": _NEVER_US if end_us is None else end_us}


def of_tag(
    connection: sa.Connection, tag_id: int, start_us: int, end_us: int | None, most: int | None = None
) -> list[Found]:
    """Chunks with rows in [start_us, end_us), and the last before it; oldest first, at most ``most``."""
    asked = {**_stretch(tag_id, start_us, end_us), "most": _MOST if most is None else most}
    if connection.dialect.name == "sqlite":
        base = connection.connection.driver_connection
        assert base is not None  # noqa: S101 - it is open
        return [_read_part(base, row) for row in _PLACES.ask(connection, **asked)]
    rows = _OF_TAG.ask(connection, **asked)
    return [(row[0], row[1], row[2], _packed(row[6], 0, row[3], row[4], row[5])) for row in rows]


def _read_part(base: Any, row: Any) -> Found:
    """SQLite's substr would read all of a block for a part of it."""
    with base.blobopen("block", "data", row[1], readonly=True) as data:
        data.seek(row[6])
        part = data.read(row[3] + row[4] + row[5])
    return (row[0], row[1], row[2], _packed(part, 0, row[3], row[4], row[5]))


def counts_of_tag(connection: sa.Connection, tag_id: int, start_us: int, end_us: int | None) -> Iterable[Any]:
    """start_us, end_us and count of the same chunks, as they are taken."""
    return connection.execute(_COUNTS, _stretch(tag_id, start_us, end_us))


def of_block(
    connection: sa.Connection, line_id: int, block_id: int, wanted: Collection[int] | None = None
) -> list[Found]:
    """The chunks of these tags (None: all of them) in a block."""
    data = _DATA.ask(connection, block=block_id)
    if not data:
        return []
    first, last = (0, _MOST) if not wanted else (min(wanted), max(wanted))
    rows = _OF_BLOCK.ask(connection, line=line_id, block=block_id, first=first, last=last)
    return [
        (row[0], row[1], row[2], _packed(data[0][0], row[6], row[3], row[4], row[5]))
        for row in rows
        if wanted is None or row[0] in wanted
    ]


def rollups(connection: sa.Connection, line_id: int, blocks: Sequence[int], ids: Sequence[int]) -> dict[int, list[Any]]:
    """Roll-ups (the columns ``_ROLLUP``) of these tags in these blocks, by tag, oldest first."""
    found: dict[int, list[Any]] = {tag_id: [] for tag_id in ids}
    first, last = min(ids), max(ids)
    for block_id in blocks:  # one after another: all of a block's tags between the first and the last are looked at
        for row in _ROLLUPS.ask(connection, line=line_id, block=block_id, first=first, last=last):
            if row[0] in found:
                found[row[0]].append(row[1:])
    for rows in found.values():
        rows.sort(key=itemgetter(0))
    return {tag_id: rows for tag_id, rows in found.items() if rows}
