"""The loops of a line: their soft tags, their order, and who may move what.

Each loop shows MODE, SP (where it is going), WSP (working set point, after limits and ramp), OP, TEST (stage of a test
on it) and its gains as tags (``TIC-303.MODE`` ...), commanded through the gate like any register. Outer loops tick
before inner ones, so a cascade passes through in one cycle.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from linecontrol.config import LineConfig
from linecontrol.control.forms import IsaGains
from linecontrol.control.loop import Loop, LoopInputs, LoopOutput, LoopSettings, Mode
from linecontrol.control.resolution import Resolution
from linecontrol.control.wear import Wear
from linecontrol.core.errors import ConfigError, DeviceRefused, Problem
from linecontrol.core.image import ProcessImage
from linecontrol.core.model import DataType, Sample, Tag, Text, Value
from linecontrol.guard.divert import CriticalLimit
from linecontrol.line.lab_due import LabCheck
from linecontrol.line.loop_tests import STAGES, LoopSight, LoopTests
from linecontrol.line.moisture import DRIFT, Before, MoistureStrategy
from linecontrol.line.soft import DECIMALS

STATION = "line"
_GAIN_KEYS = ("K", "TI", "TD")
_NO_INTEGRAL_S = 1e6
_SHOWN = ("TRAVEL", "TURNS", "MODE", "SP", "WSP", "OP", "TEST", *_GAIN_KEYS)
REVERSAL_SHARE = 0.005  # of the output's span: a smaller turn is noise, no reversal


@dataclass(slots=True)
class _Wish:
    """Commands that wait for the next tick."""

    mode: Mode | None = None
    sp: float | None = None
    op: float | None = None
    gains: dict[str, float] = field(default_factory=dict)


_NO_WISH = _Wish()


class Write(NamedTuple):
    """A loop wants its actuator moved."""

    tag: str
    value: float
    who: str


class _Place(NamedTuple):
    """A loop among the others, put together once: what never changes of it is not looked up in every cycle.

    Attributes:
        outer: the loop over it; None = none.
        needs, least: what it controls is missing while this tag is below; "" = it needs nothing.
    """

    name: str
    loop: Loop
    row: LoopSettings
    outer: str | None
    needs: str
    least: float


class LoopBank:
    """All loops of a line. ``tick`` once per control cycle; commands arrive by ``on_write`` between ticks."""

    def __init__(
        self,
        settings: Sequence[LoopSettings],
        titles: Mapping[str, Text],
        units: Mapping[str, str],
        image: ProcessImage,
        needs: Mapping[str, tuple[str, float]] | None = None,
        best: Callable[[str, Sample], Sample] = lambda _tag, sample: sample,
        strategies: Mapping[str, MoistureStrategy] | None = None,
    ) -> None:
        """``best``: the sample of a measurement as it may be acted on, e.g. corrected for its meter's bias."""
        self.settings = {row.name: row for row in settings}
        self._titles, self._units, self._image = titles, units, image
        self.doubted: dict[str, Text] = {}
        self._needs = dict(needs or {})
        self._best = best
        self.strategies = dict(strategies or {})
        spans = {row.name: row.pid.op_high - row.pid.op_low for row in settings}
        self.wear = {name: Wear(REVERSAL_SHARE * span) for name, span in spans.items()}
        self._fine = {row.name: Resolution(row.op_resolution, row.op_resolution_s) for row in settings}
        self._loops = {row.name: Loop(row) for row in settings}
        self._outer_of = {row.inner: row.name for row in settings if row.inner is not None}
        self._places = [
            _Place(name, self._loops[name], self.settings[name], self._outer_of.get(name), *self._needs_of(name))
            for name in _outer_first(self.settings)
        ]
        self._askers = {row.name: f"loop:{row.name}" for row in settings}
        self._wishes: dict[str, _Wish] = {}
        self.outputs: dict[str, LoopOutput] = {}
        self._answered: dict[str, float] = {}
        self.tests = LoopTests(settings)
        self._shown = {name: [f"{name}.{key}" for key in _SHOWN] for name in self._loops}

    # -- tags
    def show(self) -> dict[str, Value | None]:
        """Present value of every soft tag of every loop; None where there is nothing to show."""
        values: dict[str, Value | None] = {}
        for strategy in self.strategies.values():
            values |= strategy.show()
        for name, loop in self._loops.items():
            gains, mode = loop.settings.pid, loop.mode
            out, wear = self.outputs.get(name), self.wear[name]
            sp = out.sp_target if out is not None else loop.sp_local
            shown = (
                wear.travel_shown,
                wear.reversals,
                int(mode),
                round(sp, DECIMALS) if mode is Mode.CAS or mode is Mode.REMOTE else sp,
                out.sp if out is not None else loop.sp,
                loop.pid.out,
                self.tests.stage_number(name),
                gains.k,
                gains.ti_s if math.isfinite(gains.ti_s) else _NO_INTEGRAL_S,
                gains.td_s,
            )
            values.update(zip(self._shown[name], shown, strict=True))
        return values

    def on_write(self, name: str, value: Value) -> None:
        """A command the gate has passed. Raises DeviceRefused when the loop itself cannot take it now."""
        loop_name, _, key = name.rpartition(".")
        if loop_name in self.strategies and key == "STRATEGY":
            self.strategies[loop_name].on_write(key, value)
            return
        self.tests.give_way([loop_name], f"a command came: {name} = {value}")
        number, wish = float(value), self._wishes.setdefault(loop_name, _Wish())
        if key == "MODE":
            mode = Mode(int(number))
            pv = self._image.latest(self.settings[loop_name].pv)
            leaves_man = mode is not Mode.MAN and self._loops[loop_name].mode is Mode.MAN
            if leaves_man and not pv.is_good and not self._lacks_work(self._image.latest, loop_name):
                raise DeviceRefused(f"{loop_name} cannot leave Man: its PV {self.settings[loop_name].pv} is not GOOD")
            wish.mode = mode
        elif key == "SP":
            wish.sp = number
        elif key == "OP":
            wish.op = number
        elif key in _GAIN_KEYS:
            wish.gains[key] = number
        else:
            raise DeviceRefused(f"{name} is read-only")

    def mode_of(self, name: str) -> Mode:
        """Mode as it will be at the next tick."""
        wanted = self._wishes.get(name, _NO_WISH).mode
        return self._loops[name].mode if wanted is None else wanted

    def is_own(self, who: str, tag: str) -> bool:
        """Whether this asker is the loop that moves this actuator."""
        row = self.settings.get(who.removeprefix("loop:")) if who.startswith("loop:") else None
        return row is not None and row.op == tag

    def owner_of(self, tag: str) -> tuple[str, str] | None:
        """Who moves this actuator or soft tag, when it is a loop; None = no loop does."""
        for name, row in self.settings.items():
            mode = self.mode_of(name)
            if tag == row.op and mode is not Mode.MAN and row.inner is None:
                return f"loop:{name}", f"{name} is in {mode.name}"
            if tag == f"{name}.OP" and mode is not Mode.MAN:
                return f"loop:{name}", f"{name} is in {mode.name}; its output is its own until it is in MAN"
            if tag == f"{name}.SP" and mode in (Mode.CAS, Mode.REMOTE):
                source = self._outer_of.get(name, "its ratio") if mode is Mode.CAS else "its ratio"
                return f"loop:{name}", f"{name} is in {mode.name}; its set point comes from {source}"
        return None

    def gains_of(self, name: str) -> IsaGains:
        """The gains the loop works with."""
        pid = self._loops[name].settings.pid
        return IsaGains(pid.k, pid.ti_s, pid.td_s, pid.n, pid.b, pid.c)

    def set_gains(self, name: str, gains: IsaGains) -> None:
        """All gains of a loop at once; bumpless at its next tick."""
        self._loops[name].set_gains(gains)

    # -- control
    def tick(self, dt_s: float, now: float, is_available: Callable[[str], bool]) -> list[Write]:
        """One control cycle. ``is_available(tag)``: this actuator may be written to now."""
        writes = []
        look, outputs, manual = self._image.as_of(now).__getitem__, self.outputs, Mode.MAN
        for name, loop, row, outer, needs, least in self._places:
            wish = self._wishes.pop(name, _NO_WISH)
            inner = outputs.get(row.inner) if row.inner else None
            outer_out = outputs.get(outer) if outer else None
            mode = loop.mode if wish.mode is None else wish.mode
            rests = bool(needs) and mode is not manual and look(needs).number < least  # not for NaN
            raw, strategy, override = look(row.pv), self.strategies.get(name), None
            pv = self._best(row.pv, raw)
            if strategy is not None:
                below = inner.downstream if inner is not None else None
                is_free = not rests and (below is None or below.in_cascade)
                answered = self._image.answered(row.pv)
                is_new, self._answered[name] = answered != self._answered.get(name), answered
                pv, override = strategy.before(Before(loop, mode, look, pv, raw, below, is_free, dt_s, now, is_new))
            available = row.inner is not None or is_available(row.op)
            lead = None
            if name in self.tests.running:
                sight = LoopSight(row, loop, outputs.get(name), inner, pv, available, not rests)
                lead = self.tests.lead(name, sight, now, dt_s)
            out = loop.tick(
                LoopInputs(
                    dt_s,
                    pv,
                    wish.mode,
                    wish.sp,
                    wish.op,
                    self._gains(loop, wish.gains) if wish.gains else None,
                    override=override,
                    cascade_sp=outer_out.output if outer_out is not None else None,
                    ratio=look(row.ratio.tag) if row.ratio is not None else None,
                    downstream=inner.downstream if inner is not None else None,
                    readback=look(row.op) if row.inner is None else None,
                    op_available=not rests and available,
                    lead=lead,
                )
            )
            outputs[name] = out
            if strategy is not None:
                strategy.after(out, now)
            if row.inner is None and (op := self._worth_writing(name, out, look, dt_s)) is not None:
                writes.append(Write(row.op, op, self._askers[name]))
        for name, out in outputs.items():
            inner_name = self.settings[name].inner
            inner = outputs.get(inner_name) if inner_name else None
            self.wear[name].see(out.output if inner is None else inner.sp, dt_s)
        return writes

    def _worth_writing(self, name: str, out: LoopOutput, look: Callable[[str], Sample], dt_s: float) -> float | None:
        """What is written, None where the actuator could not tell. What a person, a phase or a test asks for is always
        written as asked."""
        fine, row = self._fine[name], self.settings[name]
        if fine.smallest == 0.0 or out.mode is Mode.MAN or out.led or out.op is None:
            return out.op
        pid, wanted = row.pid, fine.rounded(out.op)
        is_seen = fine.passes(wanted, look(row.op).number, dt_s, low=pid.op_low, high=pid.op_high)
        return wanted if is_seen else None

    def hear(self, meter: str, check: LabCheck, now: float) -> None:
        """The laboratory has spoken of this meter."""
        for strategy in self.strategies.values():
            if strategy.row.nir == meter:
                strategy.hear(check, now)

    def doubts(self, limits: Sequence[CriticalLimit] = ()) -> dict[str, Text]:
        """What the loops' models hold against their meters, as deviations for the guard: a meter that cannot be
        believed, or a reading that without its drift lies outside its critical limit. Kept in ``doubted``."""
        found: dict[str, Text] = {}
        for name, strategy in self.strategies.items():
            meter, title, value = strategy.row.nir, self._titles[name], strategy.believed
            for flag, why in strategy.doubts.items():
                found[f"{name}-{flag}"] = Text(f"{title.en} {meter} {why.en}", f"水分仪 {meter} {why.zh}")
            for limit in limits:
                if limit.tag == meter and math.isfinite(value) and not limit.low <= value <= limit.high:
                    found[f"{name}-{DRIFT}"] = Text(
                        f"{title.en} {meter} without its drift = {value:.2f} is outside {limit.name}",
                        f"水分仪 {meter} 扣除漂移后为 {value:.2f}，超出 {limit.name}",
                    )
        self.doubted = found
        return found

    def _lacks_work(self, look: Callable[[str], Sample], name: str) -> bool:
        """True while what a loop controls is known to be missing: it rests, and a missing PV is no fault."""
        tag, least = self._needs_of(name)
        return bool(tag) and look(tag).number < least  # not for NaN

    def _needs_of(self, name: str) -> tuple[str, float]:
        return self._needs.get(name, ("", 0.0))

    @staticmethod
    def _gains(loop: Loop, changed: Mapping[str, float]) -> IsaGains:
        pid = loop.settings.pid
        return IsaGains(
            changed.get("K", pid.k), changed.get("TI", pid.ti_s), changed.get("TD", pid.td_s), pid.n, pid.b, pid.c
        )

    def release(self, names: Sequence[str] | None = None) -> None:
        """Put these loops (or all) in MAN at the next tick: something else moves their outputs now."""
        wanted = list(self._loops if names is None else names)
        self.tests.give_way(wanted, "safe outputs are written")
        for name in wanted:
            self._wishes[name] = _Wish(mode=Mode.MAN)

    def moving(self, tags: Sequence[str]) -> list[str]:
        """Loops that move one of these actuators, with the outer loops over them."""
        found = [name for name, row in self.settings.items() if row.op in tags]
        for name in list(found):
            while (outer := self._outer_of.get(name)) is not None:
                found.append(outer)
                name = outer
        return found

    def view(self, now: float) -> dict[str, dict[str, Any]]:
        """PV, SP, OP and mode of each loop, for people."""
        rows = {}
        for name, row in self.settings.items():
            loop, out = self._loops[name], self.outputs.get(name)
            pv: Sample = self._best(row.pv, self._image.at(row.pv, now))
            rows[name] = {
                "title": self._titles[name].en,
                "title_zh": self._titles[name].zh,
                "unit": self._units[name],
                "pv_tag": row.pv,
                "op_tag": row.op,
                "mode": loop.mode.name,
                "test": self.tests.view(name),
                "pv": pv.number if pv.is_good else None,
                "sp": out.sp if out is not None and loop.mode is not Mode.MAN else None,
                "op": loop.pid.out,
                "holding": bool(out and out.holding),
                "limited": [word for word in ("high", "low", "rate") if out is not None and getattr(out, word)],
                "travel_per_h": round(self.wear[name].travel, 1),
                "turns_per_h": self.wear[name].reversals,
                **(self.strategies[name].view() if name in self.strategies else {}),
            }
        return rows


