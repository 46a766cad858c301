"""Blocks and chunks in the database: how they are written and found."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from linecontrol.history import schema
from linecontrol.history.decode import WHOLE, Piece, SharedTimes, Stretch, rows_of, rows_of_each
from linecontrol.history.seal import Block, Chunk
from linecontrol.history.series import Packed, Series
from linecontrol.history.statements import Connection, Question, number

_chunk, _block = schema.chunk, schema.block

_PLACE = [
    _chunk.c[name]
    for name in (
        "tag_id",
        "block_id",
        "axis",
        "start_us",
        "end_us",
        "count",
        "times_bytes",
        "values_bytes",
        "notes_bytes",
        "offset",
    )
]
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
_PLACES = Question(_reaching(*_PLACE).limit(number("most")))
_COUNTS = Question(_reaching(_chunk.c.start_us, _chunk.c.end_us, _chunk.c.count))
_OF_BLOCK = Question(
    sa.select(*_PLACE).where(
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
_ANY_FRESH = Question(
    sa.select(schema.tail.c.id).where(schema.tail.c.line_id == _LINE, schema.tail.c.start_us < _END).limit(1)
)
_MOST = 2**31 - 1


class Found(NamedTuple):
    """A chunk as it was found."""

    tag_id: int
    block_id: int
    axis: int | None
    start_us: int
    end_us: int
    length: int
    packed: Packed


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


def tail_rows(
    connection: Connection, line_id: int, start_us: int | None = None, end_us: int | None = None
) -> list[Any]:
    """(samples, texts) of the tail in the order they were committed, all that may hold rows in [start_us, end_us)."""
    start_us = _ALWAYS_US if start_us is None else start_us
    end_us = _NEVER_US if end_us is None else end_us
    return _TAIL.ask(connection, line=line_id, start=start_us, end=end_us)


def has_fresh(connection: Connection, line_id: int, before_us: int | None) -> bool:
    """Does the tail hold anything from before this time (None: anything at all)? Soon told where it does."""
    return bool(_ANY_FRESH.ask(connection, line=line_id, end=_NEVER_US if before_us is None else before_us))


# -- chunks


def each(connection: Connection, found: Sequence[Found]) -> list[Series]:
    """Each chunk as a series of its own, whole."""
    return [rows_of([piece], WHOLE) for _, piece in pieces_of(connection, found)]


def series_of(connection: Connection, found: Sequence[Found], stretch: Stretch | None = None) -> dict[int, Series]:
    """The chunks (in the order of time) as one series for each tag, of all or of a stretch of time."""
    stretch = stretch or WHOLE
    axes = _axes(connection, found)
    by_tag: dict[int, list[Piece]] = {}
    for tag_id, block_id, axis, start_us, end_us, length, packed in found:
        piece = Piece(packed, axes.get((block_id, axis)), start_us, end_us, length)
        mine = by_tag.get(tag_id)
        if mine is None:
            by_tag[tag_id] = [piece]
        else:
            mine.append(piece)
    return rows_of_each(by_tag, stretch)


def pieces_of(connection: Connection, found: Sequence[Found]) -> list[tuple[int, Piece]]:
    """Each with its tag, in their order; to be asked about one stretch of time."""
    axes = _axes(connection, found)
    return [
        (tag_id, Piece(packed, axes.get((block_id, axis)), start_us, end_us, length))
        for tag_id, block_id, axis, start_us, end_us, length, packed in found
    ]


def _axes(connection: Connection, found: Sequence[Found]) -> dict[tuple[int, int | None], SharedTimes]:
    """By block and number, of the blocks in which these chunks lie."""
    axes: dict[tuple[int, int | None], SharedTimes] = {}
    wanted = {chunk.block_id for chunk in found if chunk.axis is not None}
    if wanted:  # the blocks of one question are neighbours, but for those of other lines between them
        for block_id, number, times in _AXES.ask(connection, first=min(wanted), last=max(wanted)):
            if block_id in wanted:
                axes[block_id, number] = SharedTimes(times)
    return axes


def _found(row: Sequence[Any], data: bytes, at: int) -> Found:
    """A row of ``_PLACE``; its columns lie in ``data`` from ``at`` on."""
    middle = at + row[6]
    end = middle + row[7]
    notes = data[end : end + row[8]] if row[8] else None
    return Found(row[0], row[1], row[2], row[3], row[4], row[5], Packed(data[at:middle], data[middle:end], notes))


def _stretch(tag_id: int, start_us: int, end_us: int | None) -> dict[str, int]:
    return {"tag": tag_id, "start": start_us, "end": _NEVER_US if end_us is None else end_us}


def of_tag(
    connection: Connection, tag_id: int, start_us: int, end_us: int | None, most: int | None = None
) -> list[Found]:
    """Chunks with rows in [start_us, end_us), and the last before it; oldest first, at most ``most``."""
    asked = {**_stretch(tag_id, start_us, end_us), "most": _MOST if most is None else most}
    base = connection if isinstance(connection, sqlite3.Connection) else connection.connection.driver_connection
    if isinstance(base, sqlite3.Connection):
        return read_parts(base, _PLACES.ask(connection, **asked))
    return [_found(row, row[10], 0) for row in _OF_TAG.ask(connection, **asked)]


def places_of_tag(base: sqlite3.Connection, tag_id: int, start_us: int, end_us: int | None) -> list[tuple[Any, ...]]:
    """Where the same chunks lie, without their columns, for ``read_parts``."""
    return _PLACES.ask(base, **_stretch(tag_id, start_us, end_us), most=_MOST)


def key_of(place: Sequence[Any]) -> tuple[int, int, int, int, int]:
    """Tag, block, start, end and rows of a chunk: other ones mean that late rows were put into it."""
    return place[0], place[1], place[3], place[4], place[5]


def read_parts(base: sqlite3.Connection, places: Sequence[Sequence[Any]]) -> list[Found]:
    """The chunks that lie in these places."""
    return [_read_part(base, place) for place in places]


def _read_part(base: sqlite3.Connection, row: Sequence[Any]) -> Found:
    """SQLite's substr would read all of a block for a part of it."""
    with base.blobopen("block", "data", row[1], readonly=True) as data:
        data.seek(row[9])
        return _found(row, data.read(row[6] + row[7] + row[8]), 0)


def counts_of_tag(connection: Connection, tag_id: int, start_us: int, end_us: int | None) -> Iterable[Any]:
    """start_us, end_us and count of the same chunks."""
    return _COUNTS.ask(connection, **_stretch(tag_id, start_us, end_us))


def of_block(connection: Connection, line_id: int, block_id: int, wanted: Collection[int] | None = None) -> list[Found]:
    """The chunks of these tags (None: all of them) in a block."""
    data = _DATA.ask(connection, block=block_id)
    if not data:
        return []
    first, last = (0, _MOST) if not wanted else (min(wanted), max(wanted))
    rows = _OF_BLOCK.ask(connection, line=line_id, block=block_id, first=first, last=last)
    whole: bytes = data[0][0]
    return [_found(row, whole, row[9]) for row in rows if wanted is None or row[0] in wanted]


def rollups_of_block(
    connection: Connection, line_id: int, block_id: int, ids: Sequence[int]
) -> dict[int, tuple[Any, ...]]:
    """Roll-up of each of these tags in a block: its id, and the columns ``_ROLLUP``. No tag that has no rows in it."""
    wanted = {*ids}  # all of a block's tags between the first and the last are looked at
    rows = _ROLLUPS.ask(connection, line=line_id, block=block_id, first=min(ids), last=max(ids))
    return {row[0]: row for row in rows if row[0] in wanted}
