"""A model-based strategy over a moisture loop: who decides its output, when it falls back, and what the guard is told.

The loop stays the loop: its modes, limits, rate, downstream blocks, rests and bad-PV rules hold whatever the strategy.
In AUTO the model decides the output and the loop's PID tracks it, so that every change between them is bumpless:

| situation | output | then |
|---|---|---|
| STRATEGY is PID | the loop's PID; the model follows | |
| another strategy, model healthy | the model's; the PID tracks it | |
| model fails, or is blind (inlet not GOOD) | the PID goes on from there; FALLBACK, an alarm | back after 60 s healthy |
| meter not GOOD, estimate certain enough | the estimate stands in for it, at most ``bridge_s`` | the loop's own hold |
| meter stuck, or model and meter disagree | as the model says | an alarm; the guard diverts |
| nothing watches the meter, and no laboratory value has come for long | as the model says | an alarm |
| meter drifts a little | as the model says | an alarm; the guard judges the reading without the drift too |

While a meter is bridged the guard still sees that it is not GOOD: control goes on, powder goes to rework.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from math import isfinite
from typing import Any, NamedTuple, Protocol

from linecontrol.config.line import Loop as LoopRow
from linecontrol.config.line import Moisture
from linecontrol.control.loop import Downstream, Loop, LoopOutput, Mode
from linecontrol.core.errors import DeviceRefused
from linecontrol.core.model import DataType, Event, Sample, Severity, Status, Tag, Text, Value
from linecontrol.line.lab_due import FLAG, LabCheck, LabDue

log = logging.getLogger(__name__)

STATION = "line"
SURE_S = 3.0  # a flag must last so long before the meter is doubted for it
HEALTHY_S = 60.0  # without a fault for so long before the model decides again
DOUBTS = {
    "nir-stuck": Text("does not move although the dryer does", "读数不动，但干燥工况在变"),
    "disagreement": Text("and the dryer's balance disagree", "与干燥热量衡算不符"),
}
"""Flags of the model that make the meter's reading no basis for good bags, and what they say of the meter."""

NO_FEED = "no-feed"
DRIFT = "nir-drift"
"""The meter moves away from the dryer, but not yet far: the guard also judges the reading without that drift."""
NO_LOAD = "load-missing"
"""Cake moisture or feed rate is not GOOD: the model takes its last level, and cannot meet what comes."""


class Strategy(IntEnum):
    """Who decides the output in AUTO. Values are those of the tag STRATEGY."""

    PID = 0
    CASCADE = 1
    FEEDFORWARD = 2
    PREDICTIVE = 3


class DryerLook(NamedTuple):
    """What the dryer shows now; NaN where it is not GOOD.

    Attributes:
        inlet_sp_c: working set point of the inlet air that really applies.
        moisture_pct_wb: the meter's reading as it came: a stuck one is known by not changing in the least.
        is_new: that it was read since the last look; the same reading seen twice is not a stuck one.
    """

    inlet_sp_c: float
    inlet_c: float
    outlet_c: float
    product_c: float
    moisture_pct_wb: float
    cake_pct_wb: float
    feed_kg_h: float
    ambient_c: float
    ambient_rh_pct: float
    is_new: bool = True


class Answer(NamedTuple):
    """What the model wants and knows.

    Attributes:
        inlet_sp_c: set point of the inlet air; NaN = it cannot say.
        estimate, estimate_u: moisture of the powder and its standard uncertainty [% wb]; NaN = unknown.
        bias: meter (corrected by the laboratory) less powder, as far as the dryer tells [% wb].
        flags: short words, e.g. "nir-stuck", "fallback".
    """

    inlet_sp_c: float
    estimate: float = math.nan
    estimate_u: float = math.nan
    bias: float = 0.0
    flags: tuple[str, ...] = ()


class Brain(Protocol):
    """The model-based controller as a strategy uses it. Called every cycle, also while it does not decide."""

    @property
    def watches_meter(self) -> bool:
        """Whether the dryer tells when its meter drifts."""

    def hear_laboratory(self, bias: float, u: float, age_s: float) -> None:
        """The corrected meter read ``bias`` ± ``u`` too much when a sample was taken ``age_s`` ago."""

    def step(
        self,
        look: DryerLook,
        *,
        set_point: float,
        strategy: Strategy,
        limits: tuple[float, float],
        meter_bias: float,
        leads: bool,
        is_wanted: bool,
        dt_s: float,
    ) -> Answer:
        """One cycle. May raise anything.

        Args:
            meter_bias: what the laboratory's values have found [% wb]; to be taken off the reading.
            leads: its answer decides; else somebody else does, and it is to follow what is applied.
            is_wanted: it would decide if it were fit to.
        """


