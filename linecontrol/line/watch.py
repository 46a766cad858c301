"""Watches for what must hold a run: a station away too long, a PLC trip, a loop whose measurement stays bad."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from linecontrol.config import LineConfig
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
        return None
