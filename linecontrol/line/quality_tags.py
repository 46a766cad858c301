"""Soft tags that the guard's estimates are shown, recorded and interlocked by: hours until checks are due, growth in
wet material that stands, water activity of the powder being bagged."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from linecontrol.config import LineConfig
from linecontrol.config.haccp import Spoilage, WetHold
from linecontrol.core.model import DataType, Tag, Text, Value
from linecontrol.guard.isotherm import Activity, Isotherm, Outlook, bag_activity
from linecontrol.guard.wet_hold import Kinetics, WetState, advance
from linecontrol.line.loops import STATION

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

_UNKNOWN = Activity(math.nan, math.nan, math.nan)


def quality_tags(config: LineConfig) -> list[Tag]:
    """Of those sections that the line file has."""
    guard = config.line.guard
    if guard is None:
        return []

    def tag(name: str, en: str, zh: str, unit: str, high: float = math.inf, low: float = -math.inf) -> Tag:
        return Tag(name, STATION, Text(en, zh), unit, DataType.FLOAT64, name, low=low, high=high)

    found = [
        tag(f"{row.name}.DUE_H", f"{row.title.en}: hours until due", f"{row.title.zh}：距到期小时数", "h")
        for row in guard.checks
    ]
    if guard.wet_hold is not None:
        found += [
            tag("WET.AGE_H", "Age of standing wet material", "湿料停留时间", "h", low=0.0),
            tag("WET.GROWTH", "Growth of germs in it, powers of ten", "湿料微生物增长（对数）", "", low=0.0),
        ]
    if guard.spoilage is not None:
        found += [
            tag("BAG.AW", "Water activity at bagging", "装袋水分活度", "", 1.0, 0.0),
            tag("BAG.AW_HIGH", "Water activity it may be at most", "装袋水分活度上界", "", 1.0, 0.0),
        ]
    return found


class QualityTags:
    """``tick`` once per control cycle, before the interlocks look."""

    def __init__(self, line: Line) -> None:
        self._line = line
        guard = line.config.line.guard
        self._wet = None if guard is None else guard.wet_hold
        self.spoilage = None if guard is None else guard.spoilage
        self._kinetics = None if self._wet is None else Kinetics(self._wet.b, self._wet.t_min_c, self._wet.lag_h)
        self._states = {vessel.name: WetState() for vessel in self._wet.vessels} if self._wet is not None else {}
        self.isotherm = None if self.spoilage is None else isotherm_of(self.spoilage)
        self.activity = _UNKNOWN

    def tick(self, dt_s: float, now: float) -> None:
        """Bring the estimates up to date."""
        if self._wet is not None and self._kinetics is not None:
            self._stand(self._wet, self._kinetics, dt_s, now)
        if self.spoilage is not None and self.isotherm is not None:
            image, row = self._line.image, self.spoilage
            self.activity = bag_activity(
                self.isotherm,
                self._line.lab.best(row.moisture, image.at(row.moisture, now)).number,
                image.at(row.temp, now).number,
                moisture_u=row.moisture_u,
                temp_u=row.temp_u,
                store_high_c=row.store_c[1],
            )

    def _stand(self, wet: WetHold, kinetics: Kinetics, dt_s: float, now: float) -> None:
        image = self._line.image
        for vessel in wet.vessels:
            self._states[vessel.name] = advance(
                self._states[vessel.name],
                kinetics,
                contents=image.at(vessel.contents, now).number,
                least=vessel.least,
                per=vessel.per,
                fresh=image.at(vessel.fresh, now).number,
                temp_c=image.at(vessel.temp, now).number,
                dt_h=dt_s / 3600.0,
            )

    def show(self) -> dict[str, Value | None]:
        """The soft tags."""
        found: dict[str, Value | None] = dict(self._line.checks.show(self._line.clock.now()))
        if self._wet is not None:
            found["WET.AGE_H"] = max(state.age_h for state in self._states.values())
            found["WET.GROWTH"] = max(state.growth_log for state in self._states.values())
        if self.spoilage is not None:
            known = not math.isnan(self.activity.value)
            found["BAG.AW"] = self.activity.value if known else None
            found["BAG.AW_HIGH"] = self.activity.high if known else None
        return found

    def view(self) -> dict[str, object] | None:
        """Spoilage as it stands, for people; None on a line without that section."""
        row = self.spoilage
        if row is None:
            return None
        outlook, activity = self.activity.outlook(row.limit), self.activity
        known = outlook is not Outlook.UNKNOWN
        return {
            "outlook": outlook.value,
            "aw": round(activity.value, 4) if known else None,
            "aw_low": round(activity.low, 4) if known else None,
            "aw_high": round(activity.high, 4) if known else None,
            "limit": row.limit,
            "store_c": list(row.store_c),
            "source": row.source,
            "isotherm_source": row.isotherm.source,
        }

    def to_dict(self) -> dict[str, list[float]]:
        """What stands wet, for the run snapshot: a controller that restarts must not think it fresh."""
        return {name: [s.age_h, s.growth_log, s.temp_c] for name, s in self._states.items()}

    def take_up(self, saved: dict[str, list[float]], away_h: float) -> None:
        """Material stood on while the controller was away for ``away_h``, as warm as it was."""
        kinetics = self._kinetics
        if kinetics is None:
            return
        for name, (age_h, growth, temp_c) in saved.items():
            if name in self._states:
                stood = advance(
                    WetState(age_h, growth, temp_c),
                    kinetics,
                    contents=1.0,
                    least=0.0,
                    per=1.0,
                    fresh=0.0,
                    temp_c=temp_c,
                    dt_h=max(away_h, 0.0),
                )
                self._states[name] = stood


def isotherm_of(row: Spoilage) -> Isotherm:
    """The isotherm of a line file."""
    gab = row.isotherm
    return Isotherm(gab.xm, gab.c, gab.k, gab.xm_j_mol, gab.c_j_mol, gab.k_j_mol, gab.xm_low, gab.xm_high)
