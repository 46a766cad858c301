"""Recorded samples as columns: found in the tail and in the chunks, by tag and time. Reads only, one transaction each.

What a question costs depends on the stretch of time asked for and on the tail, not on how much history there is.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from linecontrol.history import chunks, schema, tail
from linecontrol.history.series import NOTHING, Rollup, Series, joined, rollup, together

_MANY = 8
"""From this many tags on, chunks are looked up by block, all tags of it at once."""

_FOREVER_US = 2**62
_OVERLAP = 4  # blocks may overlap a little, for a device may stamp one value later than another


def read(
    connection: sa.Connection, line_id: int, ids: Sequence[int], start_us: int, end_us: int | None, *, hold: bool
) -> dict[int, Series]:
    """Rows in [start_us, end_us) of each tag; with ``hold`` the last one before too, unless one is at ``start_us``."""
    fresh = chunks.tail_rows(connection, line_id, start_us, end_us)
    found = _by_block(connection, line_id, ids, start_us, end_us) if len(ids) >= _MANY else {}
    answer: dict[int, Series] = {}
    records, texts = tail.unpack(fresh)
    for tag_id in ids:
        new = tail.of_tag(records, texts, tag_id)
        parts = [*found.get(tag_id, ()), new]
        whole = joined(parts).between(start_us, end_us, hold=hold)
        if tag_id not in found or (hold and not _reaches(whole, start_us)):
            whole = _of_one(connection, line_id, tag_id, start_us, end_us, new, hold=hold)
        answer[tag_id] = whole
    return answer


def _reaches(series: Series, start_us: int) -> bool:
    return bool(len(series)) and int(series.times[0]) <= start_us


def _of_one(
    connection: sa.Connection,
    line_id: int,
    tag_id: int,
    start_us: int,
    end_us: int | None,
    new: Series,
    *,
    hold: bool,
) -> Series:
    rows = chunks.of_tag(connection, tag_id, start_us, end_us)
    old = decoded(connection, rows).get(tag_id, [])
    whole = joined([*old, new]).between(start_us, end_us, hold=hold)
    if not hold or _reaches(whole, start_us):
        return whole
    before = tail_before(connection, line_id, tag_id, start_us)
    return joined([*old, before, new]).between(start_us, end_us, hold=hold) if len(before) else whole


def tail_before(connection: sa.Connection, line_id: int, tag_id: int, time_us: int) -> Series:
    """The tag's rows of the tail before ``time_us``."""
    return chunks.records_of_tag(chunks.tail_rows(connection, line_id, None, time_us), tag_id)


def decoded(connection: sa.Connection, rows: Sequence[Any]) -> dict[int, list[Series]]:
    """The chunks in ``rows`` (the first columns are those of ``chunks``) by tag."""
    rows = [tuple(row)[:6] for row in rows]
    return chunks.series_of(rows, chunks.read_axes(connection, rows))


def _by_block(
    connection: sa.Connection, line_id: int, ids: Sequence[int], start_us: int, end_us: int | None
) -> dict[int, list[Series]]:
    """Chunks of the blocks that reach into [start_us, end_us)."""
    block = schema.block
    mine = block.c.line_id == line_id
    heads = sa.select(block.c.id, block.c.start_us, block.c.end_us)
    before = heads.where(mine, block.c.start_us <= start_us).order_by(block.c.start_us.desc()).limit(_OVERLAP)
    inside = heads.where(
        mine, block.c.start_us > start_us, block.c.start_us < (_FOREVER_US if end_us is None else end_us)
    )
    blocks = [row.id for row in connection.execute(before).all()[::-1] if row.end_us >= start_us]
    blocks += [row.id for row in connection.execute(inside.order_by(block.c.start_us))]
    found: dict[int, list[Series]] = {}
    wanted = set(ids)
    for block_id in blocks:
        rows = chunks.of_block(connection, line_id, block_id)
        for tag_id, parts in decoded(connection, [row for row in rows if row[0] in wanted]).items():
            found.setdefault(tag_id, []).extend(parts)
    return found


def first_rows(
    connection: sa.Connection, line_id: int, tag_id: int, start_us: int, end_us: int | None, limit: int, *, hold: bool
) -> Series:
    """As ``read`` of one tag, but at most ``limit`` rows from ``start_us`` on, and no more chunks than it takes."""
    until_us = end_us
    if limit < _FOREVER_US:
        count = 0
        for row in chunks.counts_of_tag(connection, tag_id, start_us, end_us):
            count += row.count if row.start_us >= start_us else 0
            if count >= limit:
                until_us = row.end_us + 1
                break
    found = read(connection, line_id, [tag_id], start_us, until_us, hold=hold)[tag_id]
    held = 1 if len(found) and found.times[0] < start_us else 0
    return found.part(0, min(len(found), limit + held))


def statistics(
    connection: sa.Connection, line_id: int, ids: Sequence[int], start_us: int, end_us: int
) -> dict[int, Rollup]:
    """What [start_us, end_us) comes to for each tag, the value held at its start included.

    Chunks that lie within it answer with their roll-up and are not decoded.
    """
    records, texts = tail.unpack(chunks.tail_rows(connection, line_id, start_us, end_us))
    answer = {}
    for tag_id in ids:
        new = tail.of_tag(records, texts, tag_id)
        answer[tag_id] = _statistics_of(connection, line_id, tag_id, start_us, end_us, new)
    return answer


def _statistics_of(
    connection: sa.Connection, line_id: int, tag_id: int, start_us: int, end_us: int, new: Series
) -> Rollup:
    rows = chunks.rollups_of_tag(connection, tag_id, start_us, end_us)
    inside = [row for row in rows if row.start_us >= start_us and row.end_us < end_us]
    if not inside or any(a.end_us >= b.start_us for a, b in itertools.pairwise(rows)):
        whole = read(connection, line_id, [tag_id], start_us, end_us, hold=True)[tag_id]
        return rollup_from(whole, start_us, end_us)
    first, last = inside[0], inside[-1]
    before = read(connection, line_id, [tag_id], start_us, first.start_us, hold=True)[tag_id]
    after = new.between(last.end_us + 1, end_us)
    if rows[-1] is not last:
        after = read(connection, line_id, [tag_id], last.end_us + 1, end_us, hold=False)[tag_id]
    parts = [rollup_from(before, start_us, first.start_us)]
    for row, following in zip(inside, [*inside[1:], None], strict=True):
        until_us = following.start_us if following is not None else int(after.times[0]) if len(after) else end_us
        parts += [chunks.rollup_of(row), _held(row, until_us)]
    parts.append(rollup(after, end_us))
    return together(parts)


def rollup_from(series: Series, start_us: int, end_us: int) -> Rollup:
    """As ``rollup``, of which nothing before ``start_us`` counts: the value that holds there begins there."""
    if not len(series) or series.times[0] >= start_us:
        return rollup(series, end_us)
    times = series.times.copy()
    times[0] = start_us
    found = rollup(Series(times, series.values, series.statuses, series.texts), end_us)
    return found._replace(rows=found.rows - 1, numbers=found.numbers - int(series.is_number[0]))


def _held(row: Any, until_us: int) -> Rollup:
    """From the last row of a chunk until the next row there is."""
    if row.last is None or row.last_status >> 30:
        return NOTHING
    held_us = until_us - row.end_us
    return Rollup(0, 0, None, None, held_us, row.last * held_us)
