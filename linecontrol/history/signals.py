"""Recorded samples as columns: found in the tail and in the chunks, by tag and time. Reads only, one transaction each.

What a question costs depends on the stretch of time asked for and on the tail, not on how much history there is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import compress
from operator import attrgetter, itemgetter, mul, sub
from typing import Any, NamedTuple

import sqlalchemy as sa

from linecontrol.history import chunks, schema, tail
from linecontrol.history.decode import Stretch
from linecontrol.history.held import HeldBlocks, in_a_row, side_by_side
from linecontrol.history.held import hold as hold_block
from linecontrol.history.series import EMPTY, Rollup, Series, joined, rollup, together
from linecontrol.history.statements import Connection, Question, number

_MANY = 8
"""From this many tags on, chunks are looked up by block, all tags of it at once."""

_MOST_HELD = 4
"""Questions about more blocks than this are calculations, which would push out what somebody looks at."""

_MOST_DRAWN = 50
"""The same for curves of single tags: two days of blocks."""

_MOST_ROLLED = 200
"""The same for roll-ups, which are small: some days."""

_LOOK_BACK_US = 150_000_000
"""What did not change is stored again every minute; so the value of two minutes ago is known from what came since."""

_FOREVER_US = 2**62
_OVERLAP = 4  # blocks may overlap a little, for a device may stamp one value later than another


_block = schema.block
_START, _END = number("start"), number("end")
_HEADS = sa.select(_block.c.id, _block.c.start_us, _block.c.end_us, _block.c.rows).where(
    _block.c.line_id == number("line")
)
_BEFORE = Question(_HEADS.where(_block.c.start_us <= _START).order_by(_block.c.start_us.desc()).limit(_OVERLAP))
_INSIDE = Question(_HEADS.where(_block.c.start_us > _START, _block.c.start_us < _END).order_by(_block.c.start_us))
_BY_START = attrgetter("start_us")
_BY_FIRST = itemgetter(1)


class _Block(NamedTuple):
    id: int
    start_us: int
    end_us: int
    rows: int


def read(
    connection: Connection,
    line_id: int,
    ids: Sequence[int],
    start_us: int,
    end_us: int | None,
    *,
    hold: bool,
    held: HeldBlocks | None = None,
) -> dict[int, Series]:
    """Rows in [start_us, end_us) of each tag; with ``hold`` the last one before too, unless one is at ``start_us``.

    ``held``: blocks that are decoded already, and where those this question decodes may be held.
    """
    stretch = Stretch(start_us, _FOREVER_US if end_us is None else end_us, hold)
    new = _fresh(connection, line_id, ids, start_us, end_us, hold=hold)
    if len(ids) < _MANY:
        return {tag_id: _of_one(connection, tag_id, stretch, new.get(tag_id), held) for tag_id in ids}
    blocks, has_earlier = _blocks(connection, line_id, start_us, end_us)
    found = _of_blocks(connection, line_id, blocks, set(ids), stretch, held)
    answer: dict[int, Series] = {}
    for tag_id in ids:
        whole = found.get(tag_id, EMPTY)
        fresh = new.get(tag_id)
        if fresh is not None:
            whole = _with_fresh(whole, fresh, stretch)
        if hold and has_earlier and not (len(whole) and whole.times[0] <= start_us):
            whole = _of_one(connection, tag_id, stretch, fresh)
        answer[tag_id] = whole
    return answer


def _fresh(
    connection: Connection, line_id: int, ids: Sequence[int], start_us: int, end_us: int | None, *, hold: bool
) -> dict[int, Series]:
    """What the tail has of these tags: all in [start_us, end_us), with ``hold`` the last row before, and perhaps more.

    What holds at the start may be anywhere in the tail, but nearly always is in its last minutes.
    """
    if not chunks.has_fresh(connection, line_id, end_us):
        return {}
    since_us = start_us - _LOOK_BACK_US if hold else start_us
    found = _unpacked(chunks.tail_rows(connection, line_id, since_us, end_us), ids)
    if hold:
        missing = [tag for tag in ids if (mine := found.get(tag)) is None or mine.times[0] > start_us]
        if missing and chunks.has_fresh(connection, line_id, since_us):
            found |= _unpacked(chunks.tail_rows(connection, line_id, None, end_us), missing)
    return found


def _unpacked(rows: Sequence[Any], ids: Sequence[int]) -> dict[int, Series]:
    return tail.by_tag(tail.unpack(rows), ids) if rows else {}


def _of_blocks(
    connection: Connection,
    line_id: int,
    blocks: Sequence[_Block],
    wanted: set[int],
    stretch: Stretch,
    held: HeldBlocks | None,
) -> dict[int, Series]:
    if held is None or not blocks or len(blocks) > _MOST_HELD:
        parts = [row for block in blocks for row in chunks.of_block(connection, line_id, block.id, wanted)]
        return chunks.series_of(connection, sorted(parts, key=_BY_START), stretch)
    there = [held.get(block) for block in blocks]
    known = [one for one in there if one is not None]
    if len(known) == len(there):
        if len(known) == 1:
            return known[0].rows_of(wanted, stretch)
        if (whole := side_by_side(known, wanted, stretch)) is not None:
            return whole
    by_tag: dict[int, list[Series]] = {}
    rest: list[chunks.Found] = []  # chunks of blocks that are not held, decoded all at once
    for block, one in zip(blocks, there, strict=True):
        if one is None:
            rows = chunks.of_block(connection, line_id, block.id)
            if len(wanted) * 2 < len(rows) or not held.is_worthwhile(block):
                rest += rows if len(wanted) == len(rows) else [row for row in rows if row.tag_id in wanted]
                continue
            one = hold_block(block.start_us, block.end_us, chunks.pieces_of(connection, rows))
            held.put(block, one)
        for tag_id, series in one.rows_of(wanted, stretch).items():
            by_tag.setdefault(tag_id, []).append(series)
    rest.sort(key=_BY_START)  # blocks may overlap, a tag's rows in them never do
    found = chunks.series_of(connection, rest, stretch) if rest else {}
    if not by_tag:
        return found
    for tag_id, series in found.items():
        if len(series):
            by_tag.setdefault(tag_id, []).append(series)
    for mine in by_tag.values():
        mine.sort(key=_begin)
    return {tag_id: in_a_row(mine, stretch) for tag_id, mine in by_tag.items()}


def _begin(series: Series) -> int:
    return int(series.times[0])


def _of_one(
    connection: Connection, tag_id: int, stretch: Stretch, fresh: Series | None, held: HeldBlocks | None = None
) -> Series:
    if held is not None and isinstance(connection, sqlite3.Connection):
        old = _of_places(connection, chunks.places_of_tag(connection, tag_id, *stretch[:2]), stretch, held)
    else:
        found = chunks.of_tag(connection, tag_id, stretch.start_us, stretch.end_us)
        old = chunks.series_of(connection, found, stretch).get(tag_id, EMPTY)
    return old if fresh is None else _with_fresh(old, fresh, stretch)


def _of_places(connection: sqlite3.Connection, places: Sequence[Any], stretch: Stretch, held: HeldBlocks) -> Series:
    """Chunks of one tag, oldest first, which are held decoded from the second look on: a curve is drawn again and
    again while somebody looks at it."""
    keys = [chunks.key_of(place) for place in places]
    there = [held.chunk(key) for key in keys]
    missing = [n for n, one in enumerate(there) if one is None]
    were_seen = [held.is_worthwhile(keys[n]) for n in missing]
    if missing and (len(keys) > _MOST_DRAWN or not all(were_seen)):
        found = chunks.series_of(connection, chunks.read_parts(connection, places), stretch)
        return next(iter(found.values()), EMPTY)
    new = chunks.each(connection, chunks.read_parts(connection, [places[n] for n in missing]))
    for n, series in zip(missing, new, strict=True):
        there[n] = series
        held.put_chunk(keys[n], series)
    parts: list[Series] = []
    for (_, _, start_us, end_us, _), whole in zip(keys, there, strict=True):
        assert whole is not None  # noqa: S101 - read just now if it was not there
        is_inside = start_us >= stretch.start_us and end_us < stretch.end_us
        part = whole if is_inside else whole.between(stretch.start_us, stretch.end_us, hold=stretch.hold)
        if len(part):
            parts.append(part)
    return in_a_row(parts, stretch) if parts else EMPTY


def _with_fresh(old: Series, fresh: Series, stretch: Stretch) -> Series:
    both = joined([old, fresh]) if len(old) else fresh
    return both.between(stretch.start_us, stretch.end_us, hold=stretch.hold)


def _blocks(connection: Connection, line_id: int, start_us: int, end_us: int | None) -> tuple[list[_Block], bool]:
    """Blocks that reach into [start_us, end_us), oldest first, and whether there are any before."""
    until_us = _FOREVER_US if end_us is None else end_us
    earlier = [_Block(*row) for row in _BEFORE.ask(connection, line=line_id, start=start_us)][::-1]
    found = [row for row in earlier if row.end_us >= start_us]
    inside = [_Block(*row) for row in _INSIDE.ask(connection, line=line_id, start=start_us, end=until_us)]
    return found + inside, len(found) < len(earlier)


def first_rows(
    connection: Connection, line_id: int, tag_id: int, start_us: int, end_us: int | None, limit: int, *, hold: bool
) -> Series:
    """As ``read`` of one tag, but at most ``limit`` rows from ``start_us`` on, and no more chunks than it takes."""
    until_us = end_us
    count = 0
    for chunk_start_us, chunk_end_us, rows in chunks.counts_of_tag(connection, tag_id, start_us, end_us):
        count += rows if chunk_start_us >= start_us else 0
        if count >= limit:
            until_us = chunk_end_us + 1
            break
    if until_us is not None and end_us is not None:
        until_us = min(until_us, end_us)
    found = read(connection, line_id, [tag_id], start_us, until_us, hold=hold)[tag_id]
    held = 1 if len(found) and found.times[0] < start_us else 0
    return found.part(0, min(len(found), limit + held))


# -- statistics


def statistics(
    connection: Connection,
    line_id: int,
    ids: Sequence[int],
    start_us: int,
    end_us: int,
    held: HeldBlocks | None = None,
) -> dict[int, Rollup]:
    """What [start_us, end_us) comes to for each tag, the value held at its start included.

    Blocks that lie within it answer with their roll-ups and are not decoded. ``held``: see ``read``.
    """
    blocks, has_earlier = _blocks(connection, line_id, start_us, end_us)
    inside = [block for block in blocks if block.start_us >= start_us and block.end_us < end_us]
    if not inside:
        rows = read(connection, line_id, ids, start_us, end_us, hold=True)
        return {tag_id: rollup_from(rows[tag_id], start_us, end_us) for tag_id in ids}
    found = _rollups(connection, line_id, inside, ids, held)
    covered = [tag_id for tag_id in ids if tag_id in found]
    begun = max((found[tag_id][0][1] for tag_id in covered), default=end_us)
    ended = min((found[tag_id][-1][2] for tag_id in covered), default=start_us)
    is_first = not has_earlier and inside[0] is blocks[0]
    before = {} if is_first else read(connection, line_id, ids, start_us, begun, hold=True)
    if inside[-1] is blocks[-1]:
        after = _unpacked(chunks.tail_rows(connection, line_id, ended + 1, end_us), ids)
    else:
        after = read(connection, line_id, ids, ended + 1, end_us, hold=False)
    answer = {
        tag_id: _of_parts(found[tag_id], before.get(tag_id, EMPTY), after.get(tag_id, EMPTY), start_us, end_us)
        for tag_id in covered
    }
    for tag_id in ids:
        if tag_id not in answer:
            rows = read(connection, line_id, [tag_id], start_us, end_us, hold=True)
            answer[tag_id] = rollup_from(rows[tag_id], start_us, end_us)
    return answer


def _rollups(
    connection: Connection, line_id: int, blocks: Sequence[_Block], ids: Sequence[int], held: HeldBlocks | None
) -> dict[int, list[Any]]:
    """Roll-ups of these tags in these blocks, by tag, oldest first; no tag that has none."""
    found: dict[int, list[Any]] = {tag_id: [] for tag_id in ids}
    for block in blocks:
        there = {} if held is None else held.rollups_of(block)
        if not there.keys() >= found.keys():
            new = chunks.rollups_of_block(connection, line_id, block.id, ids)
            there = {**there, **{tag_id: new.get(tag_id) for tag_id in ids}}
            if held is not None and len(blocks) <= _MOST_ROLLED:
                held.put_rollups(block, there)
        for tag_id, rows in found.items():
            row = there[tag_id]
            if row is not None:
                rows.append(row)
    for rows in found.values():
        rows.sort(key=_BY_FIRST)
    return {tag_id: rows for tag_id, rows in found.items() if rows}


def _of_parts(rows: Sequence[Any], before: Series, after: Series, start_us: int, end_us: int) -> Rollup:
    """Of the chunks within, and of what lies before the first and behind the last of them."""
    _, starts, ends, counts, numbers, lows, highs, weights, integrals, lasts, statuses = zip(*rows, strict=True)
    if len(after):
        after = after.between(ends[-1] + 1, end_us)
    until = (*starts[1:], int(after.times[0]) if len(after) else end_us)
    held_us = [*map(sub, until, ends)]  # from the last row of each chunk until the next row there is
    if any(statuses) or None in lasts or None in lows:
        known = [last is not None and status >> 30 == 0 for last, status in zip(lasts, statuses, strict=True)]
        held_us, lasts = [*compress(held_us, known)], tuple(compress(lasts, known))
        lows, highs = (tuple(one for one in column if one is not None) for column in (lows, highs))
    inside = Rollup(
        sum(counts),
        sum(numbers),
        min(lows, default=None),
        max(highs, default=None),
        sum(weights) + sum(held_us),
        sum(integrals) + sum(map(mul, held_us, lasts)),
    )
    parts = [inside]
    if len(before):
        parts.append(rollup_from(before.between(start_us, starts[0], hold=True), start_us, starts[0]))
    if len(after):
        parts.append(rollup(after, end_us))
    return inside if len(parts) == 1 else together(parts)


def rollup_from(series: Series, start_us: int, end_us: int) -> Rollup:
    """As ``rollup``, of which nothing before ``start_us`` counts: the value that holds there begins there."""
    if not len(series) or series.times[0] >= start_us:
        return rollup(series, end_us)
    times = series.times.copy()
    times[0] = start_us
    found = rollup(Series(times, series.values, series.statuses, series.texts), end_us)
    return found._replace(rows=found.rows - 1, numbers=found.numbers - int(series.is_number[0]))
