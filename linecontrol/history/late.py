"""Rows that come later than newer ones of their tag: put back from the quarantine, or spooled while others went on.

Chunks of one tag never overlap; all reading stands on that. So a late row goes into the chunk it would have been in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from linecontrol.history import chunks, schema
from linecontrol.history.seal import chunk_of
from linecontrol.history.series import Series, joined
from linecontrol.history.statements import Question, number

_ALWAYS_US = -(2**62)
_NEWEST = Question(
    sa.select(schema.chunk.c.end_us)
    .where(schema.chunk.c.tag_id == number("tag"))
    .order_by(schema.chunk.c.start_us.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Late:
    """What has to be changed in chunks there are: block and tag of each, and its rows as they will be."""

    line_id: int
    newest: Mapping[int, int]
    chunks: tuple[tuple[int, int, Series], ...]

    def rest_of(self, tag_id: int, series: Series) -> Series:
        """Rows that are not late."""
        newest = self.newest.get(tag_id)
        return series if newest is None else series.between(newest + 1, None)

    def merge(self, connection: sa.Connection) -> None:
        """Rewrite the chunks. The caller's transaction."""
        chunk, block = schema.chunk, schema.block
        for block_id, tag_id, rows in self.chunks:
            query = sa.select(block.c.data).where(block.c.id == block_id)
            data = connection.execute(query).scalar_one()
            changed = chunk_of(tag_id, rows)
            record = chunks.chunk_record(self.line_id, block_id, len(data), changed)
            mine = (chunk.c.line_id == self.line_id, chunk.c.block_id == block_id)
            connection.execute(chunk.update().where(*mine, chunk.c.tag_id == tag_id), record)
            ends = sa.select(sa.func.min(chunk.c.start_us), sa.func.max(chunk.c.end_us), sa.func.sum(chunk.c.count))
            start_us, end_us, count = connection.execute(ends.where(*mine)).one()
            head = {"start_us": start_us, "end_us": end_us, "rows": int(count), "archive": None}
            more = b"".join((data, *chunks.parts_of(changed)))  # what it replaces stays there unused
            connection.execute(block.update().where(block.c.id == block_id), {**head, "data": more})


def find_late(connection: sa.Connection, line_id: int, series: Mapping[int, Series]) -> Late:
    """Which of these rows, by tag, are no newer than the newest chunk of their tag, and the chunks they belong into."""
    newest: dict[int, int] = {}
    changed: list[tuple[int, int, Series]] = []
    for tag_id, rows in series.items():
        found = _NEWEST.ask(connection, tag=tag_id)
        if not found or rows.times[0] > (end_us := found[0][0]):
            continue
        newest[tag_id] = end_us
        late = rows.between(_ALWAYS_US, end_us + 1)
        changed += _into(connection, tag_id, late)
    return Late(line_id, newest, tuple(changed))


def _into(connection: sa.Connection, tag_id: int, late: Series) -> list[tuple[int, int, Series]]:
    """Each late row goes into the last chunk that begins before it, or else into the first there is."""
    found = chunks.of_tag(connection, tag_id, int(late.times[0]), int(late.times[-1]) + 1)
    if not found:  # all of it is older than the tag's first chunk
        found = chunks.of_tag(connection, tag_id, int(late.times[0]), None, most=1)
    present = chunks.each(connection, found)
    places = np.maximum(np.searchsorted([part.times[0] for part in present], late.times, side="right") - 1, 0)
    changed = []
    for at, (place, part) in enumerate(zip(found, present, strict=True)):
        mine = np.flatnonzero(places == at)
        if len(mine):
            changed.append((place.block_id, tag_id, joined([part, late.part(int(mine[0]), int(mine[-1]) + 1)])))
    return changed