def _outer_first(settings: Mapping[str, LoopSettings]) -> list[str]:
    """Names ordered so that an outer loop comes before its inner one. Raises ValueError on a circle."""
    order: list[str] = []

    def place(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise ValueError(f"loops {' -> '.join((*path, name))} form a circle")
        if name in order:
            return
        for other, row in settings.items():
            if row.inner == name:
                place(other, (*path, name))
        order.append(name)

    for name in settings:
        place(name, ())
    return order


def soft_tags(
    settings: Sequence[LoopSettings], titles: Mapping[str, Text], units: Mapping[str, str], op_units: Mapping[str, str]
) -> list[Tag]:
    """The soft tags of these loops."""
    outer_of = {row.inner for row in settings if row.inner is not None}
    tags = []
    for row in settings:
        name, title, unit = row.name, titles[row.name], units[row.name]
        modes = [(0, "MAN"), (1, "AUTO")]
        if name in outer_of:
            modes.append((2, "CAS"))
        if row.ratio is not None:
            modes.append((3, "REMOTE"))

        def tag(
            key: str,
            en: str,
            zh: str,
            unit: str = "",
            low: float = -math.inf,
            high: float = math.inf,
            *,
            writable: bool = True,
            kind: DataType = DataType.FLOAT64,
            choices: Sequence[tuple[int, str]] = (),
            name: str = name,
            title: Text = title,
        ) -> Tag:
            words = Text(f"{title.en}, {en}", f"{title.zh}{zh}")
            return Tag(
                f"{name}.{key}",
                STATION,
                words,
                unit,
                kind,
                f"{name}.{key}",
                low=low,
                high=high,
                writable=writable,
                choices=tuple(choices),
            )

        pid = row.pid
        tags += [
            tag("MODE", "mode", "模式", low=0, high=3, kind=DataType.UINT16, choices=modes),
            tag("SP", "set point", "设定值", unit, row.sp_low, row.sp_high),
            tag("WSP", "working set point", "工作设定值", unit, row.sp_low, row.sp_high, writable=False),
            tag("OP", "output", "输出", op_units[name], pid.op_low, pid.op_high),
            tag(
                "TEST",
                "test",
                "整定测试",
                low=0,
                high=len(STAGES),
                writable=False,
                kind=DataType.UINT16,
                choices=[(0, "none"), *((n, stage.value) for n, stage in enumerate(STAGES, 1))],
            ),
            tag("K", "gain", "增益", "", 1e-6, 1e4),
            tag("TI", "integral time", "积分时间", "s", 0.1, 1e6),
            tag("TD", "derivative time", "微分时间", "s", 0.0, 1e5),
            tag("TRAVEL", "movement in the last hour", "近一小时动作量", op_units[name], 0.0, writable=False),
            tag("TURNS", "reversals in the last hour", "近一小时换向次数", low=0, writable=False, kind=DataType.UINT32),
        ]
    return tags


def loop_settings(config: LineConfig) -> list[LoopSettings]:
    """The loops of a line file. Raises ConfigError naming loop, key and accepted range."""
    rows = []
    for loop in config.line.loops:
        try:
            rows.append(
                LoopSettings.from_row(
                    loop.model_dump(exclude_none=True, exclude={"needs", "moisture", "no_effect"}),
                    config.line.control_period_s,
                )
            )
        except ValueError as error:
            raise ConfigError([Problem(str(config.path), None, f"loops.{loop.name}", str(error))]) from None
    return rows


def loop_needs(config: LineConfig) -> dict[str, tuple[str, float]]:
    """What each loop needs: a tag and the value below which there is nothing to control."""
    return {loop.name: (loop.needs.tag, loop.needs.min) for loop in config.line.loops if loop.needs is not None}


def loop_words(config: LineConfig) -> tuple[dict[str, Text], dict[str, str], dict[str, str]]:
    """Title, unit and unit of the output of each loop."""
    units = {tag.name: tag.unit for tag in config.tags}
    loops = {loop.name: loop for loop in config.line.loops}
    titles = {name: Text(loop.title.en, loop.title.zh) for name, loop in loops.items()}
    own = {name: loop.unit for name, loop in loops.items()}
    ops = {name: own.get(loop.op.removesuffix(".SP"), units.get(loop.op, "")) for name, loop in loops.items()}
    return titles, own, ops
