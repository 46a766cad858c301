"""The critical limits in force, as the run record keeps them: evidence must not depend on a line file of later."""

from __future__ import annotations

import math
from typing import Any

from linecontrol.config import LineConfig
from linecontrol.line.interlock_rows import interlock_rows, oprp_interlocks


def limits_in_force(config: LineConfig) -> dict[str, Any]:
    """``critical_limits``, ``interlocks``, ``making`` (which flow and gate say that good powder is made) and ``titles``
    of stations and checks; empty without a guard."""
    guard = config.line.guard
    if guard is None:
        return {}
    oprp = oprp_interlocks(config)
    units = {tag.name: tag.unit for tag in config.tags}
    return {
        "line_title": {"en": config.line.title.en, "zh": config.line.title.zh},
        "critical_limits": [
            {
                "name": row.name,
                "tag": row.tag,
                "unit": units.get(row.tag, ""),
                "title": {"en": row.title.en, "zh": row.title.zh},
                "low": row.low,
                "high": row.high,
                "source": row.source,
                "source_zh": row.source_zh,
                "kind": row.kind,
                "guard_band": row.guard_band,
                "stage": row.stage,
                "hazard": _words(row.hazard),
                "corrective_action": _words(row.corrective_action),
                "responsible": row.responsible,
                "checked_by": list(row.checked_by),
                "standard": None if row.standard is None else row.standard.model_dump(),
            }
            for row in guard.critical_limits
        ],
        "interlocks": [
            {
                "name": row.name,
                "title": {"en": row.title.en, "zh": row.title.zh},
                "clears": {"en": row.clears.en, "zh": row.clears.zh},
                "value": row.value.text,
                "unit": row.unit,
                "low": row.low if math.isfinite(row.low) else None,
                "high": row.high if math.isfinite(row.high) else None,
                "acts": sorted(act.value for act in row.acts),
                "oprp": row.name in oprp,
            }
            for row in interlock_rows(config)
        ],
        "making": {
            "flow": guard.flow.tag,
            "min_flow": guard.flow.min,
            "gate": guard.gate.position,
            "good": guard.gate.good,
        },
        "titles": {
            **{name: {"en": row.profile.title.en, "zh": row.profile.title.zh} for name, row in config.stations.items()},
            **{row.name: {"en": row.title.en, "zh": row.title.zh} for row in guard.checks},
        },
    }


def _words(said: Any) -> dict[str, str] | None:
    return None if said is None else {"en": said.en, "zh": said.zh}
