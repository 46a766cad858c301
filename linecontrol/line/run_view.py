"""A run as people and programs are shown it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from linecontrol.recipe.model import ControlRecipe
from linecontrol.recipe.progress import RunStatus, UnitStatus
from linecontrol.recipe.states import ENDED

_ENDED = frozenset(state.value for state in ENDED)


def run_view(status: RunStatus, now: float, loops: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """State, phases, prompts, time left, loops and totals so far. ``now`` is line time [s]."""
    return {
        "run_id": status.run_id,
        "recipe": status.recipe,
        "title": {"en": status.title.en, "zh": status.title.zh},
        "state": status.state,
        "mode": status.mode,
        "legal": list(status.legal),
        "is_ended": status.state in _ENDED,
        "reason": None if status.reason is None else status.reason.text,
        "reason_zh": (status.reason.zh or None) if status.reason is not None else None,
        "cause": None if status.reason is None else status.reason.cause,
        "since": None if status.reason is None else iso(status.reason.since),
        "elapsed_s": round((status.ended_at or now) - status.started_at, 1) if status.started_at else 0.0,
        "remaining_s": round(status.time_left_s, 1),
        "fraction": round(status.done_fraction, 4),
        "units": {
            unit.name: {
                "unit_title": {"en": unit.title.en, "zh": unit.title.zh},
                "number": unit.number,
                "count": unit.count,
                "kind": unit.kind,
                "operation": None if unit.operation is None else unit.operation.en,
                "operation_zh": None if unit.operation is None else unit.operation.zh,
                "phase": unit.phase,
                "title": None if unit.phase_title is None else unit.phase_title.en,
                "title_zh": None if unit.phase_title is None else unit.phase_title.zh,
                **_waiting(unit),
                "waits_for_proceed": unit.waits_for_proceed,
                "remaining_s": None if unit.remaining_s is None else round(unit.remaining_s),
                "fraction": unit.done_fraction,
                "is_finished": unit.is_finished,
            }
            for unit in status.units
        },
        "prompts": [
            {"id": p.id, "unit": p.unit, "text": {"en": p.text.en, "zh": p.text.zh}, "since": iso(p.since)}
            for p in status.prompts
        ],
        "loops": dict(loops),
        "record": dict(record),
    }


def _waiting(unit: UnitStatus) -> dict[str, str | None]:
    """What a unit procedure waits for; Chinese where the recipe has words of its own for it."""
    if unit.waits_for_proceed:
        return {"text": "waits for proceed", "text_zh": None}
    if unit.point is not None and unit.waiting_for:
        return {"text": f"the others at {unit.point.en}", "text_zh": f"等待其他工段到达：{unit.point.zh}"}
    return {"text": unit.waiting_for, "text_zh": None}


def procedure_view(run_id: str, recipe: ControlRecipe) -> dict[str, Any]:
    """The phases of a control recipe as they will be run, by unit procedure."""
    return {
        "run_id": run_id,
        "units": [
            {
                "name": unit.name,
                "title": {"en": unit.title.en, "zh": unit.title.zh},
                "phases": [
                    {
                        "name": step.name,
                        "kind": step.kind,
                        "title": {"en": step.title.en, "zh": step.title.zh},
                        "operation": {"en": step.operation_title.en, "zh": step.operation_title.zh},
                        "expect_s": round(step.expect_s, 1),
                        "point": None if step.point is None else {"en": step.point.en, "zh": step.point.zh},
                    }
                    for step in unit.steps
                ],
            }
            for unit in recipe.units
        ],
    }


def iso(at: float | None) -> str | None:
    """UTC instant as ISO 8601 with milliseconds; None stays None."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
