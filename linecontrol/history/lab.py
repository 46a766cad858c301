"""A value from the laboratory, as it is kept. No I/O here, and no database."""

from __future__ import annotations

import math
from dataclasses import dataclass

from linecontrol.history.rows import PoisonError, Row, micros, seconds


@dataclass(frozen=True, slots=True)
class LabRow:
    """One laboratory value. It is never changed: a correction is a row of its own that names what it replaces.

    Attributes:
        lab_id: its name, unique on the line; entered again under the same name, it is kept once.
        tag: the meter it is a check of. value: what the laboratory found [unit of the tag].
        u: standard uncertainty (k = 1) of the value, > 0 [unit of the tag].
        sampled_at: when the sample was taken; entered_at: when the value was entered [line s since 1970, UTC].
        run_id: the run whose powder it is; None = no run was under way.
        replaces: lab_id of an entry that was wrong; None = none.
    """

    lab_id: str
    tag: str
    value: float
    u: float
    sampled_at: float
    entered_at: float
    who: str
    note: str = ""
    run_id: str | None = None
    replaces: str | None = None


def lab_row(lab: LabRow) -> Row:
    """Raises PoisonError for numbers that no laboratory finds."""
    if not (math.isfinite(lab.value) and math.isfinite(lab.u) and lab.u > 0.0):
        raise PoisonError(f"{lab.value!r} ± {lab.u!r} is no laboratory value")
    return (
        lab.lab_id,
        lab.tag,
        lab.value,
        lab.u,
        micros(lab.sampled_at),
        micros(lab.entered_at),
        lab.who,
        lab.note,
        lab.run_id,
        lab.replaces,
    )


def lab_of(row: Row) -> LabRow:
    lab_id, tag, value, u, sampled_us, entered_us, who, note, run_id, replaces = row
    return LabRow(lab_id, tag, value, u, seconds(sampled_us), seconds(entered_us), who, note, run_id, replaces)
