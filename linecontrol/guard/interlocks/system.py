"""All interlocks of a line as they stand. ``tick`` looks once; everything else answers from that look. Pure.

Words: an interlock is *met* while its condition is fulfilled, *blocking* while it is not and nobody has bypassed it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from linecontrol.core.expression import Expression, Memory
from linecontrol.core.model import Text, Value
from linecontrol.guard.interlocks.interlock import Act, Bypass, Interlock
from linecontrol.guard.interlocks.words import refusal_text


@dataclass(slots=True)
class Standing:
    """Where one interlock stands.

    Attributes:
        value: measured at the last look [unit of the row]; NaN = not measured well.
        is_active: False while what it needs is not there: the condition has no meaning then.
        outside_since, blind_since, unmet_since: line time [s]; None = not so.
        tripped_value: what was measured when it ceased to be met; what a latched one still tells.
    """

    row: Interlock
    memory: Memory = field(default_factory=Memory)
    value: float = math.nan
    is_active: bool = False
    outside_since: float | None = None
    blind_since: float | None = None
    unmet_since: float | None = None
    is_condition_met: bool = True
    tripped_value: float = math.nan
    bypass: Bypass | None = None

    @property
    def is_met(self) -> bool:
        return self.unmet_since is None

    def is_bypassed(self, now: float) -> bool:
        return self.bypass is not None and self.bypass.is_on(now)

    @property
    def told_value(self) -> float:
        """What is told as the value of a condition that is not met."""
        return self.tripped_value if self.row.latched and self.is_condition_met else self.value


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened to an interlock: tripped, cleared or bypass-ended."""

    verb: str
    name: str
    time: float
    text: Text


class _Look(NamedTuple):
    """What a look at one interlock needs, taken from its row once.

    Attributes:
        tag: the value is this tag's and nothing else; None = the expression is worked out.
    """

    standing: Standing
    tag: str | None
    expression: Expression
    needs: tuple[tuple[str, float], ...]
    low: float
    high: float

    @classmethod
    def at(cls, standing: Standing) -> _Look:
        row = standing.row
        tag = row.value.tags[0] if row.value.is_tag else None
        return cls(standing, tag, row.value, tuple((need.tag, need.least) for need in row.needs), row.low, row.high)


