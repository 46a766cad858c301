"""The same line with some of its guards taken away: what each of them is worth can only be seen without it."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace
from types import MappingProxyType

from linecontrol.config import LineConfig
from linecontrol.core.errors import ConfigError, Problem

METER_WATCH = "meter-watch"
"""Name of the models' watch over their meters; without it the moisture loop is a plain PID."""
EFFECT_WATCH = "effect-watch"
"""Name of the Hold for an output at its limit without effect (``no_effect`` of a loop), as when a burner is out."""

LINK_WATCH = "link-watch"
"""Name of the Hold for a station that does not answer (``away_hold_s``)."""


def guards_of(config: LineConfig) -> list[str]:
    """Names that ``without`` takes."""
    guard = config.line.guard
    names = [row.name for row in guard.critical_limits] if guard is not None else []
    names += [row.name for station in config.stations.values() for row in station.profile.interlocks]
    return [*names, *(row.name for row in config.line.interlocks), METER_WATCH, EFFECT_WATCH, LINK_WATCH]


def without(config: LineConfig, names: Collection[str]) -> LineConfig:
    """The line without these critical limits, interlocks or watches. Raises ConfigError for an unknown name."""
    if not names:
        return config
    known = guards_of(config)
    wrong = [name for name in names if name not in known]
    if wrong:
        raise ConfigError([Problem("", None, name, "is no guard of this line", ", ".join(known)) for name in wrong])
    line, guard = config.line, config.line.guard
    changes: dict[str, object] = {"interlocks": tuple(row for row in line.interlocks if row.name not in names)}
    if guard is not None:
        limits = tuple(row for row in guard.critical_limits if row.name not in names)
        changes["guard"] = guard.model_copy(update={"critical_limits": limits})
    loops = line.loops
    if METER_WATCH in names:
        changes["alarms"] = tuple(row for row in line.alarms if row.kind != "model")
        loops = tuple(
            loop
            if loop.moisture is None
            else loop.model_copy(update={"moisture": loop.moisture.model_copy(update={"model": None})})
            for loop in loops
        )
    if EFFECT_WATCH in names:
        loops = tuple(loop.model_copy(update={"no_effect": None}) for loop in loops)
    changes["loops"] = loops
    if LINK_WATCH in names:
        changes["away_hold_s"] = math.inf
    stations = {
        key: replace(
            station,
            profile=station.profile.model_copy(
                update={"interlocks": tuple(row for row in station.profile.interlocks if row.name not in names)}
            ),
        )
        for key, station in config.stations.items()
    }
    return replace(config, line=line.model_copy(update=changes), stations=MappingProxyType(stations))
