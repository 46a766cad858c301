"""How instants are written for people: by the clock on the wall of the plant where the run was made. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple


class Face(NamedTuple):
    """The clock on the plant's wall, by which people there read a record.

    Attributes:
        offset_s: how far it is ahead of UTC [s]. start: of the run [s since 1970, UTC].
    """

    offset_s: float = 0.0
    start: float = 0.0

    @property
    def zone(self) -> timezone:
        """Its time zone: ``UTC``, or ``UTC+08:00``."""
        return timezone(timedelta(seconds=self.offset_s))

    @property
    def name(self) -> str:
        return self.zone.tzname(None) or "UTC"

    def moment(self, at: Any) -> str:
        """Line time as ``2026-01-12 10:40:05``; ISO text as well; nothing as a dash."""
        if at in (None, ""):
            return "–"
        when = datetime.fromisoformat(at) if isinstance(at, str) else datetime.fromtimestamp(float(at), UTC)
        when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
        return f"{when.astimezone(self.zone):%Y-%m-%d %H:%M:%S}"

    def clock(self, at: Any) -> str:
        """As ``moment``, without the date where it is that of the start."""
        return self.moment(at).removeprefix(self.moment(self.start)[:11])


def face_of(record: Mapping[str, Any], start: float = 0.0) -> Face:
    """The face of the clock where a run was made, from its record; UTC for a run from before it was recorded."""
    return Face(float(record.get("utc_offset_s") or 0.0), start)
