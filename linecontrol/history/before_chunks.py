"""Samples of a history from before there were chunks (schemas 0001 to 0004), which is read but not migrated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from linecontrol.history.series import Series

FIRST_WITH_CHUNKS = "0005"

_sample = sa.table("sample", *(sa.column(name) for name in ("tag_id", "time_us", "value", "status", "text")))
_COLUMNS = (_sample.c.time_us, _sample.c.value, _sample.c.status, _sample.c.text)


def read(connection: sa.Connection, tag_id: int, start_us: int, end_us: int | None, *, hold: bool) -> Series:
    """As ``signals.read`` of one tag."""
    mine = sa.select(*_COLUMNS).where(_sample.c.tag_id == tag_id)
    before = mine.where(_sample.c.time_us < start_us).order_by(_sample.c.time_us.desc()).limit(1)
    inside = mine.where(_sample.c.time_us >= start_us).order_by(_sample.c.time_us)
    if end_us is not None:
        inside = inside.where(_sample.c.time_us < end_us)
    rows = list(connection.execute(inside))
    if hold and (not rows or rows[0].time_us != start_us):
        rows = [*connection.execute(before), *rows]
    return series_of(rows)


def series_of(rows: Sequence[Any]) -> Series:
    """Rows with time_us, value, status and text, in the order of time, as columns."""
    return Series(
        np.array([row.time_us for row in rows], np.int64),
        np.array([np.nan if row.value is None else row.value for row in rows], np.float64),
        np.array([row.status for row in rows], np.int64),
        {at: row.text for at, row in enumerate(rows) if row.text is not None},
    )
