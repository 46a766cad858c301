"""Rows of the tail that nobody can read any more: set aside one by one, so that all else stays in use."""

from __future__ import annotations

import json
import time

import sqlalchemy as sa

from linecontrol.history import schema, tail
from linecontrol.history.chain import NOT_OURS, TAIL
from linecontrol.history.opening import Note


def set_damaged_aside(connection: sa.Connection, line_id: int) -> Note | None:
    """Move such rows, bit for bit, into the quarantine; None when there are none. The caller's transaction.

    Their place in the hash that runs through the tail stays empty, so ``verify`` finds that something is missing.
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


def _reason(samples: bytes, texts: str | None) -> str | None:
    """Why nobody can read this row; None when it can be read."""
    try:
        tail.by_tag(tail.unpack([(samples, texts)]))
    except NOT_OURS as error:
        return str(error) or repr(error)
    return None