class Before(NamedTuple):
    """A loop just before its tick.

    Attributes:
        look: the sample of a tag as it may be acted on. mode: after the command that waits, if any.
        pv: the loop's measurement, corrected for its meter's bias. raw: the same as it came.
        is_free: the loop may move its output (its inner loop listens, there is work).
        is_new: its station has answered since the last tick; False = the measurement is that of the tick before.
    """

    loop: Loop
    mode: Mode
    look: Callable[[str], Sample]
    pv: Sample
    raw: Sample
    inner: Downstream | None
    is_free: bool
    dt_s: float
    now: float
    is_new: bool = True


@dataclass
class MoistureStrategy:
    """The strategy of one loop. ``before`` and ``after`` around each of its ticks.

    Attributes:
        fallback: why the PID decides although another strategy is wanted; "" = it does not.
        doubts: what is wrong with the meter, by flag; for the guard.
        believed: the reading less the drift that the dryer shows [% wb]; NaN = no drift is seen.
    """

    loop: LoopRow
    row: Moisture
    brain: Brain
    emit: Callable[[Event], None]
    wanted: Strategy = Strategy.PID
    answer: Answer = Answer(math.nan)  # noqa: RUF009 - a tuple of numbers, shared like any number
    fallback: str = ""
    meter_bias: float = 0.0  # what the laboratory has found, as it is applied
    healthy_s: float = 0.0
    bridged_s: float = 0.0
    good_s: float = 0.0
    is_bridging: bool = False
    is_drifting: bool = False
    lacks_load: bool = False
    decides: bool = False
    believed: float = math.nan
    doubts: dict[str, Text] = field(default_factory=dict)
    _logged: str = ""
    _flagged_s: dict[str, float] = field(default_factory=dict)
    _missing: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.wanted = Strategy[self.row.mode.upper()]
        row, name = self.row, self.name
        self._tags = (row.inlet, row.outlet, row.product, row.cake, row.feed, row.ambient, row.humidity)
        self._shown = [f"{name}.{key}" for key in ("STRATEGY", "EST", "EST_U", "FALLBACK", "BRIDGE", "FLAGS")]
        self.due = LabDue(self.row.nir, None if self.brain.watches_meter else self.row.lab_every_h, self.emit)

    @property
    def name(self) -> str:
        return self.loop.name

    # -- around the loop's tick
    def before(self, x: Before) -> tuple[Sample, float | None]:
        """The measurement the loop is to believe, and the output that overrides its PID (None = the PID decides)."""
        wants = self.wanted is not Strategy.PID and x.mode is Mode.AUTO and x.is_free
        if x.pv.is_good:
            self.meter_bias = x.raw.number - x.pv.number
        failure = self._think(x, wants)
        self._judge(failure, wants, x)
        self._doubt(x.now, x.dt_s, wants=wants)
        self.decides = wants and not self.fallback
        pv = x.pv
        if "nir-stuck" in self.doubts and pv.is_good:
            pv = pv._replace(status=Status.UNCERTAIN_SENSOR_NOT_ACCURATE)
        self.believed = pv.number - self.answer.bias if DRIFT in self.answer.flags else math.nan
        return self._bridged(x, pv), self.answer.inlet_sp_c if self.decides else None

    def hear(self, check: LabCheck, now: float) -> None:
        """The laboratory has spoken of the meter."""
        self.brain.hear_laboratory(check.left, check.u, max(check.age_s, 0.0))
        self.due.checked(check.age_s, now)

    def after(self, out: LoopOutput, now: float) -> None:
        """The loop has ticked: what it holds or drops is not the model's any more."""
        if out.holding or out.safe or out.mode is not Mode.AUTO:
            self.decides = False
        if out.safe and self.is_bridging:
            self._end_bridge(now, "the loop has let go")

    def _think(self, x: Before, wants: bool) -> str:
        """Let the model take its step; returns why it is of no use now, "" when it is."""
        leads = wants and not self.fallback
        pid = x.loop.settings.pid
        low, high = pid.op_low, pid.op_high
        out = x.loop.pid.out
        there = out if x.inner is None or not isfinite(x.inner.sp) else x.inner.sp
        if x.inner is not None and leads:  # asking for more would change nothing: the model must not count on it
            high = max(low, min(high, there)) if x.inner.blocks_up else high
            low = min(high, max(low, there)) if x.inner.blocks_down else low
        row = self.row
        inlet, outlet, product, cake, feed, ambient, humidity = [x.look(tag).number for tag in self._tags]
        look = DryerLook(there, inlet, outlet, product, x.raw.number, cake, feed, ambient, humidity, is_new=x.is_new)
        self._missing = tuple(tag for tag, value in ((row.cake, cake), (row.feed, feed)) if not isfinite(value))
        strategy = self.wanted if self.wanted is not Strategy.PID else Strategy[row.mode.upper()]
        try:
            self.answer = self.brain.step(
                look,
                set_point=x.loop.sp,
                strategy=strategy,
                limits=(low, high),
                meter_bias=self.meter_bias,
                leads=leads,
                is_wanted=wants,
                dt_s=x.dt_s,
            )
        except Exception as error:
            self.answer = Answer(math.nan)
            failure = f"the model failed: {type(error).__name__}: {error}"
            if failure != self._logged:  # once, not once a second
                self._logged = failure
                log.exception("%s: the model failed", self.name)
            return failure
        if not isfinite(self.answer.inlet_sp_c):
            return "the model gives no set point"
        if not isfinite(look.inlet_c):
            return f"the inlet air {row.inlet} is not GOOD"
        if "fallback" in self.answer.flags:
            return "the model no longer foretells the meter"
        return ""

    def _judge(self, failure: str, wants: bool, x: Before) -> None:
        """Begin and end the fallback."""
        if self.fallback and self.wanted is Strategy.PID:
            self.fallback = ""
            text = f"{self.name}: PID was chosen; it no longer stands in for the model"
            self.emit(Event(x.now, "moisture.fallback", self.name, text, Severity.ALARM, active=False))
        if failure:
            self.healthy_s = 0.0
            if not self.fallback and wants:
                self.fallback = failure
                text = f"{self.name}: {self.wanted.name} falls back to PID: {failure}"
                self.emit(Event(x.now, "moisture.fallback", self.name, text, Severity.ALARM, active=True))
            return
        self.healthy_s += x.dt_s
        if self.fallback and self.healthy_s >= HEALTHY_S:
            self.fallback = ""
            text = f"{self.name}: the model is healthy; {self.wanted.name} decides again"
            self.emit(Event(x.now, "moisture.fallback", self.name, text, Severity.ALARM, active=False))

    def _doubt(self, now: float, dt_s: float, *, wants: bool) -> None:
        """Tell of what the model thinks of the meter when it begins and ends."""
        if NO_FEED in self.answer.flags:
            return  # nothing to judge the meter by: what was thought of it stands until powder comes again
        self.due.dried(dt_s, now)
        if not (self.answer.flags or self._flagged_s or self.doubts or self.is_drifting or self.lacks_load):
            return  # as nearly always: nothing is noted, and nothing was
        flags = set(self.answer.flags)
        self._flagged_s = {flag: self._flagged_s.get(flag, 0.0) + dt_s for flag in flags}
        lasting = {flag for flag, seconds in self._flagged_s.items() if seconds >= SURE_S}
        found = {flag: DOUBTS[flag] for flag in DOUBTS if flag in lasting or (flag in flags and flag in self.doubts)}
        self._tell_drift(now)
        # Before the loop is in automatic nobody misses it: at a start there is no reading yet, and no cake.
        self._tell_load(now, is_missing=wants and NO_LOAD in (flags if self.lacks_load else lasting))
        for flag in found.keys() - self.doubts.keys():
            text = f"{self.row.nir} {found[flag].en}: {self._figures()}; powder is diverted until it is cleared up"
            self.emit(Event(now, f"moisture.{flag}", self.row.nir, text, Severity.ALARM, active=True))
        for flag in self.doubts.keys() - found.keys():
            text = f"{self.row.nir}: {flag} no longer"
            self.emit(Event(now, f"moisture.{flag}", self.row.nir, text, Severity.ALARM, active=False))
        self.doubts = found

    def _tell_drift(self, now: float) -> None:
        drifts = DRIFT in self.answer.flags
        if drifts is self.is_drifting:
            return
        self.is_drifting = drifts
        text = f"{self.row.nir}: no drift is seen any more"
        if drifts:
            text = (
                f"{self.row.nir} drifts: {self.answer.bias:+.2f} {self.loop.unit} against what the dryer says; "
                "the critical limit is judged without the drift as well"
            )
        self.emit(Event(now, "moisture.nir-drift", self.row.nir, text, Severity.ALARM, active=drifts))

    def _tell_load(self, now: float, *, is_missing: bool) -> None:
        if is_missing is self.lacks_load:
            return
        self.lacks_load = is_missing
        text = f"{self.name}: all its loads are measured again"
        if self._missing:
            text = f"{self.name} no longer decides; {', '.join(self._missing)} is still not GOOD"
        if is_missing:
            text = f"{self.name} goes without {', '.join(self._missing)}, which is not GOOD: its last level is taken"
        self.emit(Event(now, "moisture.load-missing", self.name, text, Severity.ALARM, active=is_missing))

    def _figures(self) -> str:
        a = self.answer
        return f"estimate {a.estimate:.2f} ± {a.estimate_u:.2f}" if isfinite(a.estimate) else "no estimate"

    def _bridged(self, x: Before, pv: Sample) -> Sample:
        """The meter's sample, or for a bounded time the estimate in its place."""
        a = self.answer
        if pv.is_good:
            self.good_s += x.dt_s
            if self.is_bridging:
                self._end_bridge(x.now, "the meter is GOOD again")
            if self.good_s >= HEALTHY_S:
                self.bridged_s = 0.0
            return pv
        self.good_s = 0.0
        can = isfinite(a.estimate) and a.estimate_u <= self.row.bridge_u and self.bridged_s < self.row.bridge_s
        if x.mode is not Mode.AUTO or not x.is_free or self.fallback or not can:
            if self.is_bridging:
                self._end_bridge(x.now, "the estimate is no longer certain enough, or its time is over")
            return pv
        if not self.is_bridging:
            self.is_bridging = True
            left_s = self.row.bridge_s - self.bridged_s
            text = f"{self.row.nir} is {pv.status.text}: the estimate stands in for it, at most {left_s:.0f} s"
            self.emit(Event(x.now, "moisture.bridge", self.row.nir, text, Severity.ALARM, active=True))
        self.bridged_s += x.dt_s
        return Sample(a.estimate, Status.GOOD, x.now)

    def _end_bridge(self, now: float, why: str) -> None:
        self.is_bridging = False
        text = f"{self.row.nir} is no longer replaced by the estimate: {why}"
        self.emit(Event(now, "moisture.bridge", self.row.nir, text, Severity.ALARM, active=False))

    # -- tags
    @property
    def flags(self) -> tuple[str, ...]:
        """What the model notes, and whether a laboratory value is due."""
        return (*self.answer.flags, FLAG) if self.due.is_due else self.answer.flags

    def show(self) -> dict[str, Value | None]:
        """Present value of every soft tag; None where there is nothing to show."""
        a = self.answer
        shown: tuple[Value | None, ...] = (
            int(self.wanted),
            a.estimate if isfinite(a.estimate) else None,
            a.estimate_u if isfinite(a.estimate_u) else None,
            int(bool(self.fallback)),
            int(self.is_bridging),
            " ".join(self.flags),
        )
        return dict(zip(self._shown, shown, strict=True))

    def on_write(self, key: str, value: Value) -> None:
        """A command for one of its tags. Raises DeviceRefused."""
        if key != "STRATEGY":
            raise DeviceRefused(f"{self.name}.{key} is read-only")
        self.wanted = Strategy(int(value))

    def view(self) -> dict[str, Any]:
        """For people."""
        a = self.answer
        return {
            "strategy": self.wanted.name,
            "decides": self.wanted.name if self.decides else "PID",
            "estimate": round(a.estimate, 3) if isfinite(a.estimate) else None,
            "estimate_u": round(a.estimate_u, 3) if isfinite(a.estimate_u) else None,
            "fallback": self.fallback or None,
            "is_bridging": self.is_bridging,
            "flags": list(self.flags),
            "lab_due_h": None if self.due.left_h is None else round(self.due.left_h, 2),
        }


