"""What a history takes on disk, and for how long there is room."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from linecontrol.history import schema
from linecontrol.history.rows import seconds

_DAY_US = 86_400_000_000
_RATE_DAYS = 7.0


@dataclass(frozen=True, slots=True)
class TagStats:
    """One tag's compressed samples. ``bytes`` is their columns, without what a database adds."""

    tag: str
    unit: str
    rows: int
    bytes: int

    @property
    def bytes_per_row(self) -> float | None:
        return self.bytes / self.rows if self.rows else None


@dataclass(frozen=True, slots=True)
class HistoryStats:
    """Samples of one line, and the database they lie in.

    Attributes:
        rows, bytes: of all sealed chunks, axes included; tail_rows, tail_bytes: still in the tail, not compressed.
        first, last: line time of the oldest and newest sample [s]; None = none.
        database_bytes: of the whole database, all lines and journals; free_bytes: of these, free to be written again.
        bytes_per_day: what a day of samples took, of the newest seven days; None before there is one block.
        disk_free_bytes: on the disk of the database; None for a server.
        archived_rows: of ``rows``, those that lie in an archive as well.
    """

    line: str
    rows: int
    bytes: int
    blocks: int
    tail_rows: int
    tail_bytes: int
    first: float | None
    last: float | None
    database_bytes: int
    free_bytes: int
    bytes_per_day: float | None
    disk_free_bytes: int | None
    archived_rows: int
    quarantined: int
    tags: tuple[TagStats, ...]

    @property
    def bytes_per_row(self) -> float | None:
        """Bytes a stored sample takes, compressed."""
        return self.bytes / self.rows if self.rows else None

    @property
    def days_kept(self) -> float:
        return 0.0 if self.first is None or self.last is None else (self.last - self.first) / 86_400.0

    @property
    def days_left(self) -> float | None:
        """Days until the disk is full, if every day is like the newest; None when that cannot be said."""
        if self.disk_free_bytes is None or not self.bytes_per_day:
            return None
        return (self.disk_free_bytes + self.free_bytes) / self.bytes_per_day


def stats_of(connection: sa.Connection, line_id: int, path: Path | None) -> HistoryStats:
    """``path``: the file of an SQLite history."""
    block, tail = schema.block, schema.tail
    heads = sa.select(
        sa.func.count(block.c.id),
        sa.func.sum(block.c.rows),
        sa.func.min(block.c.start_us),
        sa.func.max(block.c.end_us),
        sa.func.sum(sa.case((block.c.archive.is_not(None), block.c.rows), else_=0)),
    )
    blocks, rows, first, last, archived = connection.execute(heads.where(block.c.line_id == line_id)).one()
    fresh = sa.select(
        sa.func.sum(tail.c.rows),
        sa.func.sum(sa.func.length(tail.c.samples)),
        sa.func.min(tail.c.start_us),
        sa.func.max(tail.c.end_us),
    )
    tail_rows, tail_bytes, tail_first, tail_last = connection.execute(fresh.where(tail.c.line_id == line_id)).one()
    firsts = [time_us for time_us in (first, tail_first) if time_us is not None]
    lasts = [time_us for time_us in (last, tail_last) if time_us is not None]
    tags = _tags(connection, line_id)
    set_aside = sa.select(sa.func.count()).where(schema.quarantine.c.line_id == line_id)
    whole, free = _database_bytes(connection)
    line = connection.execute(sa.select(schema.line.c.name).where(schema.line.c.id == line_id)).scalar_one()
    return HistoryStats(
        line=line,
        rows=int(rows or 0),
        bytes=sum(tag.bytes for tag in tags) + _axis_bytes(connection, line_id, None),
        blocks=blocks,
        tail_rows=int(tail_rows or 0),
        tail_bytes=int(tail_bytes or 0),
        first=seconds(min(firsts)) if firsts else None,
        last=seconds(max(lasts)) if lasts else None,
        database_bytes=whole,
        free_bytes=free,
        bytes_per_day=_per_day(connection, line_id),
        disk_free_bytes=None if path is None else shutil.disk_usage(path.absolute().parent).free,
        archived_rows=int(archived or 0),
        quarantined=int(connection.execute(set_aside).scalar_one()),
        tags=tags,
    )


def _chunk_bytes() -> sa.ColumnElement[int]:
    chunk = schema.chunk
    return sa.func.sum(chunk.c.times_bytes + chunk.c.values_bytes + chunk.c.notes_bytes)


def _tags(connection: sa.Connection, line_id: int) -> tuple[TagStats, ...]:
    chunk, tag = schema.chunk, schema.tag
    query = (
        sa.select(tag.c.name, tag.c.unit, sa.func.sum(chunk.c.count), _chunk_bytes())
        .join(chunk, chunk.c.tag_id == tag.c.id)
        .where(chunk.c.line_id == line_id)
        .group_by(tag.c.id, tag.c.name, tag.c.unit)
        .order_by(tag.c.id)
    )
    return tuple(TagStats(name, unit, int(rows), int(size)) for name, unit, rows, size in connection.execute(query))


def _axis_bytes(connection: sa.Connection, line_id: int, since_us: int | None) -> int:
    axis, block = schema.axis, schema.block
    query = sa.select(sa.func.sum(sa.func.length(axis.c.times))).join(block, block.c.id == axis.c.block_id)
    query = query.where(block.c.line_id == line_id)
    if since_us is not None:
        query = query.where(block.c.start_us >= since_us)
    return int(connection.execute(query).scalar() or 0)


def _per_day(connection: sa.Connection, line_id: int) -> float | None:
    """Of the newest days; a recording that began less than a day ago is taken for as long as it is."""
    block, chunk = schema.block, schema.chunk
    newest = connection.execute(sa.select(sa.func.max(block.c.end_us)).where(block.c.line_id == line_id)).scalar()
    if newest is None:
        return None
    since_us = int(newest - _RATE_DAYS * _DAY_US)
    inside = sa.select(block.c.id).where(block.c.line_id == line_id, block.c.start_us >= since_us)
    start = sa.select(sa.func.min(block.c.start_us)).where(block.c.line_id == line_id, block.c.start_us >= since_us)
    size = sa.select(_chunk_bytes()).where(chunk.c.line_id == line_id, chunk.c.block_id.in_(inside))
    first = connection.execute(start).scalar()
    if first is None or newest <= first:
        return None
    total = int(connection.execute(size).scalar() or 0) + _axis_bytes(connection, line_id, since_us)
    return float(total * _DAY_US / (newest - first))


def _database_bytes(connection: sa.Connection) -> tuple[int, int]:
    """Size of the database, and what of it is free."""
    if connection.dialect.name == "sqlite":
        pages, free, size = (
            int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
            for name in ("page_count", "freelist_count", "page_size")
        )
        return pages * size, free * size
    if connection.dialect.name == "postgresql":
        return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one()), 0
    return 0, 0
