"""Is all well? What needs a person now, gravest first, from the latest values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HELD = frozenset({"Held", "Holding", "Paused", "Aborted", "Stopped"})
_FLOWING = 20.0  # kg/h of powder; an empty scale shows a few


def concerns(values: Mapping[str, Any], aliases: Mapping[str, str], stations: list[str]) -> list[list[str]]:
    """Rows of [text key, what it is about].

    Args:
        values: flat names as of ``Live``. aliases: tags by alias. stations: names.
    """
    found: list[list[str]] = []

    def value(alias: str) -> Any:
        row = values.get(f"t.{aliases.get(alias, '')}")
        return None if row is None else row[0]

    for name in stations:
        if values.get(f"station.{name}.is_up") is False:
            found.append(["well.station_away", name])
        elif value(f"{name}.tripped"):
            found.append(["well.tripped", name])
        elif values.get(f"station.{name}.objection"):
            found.append(["well.no_commands", name])
    state = values.get("run.state")
    if state in _HELD:
        found.append([f"well.{state}", ""])
    if any(values.get(f"{name}") for name in values if name.startswith("run.prompts")):
        found.append(["well.prompt", ""])
    if values.get("alarms.waiting"):
        found.append(["well.alarms", str(values["alarms.waiting"])])
    rate = value("drying.powder_rate")
    if isinstance(rate, int | float) and rate > _FLOWING:
        if value("drying.powder_moisture") is None:
            found.append(["well.moisture_unknown", ""])
        if value("drying.gate_position") in (1, 2):
            found.append(["well.diverted", ""])
    return found
