"""Carries rows of the table ``sample`` (schemas 0001 to 0004) over into chunks. For migration 0005 only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from linecontrol.history.before_chunks import series_of
from linecontrol.history.chunks import insert_block, make_partition
from linecontrol.history.seal import seal

_SPAN_US = 3_600_000_000
_sample = sa.table("sample", *(sa.column(name) for name in ("tag_id", "time_us", "value", "status", "text")))
_tag = sa.table("tag", *(sa.column(name) for name in ("id", "line_id", "station")))
_line = sa.table("line", sa.column("id"))


def carry_samples(connection: sa.Connection) -> int:
    """An hour of one line at a time, whatever the size of the history. Returns how many rows there were."""
    carried = 0
    for line_id in connection.execute(sa.select(_line.c.id).order_by(_line.c.id)).scalars().all():
        make_partition(connection, line_id)
        tags = connection.execute(sa.select(_tag.c.id, _tag.c.station).where(_tag.c.line_id == line_id)).all()
        stations = {row.id: row.station for row in tags}
        for start_us in _hours(connection, list(stations)):
            series = {}
            for tag_id in stations:
                rows = _rows(connection, tag_id, start_us)
                if rows:
                    series[tag_id] = series_of(rows)
            block = seal(series, stations)
            insert_block(connection, line_id, block)
            carried += block.rows
    return carried


def _hours(connection: sa.Connection, tags: Sequence[int]) -> Iterator[int]:
    """Where each hour begins that holds rows."""
    at_us = -(2**62)
    while True:
        nexts = [
            connection.execute(
                sa.select(sa.func.min(_sample.c.time_us)).where(_sample.c.tag_id == tag, _sample.c.time_us >= at_us)
            ).scalar()
            for tag in tags
        ]
        found = [time_us for time_us in nexts if time_us is not None]
        if not found:
            return
        start_us = min(found)
        yield start_us
        at_us = start_us + _SPAN_US


def _rows(connection: sa.Connection, tag_id: int, start_us: int) -> Sequence[Any]:
    columns = sa.select(_sample.c.time_us, _sample.c.value, _sample.c.status, _sample.c.text)
    inside = (_sample.c.tag_id == tag_id, _sample.c.time_us >= start_us, _sample.c.time_us < start_us + _SPAN_US)
    return connection.execute(columns.where(*inside).order_by(_sample.c.time_us)).all()