class InterlockSystem:
    """Attributes: changes: what has happened since the owner last emptied the list."""

    def __init__(self, rows: Sequence[Interlock]) -> None:
        self.standings = {row.name: Standing(row) for row in rows}
        self.changes: list[Change] = []
        self._refusing: dict[str, list[Standing]] = {}
        for standing in self.standings.values():
            for tag in dict.fromkeys(refused.tag for refused in standing.row.refuses):
                self._refusing.setdefault(tag, []).append(standing)
        self._looks = [_Look.at(standing) for standing in self.standings.values()]
        self._now = -math.inf

    @property
    def tags(self) -> frozenset[str]:
        """Every tag it looks at."""
        return frozenset(tag for standing in self.standings.values() for tag in standing.row.tags)

    # -- looking
    def tick(self, now: float, values: Mapping[str, float]) -> None:
        """One look.

        Args:
            now: line time [s].
            values: every tag of ``tags`` [its unit]; NaN = not GOOD.
        """
        dt_s = now - self._now if math.isfinite(self._now) else 0.0
        self._now = now
        for standing, tag, expression, needs, low, high in self._looks:
            if tag is None:
                value = expression.at(values, standing.memory, dt_s)
            else:
                value = values[tag]
                if not -math.inf < value < math.inf:
                    value = math.nan
            is_active = True
            for need, least in needs:
                if values[need] < least:  # not for one that is unknown: it may be there
                    is_active = False
            standing.value, standing.is_active = value, is_active
            if (
                standing.unmet_since is None
                and standing.is_condition_met
                and (low <= value <= high or not is_active)  # as nearly always
            ):
                standing.outside_since = standing.blind_since = None
            else:
                self._judge(standing, now)
            if standing.bypass is not None and not standing.bypass.is_on(now):
                ended, standing.bypass = standing.bypass, None
                if ended.ended is None:
                    text = Text(f"the bypass of {ended.who} has run out", f"{ended.who} 设置的旁路已到期")
                    self.changes.append(Change("bypass-ended", standing.row.name, now, text))

    def _judge(self, standing: Standing, now: float) -> None:
        """What the value just seen means for one that is not simply met, as it was before."""
        row, value = standing.row, standing.value
        was_met = standing.unmet_since is None
        inner = 0.0 if standing.is_condition_met else row.deadband
        is_outside = standing.is_active and not (row.low + inner <= value <= row.high - inner)
        if is_outside and math.isnan(value):
            standing.blind_since = now if standing.blind_since is None else standing.blind_since
            counts = now - standing.blind_since >= row.blind_s or not standing.is_condition_met
        else:
            standing.blind_since = None
            standing.outside_since = (
                (now if standing.outside_since is None else standing.outside_since) if is_outside else None
            )
            counts = standing.outside_since is not None and (
                now - standing.outside_since >= row.delay_s or not standing.is_condition_met
            )
        standing.is_condition_met = not counts
        if counts and was_met:
            standing.unmet_since, standing.tripped_value = now, value
            self.changes.append(Change("tripped", row.name, now, refusal_text(row, value)))
        elif not counts and not was_met and not row.latched:
            self._clear(standing, now)

    def _clear(self, standing: Standing, now: float) -> None:
        standing.unmet_since = None
        text = Text(f"{standing.row.name} {standing.row.title.en}", f"{standing.row.name} {standing.row.title.zh}")
        self.changes.append(Change("cleared", standing.row.name, now, text))

    # -- what people do
    def reset(self, name: str, now: float) -> str | None:
        """Let a latched interlock go; the reason when it cannot be. Raises KeyError for an unknown name."""
        standing = self.standings[name]
        if standing.is_met:
            return f"{name} is met: there is nothing to reset"
        if not standing.row.latched:
            return f"{name} clears by itself: {standing.row.clears.en}"
        if not standing.is_condition_met:
            return f"its condition is still not met: {refusal_text(standing.row, standing.value).en}"
        self._clear(standing, now)
        return None

    def bypass(self, bypass: Bypass) -> None:
        """Set, replace or end a bypass. Raises KeyError for an unknown interlock."""
        self.standings[bypass.interlock].bypass = bypass if bypass.ended is None else None

    def restore(self, bypasses: Iterable[Bypass], latched: Iterable[str], now: float) -> None:
        """Take up after a restart what was bypassed, and what had tripped and was not reset."""
        for bypass in bypasses:
            if bypass.interlock in self.standings and bypass.is_on(now):
                self.standings[bypass.interlock].bypass = bypass
        for name in latched:
            standing = self.standings.get(name)
            if standing is not None and standing.row.latched and standing.is_met:
                standing.unmet_since = now

    # -- what others ask
    @property
    def are_all_met(self) -> bool:
        """Whether none blocks, as nearly always."""
        for standing in self.standings.values():  # noqa: SIM110 - as in ``is_clear``
            if standing.unmet_since is not None:
                return False
        return True

    def blocking(self, now: float, act: Act | None = None, recipe: str = "") -> list[Standing]:
        """Interlocks that are not met and not bypassed: all, or those that do ``act`` to a run of this recipe."""
        unmet = [standing for standing in self.standings.values() if standing.unmet_since is not None]
        return [
            standing
            for standing in unmet
            if not standing.is_bypassed(now)
            and (act is None or (act in standing.row.acts and recipe not in standing.row.except_recipes))
        ]

    def is_clear(self, tag: str) -> bool:
        """Whether every interlock that could refuse a command for this tag is met."""
        for standing in self._refusing.get(tag, ()):  # noqa: SIM110 - twice as fast as all(), for each loop each cycle
            if standing.unmet_since is not None:
                return False
        return True

    def refusal(self, tag: str, value: Value, now: float, recipe: str = "") -> Text | None:
        """Why a command with this value is refused while a run of ``recipe`` is under way ("" = none); None = no
        interlock is against it."""
        for standing in self._refusing.get(tag, ()):
            if standing.unmet_since is None or standing.is_bypassed(now) or recipe in standing.row.except_recipes:
                continue
            if any(refused.tag == tag and refused.is_meant(value) for refused in standing.row.refuses):
                return refusal_text(standing.row, standing.told_value)
        return None
