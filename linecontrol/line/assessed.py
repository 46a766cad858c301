"""How the line's loops did lately, from its history: which one to mend first, and what ails it.

Asked in the process that reads the history (``history.aside``), so it takes and gives plain values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from linecontrol.control.assessment import Assessment, assess, rank
from linecontrol.history.reader import HistoryReader
from linecontrol.line.one_grid import on_one_grid

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

MOST_ROWS = 200_000  # of a tag


class LoopLook(NamedTuple):
    """What of a loop is needed to judge it. ``delay_s``: of the process as last found, None when it is not known."""

    name: str
    pv: str
    unit: str
    op_low: float
    op_high: float
    sp_span: float
    delay_s: float | None = None


def looks_of(line: Line) -> list[LoopLook]:
    """The loops of a line; to be called in its event loop."""
    found = []
    for name, row in line.bank.settings.items():
        tested = line.tuning.evaluation(name)
        model = None if tested is None else tested[1].found
        process = getattr(model, "process", None)
        unit = line.image.tags[row.pv].unit
        found.append(
            LoopLook(
                name,
                row.pv,
                unit,
                row.pid.op_low,
                row.pid.op_high,
                row.sp_high - row.sp_low,
                None if process is None else float(process.delay_s),
            )
        )
    return found


def assessed(reader: HistoryReader, loops: Sequence[LoopLook], start: float, end: float) -> list[dict[str, Any]]:
    """Each loop judged over ``start`` to ``end`` [line s], first what is most worth mending.

    A loop that cannot be judged comes last, with ``reason`` saying why and no figures.
    """
    told: dict[str, Assessment] = {}
    reasons: dict[str, str] = {}
    for loop in loops:
        try:
            told[loop.name] = _judged(reader, loop, start, end)
        except ValueError as error:
            reasons[loop.name] = str(error)
    spans = {loop.name: loop.sp_span for loop in loops if math.isfinite(loop.sp_span) and loop.sp_span > 0.0}
    units = {loop.name: loop.unit for loop in loops}
    rows = [_row(name, units[name], told[name], share) for name, share in rank(told, spans)]
    return rows + [{"loop": name, "unit": units[name], "reason": reason} for name, reason in reasons.items()]


def _judged(reader: HistoryReader, loop: LoopLook, start: float, end: float) -> Assessment:
    recorded = reader.tags()
    names = {"pv": loop.pv, "sp": f"{loop.name}.WSP", "op": f"{loop.name}.OP", "mode": f"{loop.name}.MODE"}
    missing = [name for name in names.values() if name not in recorded]
    if missing:
        raise ValueError(f"not recorded: {', '.join(missing)}")
    rows = reader.samples(list(names.values()), start, end, MOST_ROWS)
    t, values, good = on_one_grid({role: rows[name] for role, name in names.items()}, start)
    if len(t) == 0:
        raise ValueError("nothing is recorded for that time")
    auto = np.nan_to_num(values["mode"]) > 0.5
    return assess(
        t,
        values["pv"],
        values["sp"],
        values["op"],
        delay_s=loop.delay_s,
        op_limits=(loop.op_low, loop.op_high),
        auto=auto.tolist(),
        good=good.tolist(),
    )


def _row(name: str, unit: str, found: Assessment, share: float | None) -> dict[str, Any]:
    swing = found.diagnosis.oscillation
    return {
        "loop": name,
        "unit": unit,
        "reason": "",
        "duration_s": _plain(found.duration_s),
        "good_share": _plain(found.good_share),
        "service_factor": _plain(found.service_factor),
        "mean_error": _plain(found.mean_error),
        "sd_error": _plain(found.sd_error),
        "iae_per_h": _plain(found.iae_per_h),
        "op_travel_per_h": _plain(found.wear.travel_per_h),
        "reversals_per_h": _plain(found.wear.reversals_per_h),
        "harris": None if found.harris is None else _plain(found.harris.index),
        "period_s": None if swing is None else _plain(swing.period_s),
        "amplitude": None if swing is None else _plain(swing.amplitude),
        "verdict": found.diagnosis.verdict,
        "why": found.diagnosis.reason,
        "what_to_do": found.diagnosis.what_to_do,
        "share": None if share is None else _plain(share),
        "sd_possible": _plain(found.worth.sd_possible),
        "warnings": list(found.warnings),
    }


def _plain(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
