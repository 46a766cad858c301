"""Recorded values for trends, thinned to what a screen can show. The thinning is pure; peaks survive it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from linecontrol.hmi.client import Api, Session
from linecontrol.hmi.live import instant

MOST_ROWS = 100_000  # the API's own limit
POINTS = 600
LONGEST_S = 24 * 3600.0

Point = tuple[float, float | None]
"""Line time [s since 1970], value; None begins an outage."""


async def points(api: Api, session: Session, tags: Sequence[str], start: float, end: float) -> dict[str, list[Point]]:
    """Points by tag from ``start`` to ``end`` [line s]. Raises ApiError."""
    rows = await api.ask(
        "GET", "/samples", session, params={"tag": list(tags), "start": start, "end": end, "limit": MOST_ROWS}
    )
    return {tag: thinned([_point(row) for row in rows.get(tag, [])], POINTS) for tag in tags}


def _point(row: dict[str, Any]) -> Point:
    value = row["value"]
    is_number = isinstance(value, int | float) and row["quality"] != "BAD"
    return (instant(row["time"]) or 0.0, float(value) if is_number else None)


def thinned(rows: Sequence[Point], most: int) -> list[Point]:
    """At most about ``most`` points: of each stretch its first, lowest and highest; an outage's begin is kept."""
    if len(rows) <= most:
        return list(rows)
    size = -(-len(rows) * 3 // most)
    found: list[Point] = []
    for i in range(0, len(rows), size):
        part = rows[i : i + size]
        numbers = [(t, v) for t, v in part if v is not None]
        keep: set[Point] = {part[0]} | {p for p in part if p[1] is None}
        if numbers:
            keep |= {min(numbers, key=lambda p: p[1]), max(numbers, key=lambda p: p[1])}
        found += sorted(keep, key=lambda p: p[0])
    if found[-1] != rows[-1]:
        found.append(rows[-1])
    return found
