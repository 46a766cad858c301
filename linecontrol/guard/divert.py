"""The first guard: powder outside a critical limit, or not measured well, never goes into a good bag.

The gate stands on good only while every critical limit is GOOD and inside, and has been for ``settle_s``. The moment
one is not, the gate is turned to rework and the good powder made since the last good reading is marked suspect, up to
the moment the gate is seen to have turned.

A limit may have a guard band for what its meter does not know (JCGM 106:2012, 8.3.2: guarded acceptance). A reading in
it turns the gate as well, and is no deviation: the limit is not broken, but nobody could vouch for it.

Words follow HACCP (Codex CXC 1-1969): critical limit, deviation, corrective action.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from linecontrol.core.model import Sample, Text


class Corrected(NamedTuple):
    """A reading corrected for the meter's bias, and whether a person has accepted that correction."""

    sample: Sample
    is_accepted: bool


@dataclass(frozen=True, slots=True)
class CriticalLimit:
    """One limit of a critical control point; low or high may be infinite. Unit is the tag's, of ``band`` as well: so
    far inside the limit powder is not accepted as good any more."""

    name: str
    tag: str
    low: float
    high: float
    title: Text
    source: str = ""
    band: float = 0.0

    @property
    def accepted(self) -> CriticalLimit:
        """The same limit, narrower by its guard band."""
        return replace(self, low=self.low + self.band, high=self.high - self.band, band=0.0)

    def judge(self, sample: Sample, corrected: Corrected | None = None) -> str | None:
        """Why this reading is a deviation, as a short sentence; None = inside.

        With a correction that nobody has accepted, both the reading as it is and the corrected one must be inside.
        """
        if corrected is not None and corrected.is_accepted:
            return self._judge(corrected.sample, " corrected for its bias")
        why = self._judge(sample, "")
        if why is None and corrected is not None:
            why = self._judge(corrected.sample, " corrected for its bias")
        return why

    def _judge(self, sample: Sample, how: str) -> str | None:
        if not sample.is_good:
            return f"{self.title.en} {self.tag} is not GOOD ({sample.status.text})"
        value = sample.number
        if value > self.high:
            return f"{self.title.en} {self.tag}{how} = {value:.2f} is above {self.high:g}"
        if value < self.low:
            return f"{self.title.en} {self.tag}{how} = {value:.2f} is below {self.low:g}"
        return None


@dataclass(frozen=True, slots=True)
class GateSettings:
    """Tags and positions of the divert gate. ``flow`` is the powder rate; below ``min_flow`` nothing is being made."""

    tag: str
    position: str
    good_total: str
    flow: str
    good: int = 0
    rework: int = 1
    waste: int = 2
    min_flow: float = 5.0
    settle_s: float = 20.0


class Verdict(NamedTuple):
    """What the guard wants now.

    Attributes:
        position: gate position to command.
        deviations: current deviations, by limit name; empty while nothing is being made.
        began, ended: True on the one tick at which good powder began or ceased to be diverted for a deviation.
        suspect_kg: good powder newly marked suspect on this tick.
        near: readings inside a limit but in its guard band, by limit name; empty while nothing is being made.
    """

    position: int
    deviations: Mapping[str, str]
    began: bool = False
    ended: bool = False
    suspect_kg: float = 0.0
    near: Mapping[str, str] = MappingProxyType({})


@dataclass(slots=True)
class DivertGuard:
    """Decides the gate from one look at the image per tick. State can be saved and restored.

    Attributes:
        tags: those it looks at.
    """

    settings: GateSettings
    limits: Sequence[CriticalLimit]
    inside_since: float | None = None
    last_good_total_kg: float | None = None
    is_deviating: bool = False
    is_open_interval: bool = False
    is_on_good: bool = False
    reasons: dict[str, str] = field(default_factory=dict)
    near: dict[str, str] = field(default_factory=dict)
    tags: frozenset[str] = field(init=False)
    _banded: list[CriticalLimit] = field(init=False)

    def __post_init__(self) -> None:
        settings = self.settings
        self.tags = frozenset({settings.position, settings.good_total, settings.flow, *(r.tag for r in self.limits)})
        self._banded = [limit.accepted for limit in self.limits if limit.band > 0.0]

    def tick(
        self,
        now: float,
        samples: Mapping[str, Sample],
        corrected: Mapping[str, Corrected] | None = None,
        doubts: Mapping[str, str] | None = None,
    ) -> Verdict:
        """One look.

        Args:
            now: line time [s].
            samples: must hold every tag of the limits and the gate.
            corrected: readings of limits' tags corrected for their meters' bias.
            doubts: reasons from elsewhere not to trust a measurement that reads well, by name: deviations as well.
        """
        settings, found = self.settings, corrected or {}
        reasons = {}
        for limit in self.limits:
            sample, other = samples[limit.tag], found.get(limit.tag)
            if other is None and sample.is_good and limit.low <= sample.number <= limit.high:
                continue  # as nearly always
            if (why := limit.judge(sample, other)) is not None:
                reasons[limit.name] = why
        reasons |= doubts or {}
        near = {
            limit.name: why
            for limit in self._banded
            if limit.name not in reasons and (why := limit.judge(samples[limit.tag], found.get(limit.tag))) is not None
        }
        flow = samples[settings.flow].number
        is_making = not flow < settings.min_flow  # an unknown flow counts as making powder
        total_kg = samples[settings.good_total].number
        position = samples[settings.position].number

        if not reasons and not near:
            self.inside_since = now if self.inside_since is None else self.inside_since
        else:
            self.inside_since = None
        is_settled = self.inside_since is not None and now - self.inside_since >= settings.settle_s
        wanted = settings.good if is_settled and is_making else settings.rework

        suspect_kg = self._mark(bool(reasons), total_kg, position)
        deviating = bool(reasons) and is_making and (self.is_deviating or self.is_on_good)
        began, ended = deviating and not self.is_deviating, self.is_deviating and (is_settled or not is_making)
        self.is_deviating = deviating or (self.is_deviating and not ended)
        self.is_on_good = wanted == settings.good
        self.reasons = reasons if is_making else {}
        self.near = near if is_making else {}
        return Verdict(wanted, self.reasons, began, ended, suspect_kg, self.near)

    def _mark(self, has_deviation: bool, total_kg: float, position: float) -> float:
        """Good powder since the last good reading, counted until the gate is seen off the good position."""
        if math.isnan(total_kg):
            # blind: whatever fell into the good bag since is counted when the scale can be read again
            self.is_open_interval = self.is_open_interval or has_deviation
            return 0.0
        if self.last_good_total_kg is None or total_kg < self.last_good_total_kg - 0.5:
            self.last_good_total_kg = total_kg  # first reading, or the PLC's counter was reset
        if has_deviation:
            self.is_open_interval = True
        if not self.is_open_interval:
            self.last_good_total_kg = total_kg
            return 0.0
        added_kg = max(0.0, total_kg - self.last_good_total_kg)
        self.last_good_total_kg = total_kg
        if not has_deviation or position != self.settings.good:
            self.is_open_interval = has_deviation
        return added_kg

    def to_dict(self) -> dict[str, Any]:
        """State for the run snapshot."""
        return {
            "last_good_total_kg": self.last_good_total_kg,
            "is_deviating": self.is_deviating,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up where a stopped controller left off: what was made meanwhile was made unseen, so it is suspect."""
        self.last_good_total_kg = state.get("last_good_total_kg")
        self.is_deviating = bool(state.get("is_deviating"))
        self.is_open_interval = True
        self.inside_since = None
