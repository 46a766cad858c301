"""Limits and deviations of the HACCP plan as people and programs see them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from linecontrol.config.haccp import CriticalLimit as LimitRow
from linecontrol.history import DeviationRow
from linecontrol.line.run_view import iso
from linecontrol.line.signing import name_of

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line


def limit_view(line: Line, row: LimitRow, value: float, broken: DeviationRow | None, unit: str) -> dict[str, Any]:
    """A limit for people and programs; ``value``: as the guard believes it, ``broken``: the deviation under way."""
    low, high = limits_of(row)
    inner, guard = row.operational, line.guard
    state = "inside"
    if broken is not None:
        state = "deviation"
    elif math.isnan(value):
        state = "unmeasured"
    elif not low <= value <= high:
        state = "outside"  # but nothing good is being made
    elif guard is not None and row.name in guard.near:
        state = "guarded"
    elif (inner.high is not None and value > inner.high) or (inner.low is not None and value < inner.low):
        state = "operational"
    return {
        "name": row.name,
        "kind": row.kind,
        "title": {"en": row.title.en, "zh": row.title.zh},
        "hazard": _words(row.hazard),
        "tag": row.tag,
        "unit": unit,
        "value": None if math.isnan(value) else round(value, 4),
        "low": row.low,
        "high": row.high,
        "operational": {"low": inner.low, "high": inner.high},
        "guard_band": row.guard_band,
        "state": state,
        "deviation_id": None if broken is None else broken.deviation_id,
        "diverts": row.diverts,
        "stage": row.stage,
        "monitoring": None
        if row.monitoring is None
        else {"every_s": row.monitoring.every_s, "how": _words(row.monitoring.how)},
        "corrective_action": _words(row.corrective_action),
        "responsible": row.responsible,
        "source": {"en": row.source, "zh": row.source_zh or row.source},
        "standard": None if row.standard is None else row.standard.model_dump(),
        "checked_by": list(row.checked_by),
        "last_good_check": iso(line.checks.last_passed(row.checked_by)) if row.checked_by else None,
    }


def deviation_view(row: DeviationRow) -> dict[str, Any]:
    """A deviation for people and programs."""
    return {
        "deviation_id": row.deviation_id,
        "run_id": row.run_id or None,
        "ccp": row.ccp,
        "kind": row.kind,
        "stage": row.stage,
        "since": iso(row.since),
        "opened": iso(row.opened),
        "until": iso(row.until),
        "value": None if math.isnan(row.value) else row.value,
        "limit": row.limit if math.isfinite(row.limit) else None,
        "unit": row.unit,
        "text": {"en": row.text, "zh": row.text_zh},
        "corrective_action": {"en": row.corrective_action, "zh": row.corrective_action_zh},
        "responsible": row.responsible,
        "suspect_kg": round(row.suspect_kg, 3),
        "state": row.state,
        "action": row.action,
        "acted_by": name_of(row.acted_by) or None,  # older records have the caller's kind before it
        "acted_at": iso(row.acted),
        "closed_by": row.closed_by or None,
        "closed_at": iso(row.closed),
        "note": row.note,
    }


def limits_of(row: LimitRow) -> tuple[float, float]:
    return -math.inf if row.low is None else row.low, math.inf if row.high is None else row.high


def _words(said: Any) -> dict[str, str] | None:
    return None if said is None else {"en": said.en, "zh": said.zh}
