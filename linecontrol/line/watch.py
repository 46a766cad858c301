"""Watches for what must hold a run: a station away too long, a PLC trip, a loop whose measurement stays bad or whose
output is without effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from linecontrol.config import LineConfig
from linecontrol.control.effect import EffectLimit, EffectState, watch_effect
from linecontrol.control.loop import Mode
from linecontrol.control.loop_io import LoopOutput
from linecontrol.core.clock import Clock
from linecontrol.core.image import ProcessImage
from linecontrol.core.model import Text
from linecontrol.recipe.states import RunState

if TYPE_CHECKING:
    from linecontrol.core.station import Station
    from linecontrol.line.loops import LoopBank


class PlantWatch:
    """Looks at the image once per control cycle."""

    def __init__(self, config: LineConfig, clock: Clock) -> None:
        self._titles = {
            name: Text(f"{row.profile.title.en} ({name})", f"{row.profile.title.zh}（{name}）")
            for name, row in config.stations.items()
        }
        self._trip_tags = {
            name: (station.profile.trip, next(t.title for t in station.tags if t.name == station.profile.trip))
            for name, station in config.stations.items()
            if station.profile.trip is not None
        }
        self._armed: set[str] = set()
        self._effects = {
            loop.name: EffectLimit(loop.no_effect.beyond, loop.no_effect.within_s)
            for loop in config.line.loops
            if loop.no_effect is not None
        }
        self._units = {loop.name: loop.unit for loop in config.line.loops}
        self._effect_states: dict[str, EffectState] = {}
        self._away_hold_s = clock.patience(config.line.away_hold_s, 3.0)

    def trips(self, now: float, image: ProcessImage) -> dict[str, Text]:
        """PLCs that say they have tripped: a sentence by station."""
        return {
            name: Text(
                f"{self._titles[name].en} has tripped ({tag}: {title.en})",
                f"{self._titles[name].zh} 已跳闸（{tag}：{title.zh}）",
            )
            for name, (tag, title) in self._trip_tags.items()
            if image.at(tag, now).value in (True, 1)
        }

    def reason_to_hold(
        self,
        now: float,
        image: ProcessImage,
        stations: Mapping[str, Station],
        bank: LoopBank,
        state: RunState | None,
        dt_s: float,
    ) -> Text | None:
        """The first reason found, with its limit and what clears it; None while there is none.

        A trip counts when it comes up in a running run. One that was there before is reset by starting the station;
        if that fails, the start does.
        """
        tripped = self.trips(now, image)
        if state is not RunState.RUNNING:
            self._armed.clear()
        else:
            if fresh := [text for name, text in tripped.items() if name in self._armed]:
                en, zh = "; ".join(text.en for text in fresh), "；".join(text.zh for text in fresh)
                return Text(f"{en}. Remove the cause at the cabinet, then Restart", f"{zh}。在控制柜排除原因后重启批次")
            if len(self._armed) < len(self._trip_tags):
                self._armed |= self._trip_tags.keys() - tripped.keys()
        for name, station in stations.items():
            if station.down_since is not None and now - station.down_since > self._away_hold_s:
                called, away, most = self._titles[name], now - station.down_since, self._away_hold_s
                return Text(
                    f"{called.en} has not answered for {away:.0f} s, at most {most:.0f} s. "
                    "Look at cabinet and network; Restart when it answers",
                    f"{called.zh} 已 {away:.0f} s 无应答，应不超过 {most:.0f} s。检查控制柜和网络；恢复应答后重启批次",
                )
            if station.senseless_since is not None and now - station.senseless_since > self._away_hold_s:
                return _untold(station.why_not_write() or f"{name} makes no sense")
            if station.foreign_owner is not None:
                return _untold(f"another controller drives {name}")
        for name, out in bank.outputs.items():
            if out.safe:
                return Text(
                    f"{name}: its measurement stayed bad longer than it may be held. "
                    "Bring the meter back, then Restart",
                    f"{name}：测量值失效时间超过允许保持的时间。恢复仪表后重启批次",
                )
        return self._without_effect(bank, dt_s)

    def _without_effect(self, bank: LoopBank, dt_s: float) -> Text | None:
        found = None
        for name, limit in self._effects.items():
            out = bank.outputs.get(name)
            if out is None:
                continue
            in_control = out.mode is not Mode.MAN and not out.following and not out.holding
            error = out.sp - out.pv
            helps = out.high if (error > 0.0) is (bank.settings[name].pid.gain > 0.0) else out.low
            before = self._effect_states.get(name, EffectState())
            after, is_without = watch_effect(limit, before, abs(error), dt_s, is_at_limit=in_control and helps)
            self._effect_states[name] = after
            if is_without:
                found = _without(name, out, self._units[name], limit)
        return found


def _without(name: str, out: LoopOutput, unit: str, limit: EffectLimit) -> Text:
    """What is told of an output without effect."""
    at, pv, sp = f"{out.output:.0f}", f"{out.pv:.1f} {unit}", f"{out.sp:.1f} {unit}"
    apart, minutes = f"{limit.beyond:g} {unit}", f"{limit.within_s / 60.0:g}"
    return Text(
        f"{name}: its output stands at {at} without effect, the measurement is {pv} and its set point {sp}, more than "
        f"{apart} apart for {minutes} min. Look at what it moves and what feeds that (burner, fuel, pump, valve), then "
        "Restart",
        f"{name}：输出停在 {at} 而无效果，测量值 {pv}，设定值 {sp}，相差超过 {apart} 已达 {minutes} 分钟。"
        "检查执行机构及其供给（燃烧器、燃料、泵、阀）后重启批次",
    )


def _untold(sentence: str) -> Text:
    """A sentence that the display has in Chinese."""
    return Text(sentence, "")