def moisture_tags(rows: Sequence[LoopRow]) -> list[Tag]:
    """The soft tags of the loops that have a strategy."""
    tags = []
    for row in rows:
        if row.moisture is None or row.moisture.model is None:
            continue

        def tag(
            key: str,
            en: str,
            zh: str,
            unit: str = "",
            kind: DataType = DataType.UINT16,
            choices: Sequence[tuple[int, str]] = (),
            *,
            of: LoopRow = row,
            writable: bool = False,
        ) -> Tag:
            name, words = f"{of.name}.{key}", Text(f"{of.title.en}, {en}", f"{of.title.zh}{zh}")
            return Tag(name, STATION, words, unit, kind, name, writable=writable, choices=tuple(choices))

        yes = ((0, "no"), (1, "yes"))
        strategies = [(int(one), one.name) for one in Strategy]
        tags += [
            tag("STRATEGY", "strategy", "控制策略", choices=strategies, writable=True),
            tag("EST", "estimate", "软测量估计值", row.unit, DataType.FLOAT64),
            tag("EST_U", "standard uncertainty of the estimate", "估计值标准不确定度", row.unit, DataType.FLOAT64),
            tag("FALLBACK", "fallen back to PID", "已退回 PID", choices=yes),
            tag("BRIDGE", "estimate stands in for the meter", "估计值暂代水分仪", choices=yes),
            tag("FLAGS", "what the model notes", "模型提示", kind=DataType.STRING),
        ]
    return tags
