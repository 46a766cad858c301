"""A version of a run's record, as it is kept. No I/O here, and no database."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from linecontrol.history.rows import PoisonError, Row, as_json, micros, seconds


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version of a finished run's record. It is never changed; the newest is what the run itself shows.

    Attributes:
        version: 1 = as the run ended. made_at: line time [s since 1970, UTC].
        who: whose value made it; ``controller`` for the first. why: what changed.
    """

    run_id: str
    version: int
    made_at: float
    who: str
    why: str
    record: dict[str, Any] = field(default_factory=dict)


def version_row(version: VersionRow) -> Row:
    """Raises PoisonError for a number that is none."""
    if version.version < 1:
        raise PoisonError(f"version {version.version} is none (accepted: 1 or more)")
    made_us = micros(version.made_at)
    return (version.run_id, version.version, made_us, version.who, version.why, as_json(version.record))


def version_of(row: Row) -> VersionRow:
    run_id, version, made_us, who, why, record = row
    return VersionRow(run_id, int(version), seconds(made_us), who, why, json.loads(record))
