"""What the guard keeps: deviations, the calibration register, bypasses of interlocks. No I/O here, and no database."""

from __future__ import annotations

import math
from dataclasses import dataclass

from linecontrol.history.rows import COLUMNS, DEVIATION, PoisonError, Row, micros, seconds

DEVIATION_STATES = ("open", "acted", "closed")


@dataclass(frozen=True, slots=True)
class DeviationRow:
    """A critical or operational limit was broken. Saving it again replaces what was there; events tell each step.

    Attributes:
        deviation_id: its name, unique on the line. run_id: the run that was under way; "" = none.
        ccp: name of the limit or interlock. kind: ccp, oprp or interlock. stage: equipment where it was measured.
        since: the last good check before it; opened: when it was seen; until: back inside, None = not yet
            [line s since 1970, UTC]. What was made from ``since`` to ``until`` is suspect.
        value: the worst that was measured; NaN = not measured well. limit: what it was held against [unit].
        state: open (no action yet), acted (a corrective action is recorded), closed (verified by a supervisor).
        corrective_action: what the plan asks for, in both languages. action, acted_by, acted: what was done.
    """

    deviation_id: str
    run_id: str
    ccp: str
    kind: str
    stage: str
    since: float
    opened: float
    until: float | None
    value: float
    limit: float
    unit: str
    text: str
    text_zh: str
    corrective_action: str
    corrective_action_zh: str
    responsible: str
    suspect_kg: float = 0.0
    state: str = "open"
    action: str = ""
    acted_by: str = ""
    acted: float | None = None
    closed_by: str = ""
    closed: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class CalibrationRow:
    """A check was done: calibration, verification, cleaning. Never changed: what was wrong is entered anew.

    Attributes:
        item: name of the check in the line file. kind: calibration, verification, cleaning, or begun: the register
            was opened for this item and nobody has done it yet.
        done: when; due: when it is due again; entered: when it was entered [line s since 1970, UTC].
        result: passed, failed or begun. found: what was found, in words. certificate: its number or file.
    """

    calibration_id: str
    item: str
    kind: str
    tag: str
    done: float
    due: float
    entered: float
    who: str
    result: str
    found: str = ""
    certificate: str = ""


@dataclass(frozen=True, slots=True)
class BypassRow:
    """A supervisor's bypass of an interlock, and when it ended. Saving it again replaces what was there."""

    bypass_id: str
    interlock: str
    who: str
    reason: str
    since: float
    until: float
    ended: float | None = None
    ended_by: str = ""


def _maybe(time_s: float | None) -> int | None:
    return None if time_s is None else micros(time_s)


def _back(time_us: int | None) -> float | None:
    return None if time_us is None else seconds(time_us)


def deviation_row(d: DeviationRow) -> Row:
    """Raises PoisonError for a time no database holds, or an unknown state."""
    if d.state not in DEVIATION_STATES:
        raise PoisonError(f"{d.state!r} is no state of a deviation")
    return (
        *(d.deviation_id, d.run_id, d.ccp, d.kind, d.stage),
        *(micros(d.since), micros(d.opened), _maybe(d.until)),
        None if math.isnan(d.value) else d.value,
        d.limit if math.isfinite(d.limit) else None,
        *(d.unit, d.text, d.text_zh, d.corrective_action, d.corrective_action_zh, d.responsible, d.suspect_kg),
        *(d.state, d.action, d.acted_by, _maybe(d.acted), d.closed_by, _maybe(d.closed), d.note),
    )


def deviation_of(row: Row) -> DeviationRow:
    found = dict(zip(COLUMNS[DEVIATION], row, strict=True))
    for key in ("value", "limit"):
        found[key] = math.nan if found[key] is None else found[key]
    for key in ("since", "opened", "until", "acted", "closed"):
        found[key] = _back(found.pop(f"{key}_us"))
    return DeviationRow(**found)


def calibration_row(c: CalibrationRow) -> Row:
    """Raises PoisonError for a time no database holds."""
    times = (micros(c.done), micros(c.due), micros(c.entered))
    return (c.calibration_id, c.item, c.kind, c.tag, *times, c.who, c.result, c.found, c.certificate)


def calibration_of(row: Row) -> CalibrationRow:
    key, item, kind, tag, done_us, due_us, entered_us, *rest = row
    return CalibrationRow(key, item, kind, tag, seconds(done_us), seconds(due_us), seconds(entered_us), *rest)


def bypass_row(b: BypassRow) -> Row:
    """Raises PoisonError for a time no database holds."""
    times = (micros(b.since), micros(b.until), _maybe(b.ended))
    return (b.bypass_id, b.interlock, b.who, b.reason, *times, b.ended_by)


def bypass_of(row: Row) -> BypassRow:
    key, interlock, who, reason, since_us, until_us, ended_us, ended_by = row
    return BypassRow(key, interlock, who, reason, seconds(since_us), seconds(until_us), _back(ended_us), ended_by)
