"""Watches for what must hold a run: a station away too long, a PLC trip, a loop whose measurement stays bad."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from linecontrol.config import LineConfig
from linecontrol.core.clock import Clock
from linecontrol.core.image import ProcessImage

if TYPE_CHECKING:
    from linecontrol.core.station import Station
    from linecontrol.line.loops import LoopBank

AWAY_HOLD_S = 30.0


class PlantWatch:
    """Pure but for the clock's patience: looks at the image, says why the run must be held."""

    def __init__(self, config: LineConfig, clock: Clock) -> None:
        self._trip_tags = {
            name: (station.profile.trip, next(t.title.en for t in station.tags if t.name == station.profile.trip))
            for name, station in config.stations.items()
            if station.profile.trip is not None
        }
        self._away_hold_s = clock.patience(AWAY_HOLD_S, 3.0)

    def trips(self, now: float, image: ProcessImage) -> list[str]:
        """PLCs that say they have tripped, each as a sentence."""
        return [
            f"{name} has tripped ({tag}: {title})"
            for name, (tag, title) in self._trip_tags.items()
            if image.at(tag, now).value in (True, 1)
        ]

    def reason_to_hold(
        self, now: float, image: ProcessImage, stations: Mapping[str, Station], bank: LoopBank
    ) -> str | None:
        """The first reason found; None while there is none."""
        for name, station in stations.items():
            if station.down_since is not None and now - station.down_since > self._away_hold_s:
                return f"{name} has not answered for {now - station.down_since:.0f} s"
            if station.foreign_owner is not None:
                return f"another controller drives {name}"
        if trips := self.trips(now, image):
            return "; ".join(trips)
        for name, out in bank.outputs.items():
            if out.safe:
                return f"{name}: its measurement stayed bad longer than it may be held"
        return None
