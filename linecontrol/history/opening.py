"""What is done once after a database was opened: register line and tags, and look back at the recording before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from linecontrol.core.model import Tag
from linecontrol.history import chain_store, schema, tail
from linecontrol.history.chain import Link, link_of
from linecontrol.history.chunks import make_partition, tail_rows
from linecontrol.history.rows import STARTED, STOPPED, TAG

Note = tuple[str, str, bool]
"""Kind, text and is-it-an-alarm of something worth an event."""


@dataclass(slots=True)
class Opened:
    """What was found in the database.

    Attributes:
        latest_us: newest line time of this line; None when it has no history.
        last: of each recorded tag, time and status of its newest row.
        is_unclean: the recording before this one ended without ``historian.stopped``.
    """

    latest_us: int | None = None
    last: dict[str, tuple[int, int]] = field(default_factory=dict)
    is_unclean: bool = False
    notes: list[Note] = field(default_factory=list)


def register_line(connection: sa.Connection, name: str) -> int:
    """The line's id in this database; the line is added when it is new."""
    line = schema.line
    query = sa.select(line.c.id).where(line.c.name == name)
    if connection.execute(query).scalar() is None:
        connection.execute(line.insert(), {"name": name})
    line_id = int(connection.execute(query).scalar_one())
    make_partition(connection, line_id)
    return line_id


def hold_line(connection: sa.Connection, name: str) -> bool:
    """Hold the line's name in this database for as long as the connection lasts; False when another writer holds it.

    SQLite needs none: a file is on one machine, and there the data folder's lock keeps a second controller out.
    """
    if connection.dialect.name != "postgresql":
        return True
    key = int.from_bytes(hashlib.sha256(f"linecontrol/{name}".encode()).digest()[:8], "big", signed=True)
    return bool(connection.execute(sa.select(sa.func.pg_try_advisory_lock(key))).scalar_one())


def register_tags(connection: sa.Connection, line_id: int, tags: Sequence[Tag]) -> list[Note]:
    """Add new tags, bring changed ones up to date. Tags no longer in use stay, for their samples."""
    tag, notes, links = schema.tag, [], []
    known = {row.name: row for row in connection.execute(sa.select(tag).where(tag.c.line_id == line_id))}
    for wanted in tags:
        facts = {
            "alias": wanted.alias,
            "station": wanted.station,
            "unit": wanted.unit,
            "type": wanted.type.value,
        }
        row = known.get(wanted.name)
        if row is None:
            links += add_tags(connection, [{"line_id": line_id, "name": wanted.name, **facts}])
        elif any(getattr(row, name) != value for name, value in facts.items()):
            connection.execute(tag.update().where(tag.c.id == row.id), facts)
            links.append(link_of(TAG, {"id": row.id, "name": row.name, **facts}))
            if row.unit != wanted.unit:
                text = (
                    f"{wanted.name}: the unit was {row.unit!r}, is now {wanted.unit!r}; earlier samples are in the old."
                )
                notes.append(("historian.unit_changed", text, False))
    chain_store.append(connection, line_id, links)
    return notes


def add_tags(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> list[Link]:
    """Add tags; returns their links."""
    links = []
    for row in rows:
        made = connection.execute(schema.tag.insert(), row).inserted_primary_key
        assert made is not None  # noqa: S101 - the table counts up by itself
        links.append(link_of(TAG, {**row, "id": made[0]}))
    return links


def tag_ids(connection: sa.Connection, line_id: int) -> dict[str, int]:
    tag = schema.tag
    found = connection.execute(sa.select(tag.c.name, tag.c.id).where(tag.c.line_id == line_id))
    return {row.name: row.id for row in found}


def marks(connection: sa.Connection, line_id: int) -> dict[str, int]:
    """The last batch of each writer that is in the database."""
    found: dict[str, int] = {}
    for table in (schema.spool_state, schema.tail):
        query = sa.select(table.c.writer, sa.func.max(table.c.number)).where(table.c.line_id == line_id)
        for writer, number in connection.execute(query.group_by(table.c.writer)):
            found[writer] = max(number, found.get(writer, 0))
    return found


def move_mark(connection: sa.Connection, line_id: int, writer: str, number: int) -> None:
    """Remember that this batch is in the database. A mark never moves back."""
    mark = schema.spool_state
    mine = sa.and_(mark.c.line_id == line_id, mark.c.writer == writer)
    if connection.execute(mark.update().where(mine, mark.c.number < number), {"number": number}).rowcount:
        return
    if connection.execute(sa.select(mark.c.number).where(mine)).scalar() is None:
        connection.execute(mark.insert(), {"line_id": line_id, "writer": writer, "number": number})


def newest(connection: sa.Connection, line_id: int, ids: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Of each tag that has any, time and status of its newest row."""
    chunk = schema.chunk
    last = sa.select(chunk.c.end_us, chunk.c.last_status).order_by(chunk.c.start_us.desc()).limit(1)
    found: dict[str, tuple[int, int]] = {}
    fresh = tail.by_tag(tail.unpack(tail_rows(connection, line_id)))
    for name, tag_id in ids.items():
        row = connection.execute(last.where(chunk.c.tag_id == tag_id)).first()
        if row is not None:
            found[name] = (row.end_us, row.last_status)
        if tag_id in fresh:
            found[name] = (int(fresh[tag_id].times[-1]), int(fresh[tag_id].statuses[-1]))
    return found


def look_back(connection: sa.Connection, line_id: int, ids: Mapping[str, int], opened: Opened) -> None:
    """What the last recording left: its newest times, and whether it was closed."""
    event, command, run, lab = schema.event, schema.command, schema.run, schema.lab
    audit = schema.audit
    opened.last = newest(connection, line_id, ids)
    times = [time_us for time_us, _ in opened.last.values()]
    for column in (event.c.time_us, command.c.time_us, run.c.updated_us, lab.c.entered_us, audit.c.time_us):
        query = sa.select(sa.func.max(column)).where(column.table.c.line_id == line_id)
        found = connection.execute(query).scalar()
        times += [] if found is None else [found]
    opened.latest_us = max(times, default=None)
    borders = (
        sa.select(event.c.kind)
        .where(event.c.line_id == line_id, event.c.kind.in_((STARTED, STOPPED)))
        .order_by(event.c.id.desc())
        .limit(1)
    )
    opened.is_unclean = connection.execute(borders).scalar() == STARTED
