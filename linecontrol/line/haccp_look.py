"""What the HACCP plan sees on a cycle: which limits are broken, by how much, and since when nobody can vouch for it.

Reads the line and changes nothing of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from linecontrol.config.haccp import CriticalLimit as LimitRow
from linecontrol.core.model import Sample, Text
from linecontrol.guard.deviations import Breach, DeviationBook
from linecontrol.guard.divert import CriticalLimit, Verdict
from linecontrol.guard.interlocks import sentence
from linecontrol.line.haccp_views import limits_of
from linecontrol.line.interlock_rows import oprp_interlocks

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

STEP_TAU_S = 4.0  # a reading that differs from itself so long ago has jumped


class HaccpLook:
    """The rows of the plan, held against what is measured now.

    Attributes:
        rows: the limits of the plan by name. oprp: interlocks whose trip is a deviation. units: of each tag.
        all_good: when the gate's guard last found nothing at all [s]; NaN = never.
    """

    def __init__(self, line: Line, book: DeviationBook) -> None:
        self._line = line
        self._book = book
        guard = line.config.line.guard
        self.rows: dict[str, LimitRow] = {row.name: row for row in guard.critical_limits} if guard is not None else {}
        self._extra = {
            name: CriticalLimit(
                name,
                row.tag,
                -math.inf if row.low is None else row.low,
                math.inf if row.high is None else row.high,
                row.title.text(),
                row.source,
            )
            for name, row in self.rows.items()
            if not row.diverts
        }
        self.oprp = oprp_interlocks(line.config)
        self.units = {tag.name: tag.unit for tag in line.config.tags}
        self.all_good = math.nan
        self._quick: dict[str, float] = {}
        self._followed = 0.0

    def breaches(self, now: float, verdict: Verdict, *, is_diverting: bool, is_good: bool) -> dict[str, Breach]:
        """Every limit that is broken now. ``is_diverting``: the gate has turned; ``is_good``: it stands on good."""
        found: dict[str, Breach] = {}
        if is_diverting:
            for name, why in verdict.deviations.items():
                found[name] = self._breach(name, Text(why, why), now)
        for name, why in {} if is_diverting else verdict.deviations.items():
            row = self.rows.get(name)
            if row is not None and self._has_jumped(row, now):  # the gate had turned before: not what went past then
                found[name] = self._breach(name, Text(why, why), now)
        for name, limit in self._extra.items():
            judged = limit.judge(self._line.image.at(limit.tag, now)) if is_good else None
            if judged is not None:
                found[name] = self._breach(name, Text(judged, judged), now)
        for name in self.oprp:
            standing = self._line.interlocks.system.standings[name]
            if not standing.is_met and standing.is_active:
                text = sentence(standing.row, standing.told_value)
                is_low = standing.told_value < standing.row.low
                found[name] = Breach(standing.told_value, standing.row.low if is_low else standing.row.high, text)
        return found

    def _breach(self, name: str, text: Text, now: float) -> Breach:
        row = self.rows.get(name)
        standing = self._line.interlocks.system.standings.get(name)
        if standing is not None:
            is_low = standing.told_value < standing.row.low
            both = sentence(standing.row, standing.told_value)
            return Breach(standing.told_value, standing.row.low if is_low else standing.row.high, both)
        if row is None:  # a doubt of the model about its meter: no limit of its own
            return Breach(math.nan, math.nan, self._line.bank.doubted.get(name, text))
        sample = self._line.image.at(row.tag, now)
        value = self.worse(row, sample)
        low, high = limits_of(row)
        is_low = value < low
        limit, zh = (low, "低于") if is_low else (high, "高于")
        unit = self.units.get(row.tag, "")
        if math.isnan(value):
            return Breach(value, limit, Text(text.en, f"{row.title.zh} {row.tag} 测量值无效（{sample.status.text}）"))
        return Breach(value, limit, Text(text.en, f"{row.title.zh} {row.tag} = {value:.2f} {unit}，{zh} {limit:g}"))

    def worse(self, row: LimitRow, sample: Sample) -> float:
        """The reading or the corrected one, whichever lies farther out, as the gate's guard believes it."""
        corrected = self._line.lab.for_guard({row.tag: sample}).get(row.tag)
        value = sample.number
        if corrected is None:
            return value
        other = corrected.sample.number
        low, high = limits_of(row)
        return (
            other if max(low - other, other - high) > max(low - value, value - high) or corrected.is_accepted else value
        )

    def since(self, now: float, breaches: Mapping[str, Breach]) -> dict[str, float]:
        """Last good check of each: the last passed test where the plan says so, else the last good reading."""
        found = {}
        started = self.started() if breaches else None
        for name in breaches:
            row = self.rows.get(name)
            if (doubted := self._doubted(name, row, now)) is not None:  # also in the midst of a deviation
                found[name] = self.vouched(doubted, now)
            elif name in self._book.current:
                continue
            elif row is not None and row.since_check:
                passed = self._line.checks.last_passed(row.checked_by)
                found[name] = passed if passed is not None else started if started is not None else now
            elif (standing := self._line.interlocks.system.standings.get(name)) is not None:
                outside = standing.outside_since if standing.outside_since is not None else now
                found[name] = outside - standing.row.value.lag_s
            elif name not in self._book.last_good and not math.isnan(self.all_good):
                found[name] = self.all_good
        return found

    def started(self) -> float | None:
        """When the run in hand began [s]; None for none."""
        engine = self._line.runs.engine
        return None if engine is None else engine.started_at

    def _doubted(self, name: str, row: LimitRow | None, now: float) -> LimitRow | None:
        """The limit whose meter cannot vouch for what it has read before; None when it can.

        That is one that the model of a loop doubts, one whose reading jumped, and one that only reads well as it is
        but not corrected by the laboratory.
        """
        if row is None:
            return self.meter_of(name)
        value = self._line.image.at(row.tag, now).number
        low, high = limits_of(row)
        if self._line.lab.is_checked(row.tag) and low <= value <= high:
            return row
        return row if self._has_jumped(row, now) else None

    def _has_jumped(self, row: LimitRow, now: float) -> bool:
        """Whether the meter itself has changed, and not the powder."""
        value = self._line.image.at(row.tag, now).number
        return row.step is not None and abs(value - self._quick.get(row.name, math.nan)) > row.step

    def meter_of(self, doubt: str) -> LimitRow | None:
        """The limit on the meter that this doubt of a loop's model is about."""
        meters = {loop.name: loop.moisture.nir for loop in self._line.config.line.loops if loop.moisture is not None}
        meter = next((nir for loop, nir in meters.items() if doubt.startswith(f"{loop}-")), None)
        return next((one for one in self.rows.values() if one.tag == meter), None)

    def vouched(self, row: LimitRow, now: float) -> float:
        """The last good check of a doubted meter: what the laboratory found, else the beginning of the run."""
        passed, started = self._line.lab.last_inside(row.tag, *limits_of(row)), self.started()
        if passed is not None and (started is None or passed >= started):
            return passed
        return now if started is None else started

    def follow(self, now: float) -> None:
        """Where readings stood some seconds ago."""
        dt_s, self._followed = min(max(now - self._followed, 0.0), 60.0), now
        share = 1.0 - math.exp(-dt_s / STEP_TAU_S)
        for name, row in self.rows.items():
            if row.step is None:
                continue
            value, old = self._line.image.at(row.tag, now).number, self._quick.get(name, math.nan)
            if not math.isnan(value):
                self._quick[name] = value if math.isnan(old) else old + share * (value - old)
