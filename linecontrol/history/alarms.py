"""Where an alarm stands, as it is kept. No I/O here, and no database."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from linecontrol.history.rows import Row, as_json, micros, seconds


@dataclass(frozen=True, slots=True)
class AlarmStateRow:
    """One alarm's state, shelving and comments. Saving it again replaces what was there.

    Attributes:
        name: of the alarm, unique on the line.
        updated_at: line time [s since 1970, UTC].
        state: what the controller needs to take it up again.
    """

    name: str
    updated_at: float
    state: dict[str, Any] = field(default_factory=dict)


def alarm_row(alarm: AlarmStateRow) -> Row:
    """Raises PoisonError for a time no database holds."""
    return (alarm.name, as_json(alarm.state), micros(alarm.updated_at))


def alarm_of(row: Row) -> AlarmStateRow:
    name, state, updated_us = row
    return AlarmStateRow(name, seconds(updated_us), json.loads(state))
