"""Recorded values for trends, thinned to what a screen can show. The controller's history thins; peaks survive it."""

from __future__ import annotations

from collections.abc import Sequence

from linecontrol.hmi.client import LONG_DEADLINE_S, Api, Session

POINTS = 600
LONGEST_S = 24 * 3600.0

Point = tuple[float, float | None]
"""Line time [s since 1970], value; None begins an outage."""


async def points(api: Api, session: Session, tags: Sequence[str], start: float, end: float) -> dict[str, list[Point]]:
    """Points by tag from ``start`` to ``end`` [line s]. Raises ApiError.

    The first question after a start waits for the process that answers it.
    """
    asked = {"tag": list(tags), "start": start, "end": end, "points": POINTS}
    found = await api.ask("GET", "/trends", session, params=asked, patience_s=LONG_DEADLINE_S)
    return {tag: list(zip(found[tag]["time"], found[tag]["value"], strict=True)) for tag in tags}
