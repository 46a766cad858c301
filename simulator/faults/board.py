"""From the written form of a fault to its beginning and end in time."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from simulator.faults.catalogue import CATALOGUE, WRITTEN
from simulator.faults.scene import FaultError, Scene, Site, Target, Undo

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fault:
    """One planned trouble. ``start_s`` and ``end_s`` are plant times [s]."""

    name: str
    place: str
    argument: str = ""
    start_s: float = 0.0
    end_s: float = math.inf

    @property
    def key(self) -> str:
        """What ``clear`` names."""
        return ":".join(part for part in (self.name, self.place, self.argument) if part)


def read_fault(text: str, targets: Mapping[str, Target]) -> Fault:
    """Read one fault as written on the command line and see that this line can have it.

    Raises:
        FaultError: it cannot be read, or names a place, tag or number that is not there.
    """
    what, _, when = text.strip().partition("@")
    name, _, rest = what.partition(":")
    place, _, argument = rest.partition(":")
    kind = CATALOGUE.get(name)
    if kind is None:
        raise FaultError(f"fault {text!r}: {name!r} is not known (known: {', '.join(CATALOGUE)}; written {WRITTEN})")
    places = kind.accepted_places(targets)
    if place not in places:
        where = "is not where it happens" if kind.places else "is not on this line"
        raise FaultError(f"fault {text!r}: place {place!r} {where} (accepted: {', '.join(places)})")
    try:
        site = _site(targets)
        if kind.places:
            _ = site.machines
        kind.argument.read(argument, Scene(place, site))
        start_s, end_s = _times(when)
    except ValueError as error:
        raise FaultError(f"fault {text!r}: {error}") from error
    return Fault(name, place, argument, start_s, end_s)


def _times(text: str) -> tuple[float, float]:
    start, plus, duration = text.partition("+")
    try:
        start_s = float(start) if start else 0.0
        lasts_s = float(duration) if plus else math.inf
    except ValueError:
        raise ValueError(f"{text!r} is not a time (accepted: @START or @START+DURATION in plant seconds)") from None
    if not 0.0 <= start_s < math.inf or not lasts_s > 0.0:
        raise ValueError(f"{text!r} is not a time (accepted: START from 0, DURATION above 0, in plant seconds)")
    return start_s, start_s + lasts_s


def _site(targets: Mapping[str, Target]) -> Site:
    return next(iter(targets.values())).site


class FaultBoard:
    """Begins and ends faults on their time. ``clear`` and ``begin`` may be called at any time between scans."""

    def __init__(self, targets: Mapping[str, Target]) -> None:
        self._site = _site(targets)
        self._planned: list[Fault] = []
        self._active: dict[str, tuple[Fault, Undo]] = {}

    @property
    def active(self) -> list[str]:
        """Keys of the faults that last."""
        return list(self._active)

    def plan(self, faults: Iterable[Fault]) -> None:
        self._planned.extend(faults)

    async def advance(self, plant_time_s: float) -> None:
        """Begin and end what is due at this plant time [s]."""
        if self._planned:
            due = [fault for fault in self._planned if fault.start_s <= plant_time_s]
            self._planned = [fault for fault in self._planned if fault.start_s > plant_time_s]
            for fault in due:
                await self.begin(fault)
        over = [key for key, (fault, _) in self._active.items() if fault.end_s <= plant_time_s]
        for key in over:
            await self._end(key)  # not cleared: the same fault may be planned again for later
        for tick in tuple(self._site.ticks):
            tick(plant_time_s)

    async def begin(self, fault: Fault) -> None:
        """Begin now, whatever its start time says. One of the same key that lasts is ended first."""
        await self._end(fault.key)
        kind, scene = CATALOGUE[fault.name], Scene(fault.place, self._site)
        _log.warning("fault begins: %s", fault.key)
        undo = kind.begin(scene, kind.argument.read(fault.argument, scene))
        if undo is None:
            return
        if kind.is_momentary and not math.isfinite(fault.end_s):
            await undo()
        else:
            self._active[fault.key] = (fault, undo)

    async def clear(self, key: str) -> bool:
        """End one fault, or ``all``; also forgets what is only planned. False when there was none of that name."""
        planned = [fault for fault in self._planned if key in (fault.key, "all")]
        self._planned = [fault for fault in self._planned if fault not in planned]
        keys = list(self._active) if key == "all" else [key] * (key in self._active)
        for each in keys:
            await self._end(each)
        return bool(keys or planned)

    async def _end(self, key: str) -> None:
        _, undo = self._active.pop(key, (None, None))
        if undo is not None:
            await undo()
            _log.warning("fault ends: %s", key)
