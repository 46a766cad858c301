"""Rows of the tail that nobody can read any more: set aside one by one, so that all else stays in use."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from linecontrol.history import schema, tail
from linecontrol.history.chain import NOT_OURS, TAIL
from linecontrol.history.opening import Note

_EVENT = "historian.rows_damaged"


def set_damaged_aside(connection: sa.Connection, line_id: int) -> Note | None:
    """Move such rows, bit for bit, into the quarantine; None when there are none. The caller's transaction.

    ``verify`` tells of them for as long as they lie there: as known damage, once an event on record has told of it.
    """
    table, count, samples = schema.tail, 0, 0
    rows = connection.execute(sa.select(table).where(table.c.line_id == line_id).order_by(table.c.id)).mappings().all()
    for row in rows:
        if (reason := _reason(row["samples"], row["texts"])) is None:
            continue
        cells = {name: row[name] for name in ("id", "writer", "number", "start_us", "end_us", "rows", "texts", "hash")}
        kept = json.dumps({**cells, "samples": bytes(row["samples"]).hex()}, default=repr)
        record = {"line_id": line_id, "time_us": time.time_ns() // 1000, "kind": TAIL, "row": kept, "reason": reason}
        connection.execute(schema.quarantine.insert(), record)
        connection.execute(table.delete().where(table.c.id == row["id"]))
        count, samples = count + 1, samples + int(row["rows"])
    if not count:
        return None
    commits = "a commit" if count == 1 else f"{count} commits"
    where = "were damaged on the disk and set aside in the table quarantine; all else is kept."
    text = f"{samples} samples of {commits} {where}"
    return ("historian.rows_damaged", text, True)


@dataclass(frozen=True, slots=True)
class Damage:
    """Rows of the tail that lie in the quarantine: number and hash of each, and what is to be said of each.

    ``told``: how many samples the events of it name; only when they are those that lie there, it is known damage.
    """

    hashes: dict[int, str]
    texts: dict[str, str]
    samples: int
    told: int

    @property
    def is_known(self) -> bool:
        return self.samples == self.told


def damage_of(connection: sa.Connection, line_id: int) -> Damage:
    """What was set aside so far. A row in the quarantine that no program of ours wrote counts as one sample."""
    aside, event = schema.quarantine, schema.event
    query = sa.select(aside.c.id, aside.c.time_us, aside.c.row)
    hashes, texts, samples = {}, {}, 0
    for number, time_us, text in connection.execute(
        query.where(aside.c.line_id == line_id, aside.c.kind == TAIL).order_by(aside.c.id)
    ):
        where, count, when = f"quarantine {number}", 1, "some day"
        with contextlib.suppress(*NOT_OURS, KeyError, OSError):
            row = json.loads(text)
            hashes[int(row["id"])], count = str(row["hash"] or ""), int(row["rows"])
            when = f"{datetime.fromtimestamp(time_us / 1e6, UTC):%Y-%m-%d at %H:%M} UTC"
        texts[where] = f"{count} fresh samples were damaged; found on {when}, they lie in {where}"
        samples += count
    said = connection.execute(sa.select(event.c.text).where(event.c.line_id == line_id, event.c.kind == _EVENT))
    counts = [str(text).partition(" ")[0] for text in said.scalars()]
    return Damage(hashes, texts, samples, sum(int(count) for count in counts if count.isdecimal()))


def _reason(samples: bytes, texts: str | None) -> str | None:
    """Why nobody can read this row; None when it can be read."""
    try:
        tail.by_tag(tail.unpack([(samples, texts)]))
    except NOT_OURS as error:
        return str(error) or repr(error)
    return None
