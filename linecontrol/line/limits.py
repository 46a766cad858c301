"""The critical limits in force, as the run record keeps them: evidence must not depend on a line file of later."""

from __future__ import annotations

from typing import Any

from linecontrol.config import LineConfig


def limits_in_force(config: LineConfig) -> dict[str, Any]:
    """``critical_limits`` and ``making`` (which flow and gate say that good powder is made); empty without a guard."""
    guard = config.line.guard
    if guard is None:
        return {}
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
            }
            for row in guard.critical_limits
        ],
        "making": {
            "flow": guard.flow.tag,
            "min_flow": guard.flow.min,
            "gate": guard.gate.position,
            "good": guard.gate.good,
        },
    }
