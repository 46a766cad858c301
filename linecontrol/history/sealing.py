"""Seals the tail: reads what was committed, compresses it, and puts it in place in one short transaction.

Compressing happens outside of any transaction, on the writer's thread: nobody waits for it, and a crash in the middle
leaves the tail as it was. Only the writer of a line adds to its tail or takes from it.
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from linecontrol.history import chain_store, schema, tail
from linecontrol.history.chain_samples import block_link, chain_tail
from linecontrol.history.chunks import insert_block
from linecontrol.history.late import find_late
from linecontrol.history.opening import move_mark
from linecontrol.history.seal import seal

SPAN_US = 3_600_000_000
"""A block holds this much line time at least [us]."""

MOST_ROWS = 500_000
"""Or this many samples."""


class Fresh(NamedTuple):
    """What lies in the tail."""

    start_us: int
    end_us: int
    rows: int

    @property
    def is_due(self) -> bool:
        """Is it long enough to be sealed?"""
        return self.end_us - self.start_us >= SPAN_US or self.rows >= MOST_ROWS

    def and_also(self, start_us: int, end_us: int, rows: int) -> Fresh:
        """With so many rows more."""
        if not self.rows:
            return Fresh(start_us, end_us, rows)
        return Fresh(min(self.start_us, start_us), max(self.end_us, end_us), self.rows + rows)


NOTHING_FRESH = Fresh(0, 0, 0)


def fresh(connection: sa.Connection, line_id: int) -> Fresh:
    """What lies in the tail of this line."""
    table = schema.tail
    query = sa.select(sa.func.min(table.c.start_us), sa.func.max(table.c.end_us), sa.func.sum(table.c.rows))
    start_us, end_us, rows = connection.execute(query.where(table.c.line_id == line_id)).one()
    return NOTHING_FRESH if start_us is None else Fresh(start_us, end_us, int(rows))


def seal_tail(connection: sa.Connection, line_id: int) -> int:
    """One block of all that is in the tail now; what is older than a chunk goes into it. Returns how many rows."""
    table, tag = schema.tail, schema.tag
    with connection.begin():
        query = sa.select(table.c.id, table.c.writer, table.c.number, table.c.samples, table.c.texts)
        rows = connection.execute(query.where(table.c.line_id == line_id).order_by(table.c.id)).all()
        tags = connection.execute(sa.select(tag.c.id, tag.c.station).where(tag.c.line_id == line_id))
        stations = {row.id: row.station for row in tags}
    if not rows:
        return 0
    series = tail.by_tag(tail.unpack([(samples, texts) for *_, samples, texts in rows]))
    with connection.begin():
        late = find_late(connection, line_id, series)
    new = {tag_id: rest for tag_id, part in series.items() if len(rest := late.rest_of(tag_id, part))}
    block = seal(new, stations) if new else None
    last = {writer: number for _, writer, number, _, _ in rows}
    with connection.begin():
        changed = {block_id for block_id, _, _ in late.chunks}
        if block is not None:
            changed.add(insert_block(connection, line_id, block))
        late.merge(connection)
        for writer, number in last.items():
            move_mark(connection, line_id, writer, number)
        connection.execute(table.delete().where(table.c.line_id == line_id, table.c.id <= rows[-1][0]))
        chain_tail(connection, line_id)  # almost always empty: what was put back from the quarantine meanwhile
        chain_store.append(connection, line_id, [block_link(connection, line_id, one) for one in sorted(changed)])
    return sum(map(len, series.values()))
