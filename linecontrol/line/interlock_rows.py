"""From the files to the rows of the interlock system. Pure."""

from __future__ import annotations

import math

from linecontrol.config import LineConfig
from linecontrol.config.interlock import InterlockRow
from linecontrol.core.expression import parse
from linecontrol.core.model import Text
from linecontrol.guard.interlocks import Act, Interlock, Needs, Refuses

ROOM = "line"


def interlock_rows(config: LineConfig) -> list[Interlock]:
    """Every interlock of this line, those of the stations first."""
    units = {tag.name: tag.unit for tag in config.tags}
    found = [_row(row, name, units) for name, station in config.stations.items() for row in station.profile.interlocks]
    return [*found, *(_row(row, ROOM, units) for row in config.line.interlocks)]


def oprp_interlocks(config: LineConfig) -> frozenset[str]:
    """Interlocks whose trip is a deviation of an operational prerequisite programme."""
    rows = [row for station in config.stations.values() for row in station.profile.interlocks]
    return frozenset(row.name for row in (*rows, *config.line.interlocks) if row.oprp)


def _row(row: InterlockRow, station: str, units: dict[str, str]) -> Interlock:
    value = parse(row.value)
    own = units.get(value.tags[0], "") if value.tags and (value.is_tag or len(value.tags) == 1) else ""
    low, high = row.limits
    return Interlock(
        name=row.name,
        station=station,
        title=row.title.text(),
        purpose=row.purpose.text(),
        value=value,
        measured=Text(row.value, row.value) if row.measured is None else row.measured.text(),
        unit=own if row.unit is None else row.unit,
        clears=row.clears.text(),
        low=low,
        high=high,
        deadband=row.deadband,
        delay_s=row.delay_s,
        blind_s=math.inf if row.blind_s is None else row.blind_s,
        needs=tuple(Needs(need.tag, need.min) for need in row.needs),
        refuses=tuple(
            Refuses(
                refused.tag,
                math.inf if refused.above is None else refused.above,
                -math.inf if refused.below is None else refused.below,
            )
            for refused in row.refuses
        ),
        acts=frozenset(Act(word) for word in row.then),
        bypass_s=row.bypass_s,
        latched=row.latched,
        except_recipes=frozenset(row.except_recipes),
        source=row.source,
        stage=row.stage or "",
    )
