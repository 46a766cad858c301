"""Deviations from limits, after HACCP (Codex CXC 1-1969): from the last good check to back inside. Pure.

One deviation per limit and episode: a reading that crosses its limit ten times before the powder is good again is one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from linecontrol.core.model import Text


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that is broken now. ``value``: measured; NaN = not measured well. ``limit``: the side that is broken."""

    value: float
    limit: float
    text: Text


@dataclass(frozen=True, slots=True)
class Deviation:
    """Attributes: since: last good check before it. opened: seen. until: last seen outside, once it is over
    [line s]. value: the worst measured. suspect_kg: good powder that fell between."""

    ccp: str
    since: float
    opened: float
    value: float
    limit: float
    text: Text
    until: float | None = None
    suspect_kg: float = 0.0


@dataclass(slots=True)
class DeviationBook:
    """What is broken now, by name of the limit. ``tick`` once per cycle; ``restart`` forgets what was good before."""

    current: dict[str, Deviation] = field(default_factory=dict)
    last_good: dict[str, float] = field(default_factory=dict)
    _last_bad: dict[str, float] = field(default_factory=dict)

    def tick(
        self,
        now: float,
        breaches: Mapping[str, Breach],
        watched: Mapping[str, bool],
        since: Mapping[str, float],
        suspect_kg: float = 0.0,
    ) -> list[Deviation]:
        """Returns deviations that opened, became worse or ended on this tick.

        Args:
            breaches: limits that are broken now.
            watched: limits that are looked at, and whether an episode of this limit may end now (powder settled
                inside again, or none is made). Limits that are not in it are left as they are.
            since: last good check, where that is not simply the last good reading; an earlier one than a deviation
                began with makes it reach back.
            suspect_kg: good powder newly marked suspect, shared by all that are broken.
        """
        changed: dict[str, Deviation] = {}
        for name, breach in breaches.items():
            self._last_bad[name] = now
            found = self.current.get(name)
            if found is None:
                good = since.get(name, self.last_good.get(name, now))
                found = Deviation(name, min(good, now), now, breach.value, breach.limit, breach.text)
                changed[name] = self.current[name] = found
            elif since.get(name, now) < found.since:  # what vouched for it is found to be worth nothing
                changed[name] = self.current[name] = replace(found, since=since[name])
            elif _is_worse(breach, found):
                found = replace(found, value=breach.value, limit=breach.limit, text=breach.text)
                changed[name] = self.current[name] = found
        if suspect_kg > 0.0:
            for name, found in self.current.items():
                changed[name] = self.current[name] = replace(found, suspect_kg=found.suspect_kg + suspect_kg)
        for name, may_end in watched.items():
            if name in breaches:
                continue
            if name in self.current:
                if may_end:
                    changed[name] = replace(self.current.pop(name), until=self._last_bad.pop(name, now))
                    self.last_good[name] = now
            else:
                self.last_good[name] = now
        return list(changed.values())

    def note_good(self, now: float, names: Iterable[str]) -> None:
        """As ``tick`` of these limits when none is broken, nor was: short, for that is so nearly always."""
        self.last_good.update(dict.fromkeys(names, now))


def _is_worse(breach: Breach, found: Deviation) -> bool:
    """Farther beyond the limit than the worst so far; a value is worth more than none."""
    if math.isnan(breach.value):
        return False
    if math.isnan(found.value):
        return True
    return abs(breach.value - breach.limit) > abs(found.value - found.limit) and breach.value != found.value
