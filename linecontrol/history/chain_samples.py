"""The chain's share in samples: a link for each sealed block, and the hash that runs through what is not sealed yet."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from linecontrol.history import schema
from linecontrol.history.chain import BLOCK, NOT_OURS, REMOVED, UNREADABLE, Link, tail_digest, text_hash

_BLOCK_CELLS = [schema.block.c[name] for name in ("start_us", "end_us", "rows", "archive")]
_CHUNK_CELLS = [column for column in schema.chunk.c if column.name not in ("line_id", "block_id")]
_NEWEST = "SELECT id, hash FROM tail WHERE line_id = {sign} ORDER BY id DESC LIMIT 1"
_NOTED = f"UPDATE chain_head SET (tail_id, tail_hash) = ({_NEWEST}) WHERE line_id = {{sign}}"  # noqa: S608 - ours alone
_TAIL_CELLS = [schema.tail.c[name] for name in ("writer", "number", "start_us", "end_us", "rows", "texts")]


def block_link(connection: sa.Connection, line_id: int, block_id: int) -> Link:
    """The link of a block as it stands: its samples, their times, the roll-ups, and the file it was copied to."""
    block, axis, chunk = schema.block, schema.axis, schema.chunk
    content = hashlib.sha256()
    *cells, data = connection.execute(sa.select(*_BLOCK_CELLS, block.c.data).where(block.c.id == block_id)).one()
    _add(content, cells, data)
    axes = sa.select(axis.c.number, axis.c.count, axis.c.times).where(axis.c.block_id == block_id)
    for number, count, times in connection.execute(axes.order_by(axis.c.number)):
        _add(content, (number, count), times)
    mine = (chunk.c.line_id == line_id, chunk.c.block_id == block_id)
    for row in connection.execute(sa.select(*_CHUNK_CELLS).where(*mine).order_by(chunk.c.tag_id)):
        _add(content, tuple(row))
    return Link(BLOCK, str(block_id), content.hexdigest())


def _add(content: Any, cells: Iterable[Any], data: bytes = b"") -> None:
    content.update(json.dumps([*cells, len(data)], separators=(",", ":"), ensure_ascii=True).encode("ascii"))
    content.update(data)


def block_links(connection: sa.Connection, line_id: int) -> Iterator[Link]:
    """Of every block that is there."""
    block = schema.block
    ids = connection.execute(sa.select(block.c.id).where(block.c.line_id == line_id).order_by(block.c.id))
    for block_id in ids.scalars().all():
        try:
            link = block_link(connection, line_id, block_id)
        except NOT_OURS:
            link = Link(BLOCK, str(block_id), UNREADABLE)
        yield link


def removed(block_id: int) -> Link:
    """A block leaves the database as the retention asks."""
    return Link(BLOCK + REMOVED, str(block_id), "")


def tail_end(connection: sa.Connection, line_id: int) -> tuple[int, str]:
    """Number and hash of the newest row of fresh samples; (0, "") = there is none."""
    tail = schema.tail
    query = sa.select(tail.c.id, tail.c.hash).where(tail.c.line_id == line_id).order_by(tail.c.id.desc()).limit(1)
    row = connection.execute(query).first()
    return (0, "") if row is None else (int(row[0]), row[1] or "")


def note_tail(paramstyle: str) -> str:
    """SQL that puts the newest row of fresh samples into the chain's head, in the transaction that writes the row: so
    that samples cut off the end are missed whenever they came. Its two parameters are the line."""
    return _NOTED.format(sign="?" if paramstyle == "qmark" else "%s")


NOTED_IN_SQLITE = (
    "CREATE TEMP TRIGGER IF NOT EXISTS note_tail AFTER INSERT ON main.tail BEGIN "
    "UPDATE chain_head SET tail_id = NEW.id, tail_hash = NEW.hash WHERE line_id = NEW.line_id; END"
)
"""The same for one connection to SQLite, from then on: writing a row is one statement, and that a transaction."""


def tail_hashes(
    connection: sa.Connection, line_id: int, aside: Mapping[int, str]
) -> Iterator[tuple[int, str, str | None]]:
    """Of each row of fresh samples: its number, the hash it should have after the row before it, and the one it has.

    ``aside``: numbers and hashes of rows that were damaged and left the tail; those behind them follow them still.
    """
    tail, before, last = schema.tail, "", 0
    query = sa.select(tail.c.id, tail.c.hash, tail.c.samples, *_TAIL_CELLS).where(tail.c.line_id == line_id)
    for number, kept, samples, *cells in connection.execute(query.order_by(tail.c.id)):
        lost = max((one for one in aside if last < one < number), default=None)
        before = before if lost is None else aside[lost]
        yield number, text_hash(before + tail_digest(cells, samples)), kept
        before, last = kept or "", number


def chain_tail(connection: sa.Connection, line_id: int) -> None:
    """Give every row of fresh samples its hash: those from before there was one, or before a seal took their first."""
    tail, before = schema.tail, ""
    query = sa.select(tail.c.id, tail.c.samples, *_TAIL_CELLS).where(tail.c.line_id == line_id).order_by(tail.c.id)
    for number, samples, *cells in connection.execute(query).all():
        before = text_hash(before + tail_digest(cells, samples))
        connection.execute(tail.update().where(tail.c.id == number), {"hash": before})
