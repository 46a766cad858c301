"""Watches for what must hold a run: a station away too long, a PLC trip, a loop whose measurement stays bad or whose
output is without effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from linecontrol.config import LineConfig
from linecontrol.control.effect import EffectLimit, EffectState, watch_effect
from linecontrol.control.loop import Mode
from linecontrol.core.clock import Clock
from linecontrol.core.image import ProcessImage
from linecontrol.recipe.states import RunState

if TYPE_CHECKING:
    from linecontrol.core.station import Station
    from linecontrol.line.loops import LoopBank

AWAY_HOLD_S = 30.0


class PlantWatch:
    """Looks at the image once per control cycle."""

    def __init__(self, config: LineConfig, clock: Clock) -> None:
        self._trip_tags = {
            name: (station.profile.trip, next(t.title.en for t in station.tags if t.name == station.profile.trip))
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
        self._away_hold_s = clock.patience(AWAY_HOLD_S, 3.0)

    def trips(self, now: float, image: ProcessImage) -> dict[str, str]:
        """PLCs that say they have tripped: a sentence by station."""
        return {
            name: f"{name} has tripped ({tag}: {title})"
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
    ) -> str | None:
        """The first reason found; None while there is none.

        A trip counts when it comes up in a running run. One that was there before is reset by starting the station;
        if that fails, the start does.
        """
        tripped = self.trips(now, image)
        if state is not RunState.RUNNING:
            self._armed.clear()
        else:
            if fresh := [text for name, text in tripped.items() if name in self._armed]:
                return "; ".join(fresh)
            self._armed |= self._trip_tags.keys() - tripped.keys()
        for name, station in stations.items():
            if station.down_since is not None and now - station.down_since > self._away_hold_s:
                return f"{name} has not answered for {now - station.down_since:.0f} s"
            if station.senseless_since is not None and now - station.senseless_since > self._away_hold_s:
                return station.why_not_write() or f"{name} makes no sense"
            if station.foreign_owner is not None:
                return f"another controller drives {name}"
        for name, out in bank.outputs.items():
            if out.safe:
                return f"{name}: its measurement stayed bad longer than it may be held"
        return self._without_effect(bank, dt_s)

    def _without_effect(self, bank: LoopBank, dt_s: float) -> str | None:
        found = None
        for name, limit in self._effects.items():
            out = bank.outputs.get(name)
            if out is None:
                continue
            in_control = out.mode is not Mode.MAN and not out.following and not out.holding
            error = out.sp - out.pv
            helps = out.high if (error > 0.0) is (bank.settings[name].pid.action == "reverse") else out.low
            before = self._effect_states.get(name, EffectState())
            after, is_without = watch_effect(limit, before, abs(error), dt_s, is_at_limit=in_control and helps)
            self._effect_states[name] = after
            if is_without:
                unit = self._units[name]
                found = (
                    f"{name}: its output stands at {out.output:.0f} without effect,"
                    f" the measurement is {out.pv:.1f} {unit} and its set point {out.sp:.1f} {unit}"
                )
        return found
