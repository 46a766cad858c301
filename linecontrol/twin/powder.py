"""What every second's powder really was and where it went: from the plant's own books, which no controller sees.

Bad powder is too wet, has metal in it, or more specks than the limit. What a run *held* is what the bag book holds at
its end: powder in a bag that is held or rejected does not leave the house.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from linecontrol.history import BagRow
from simulator import material as m
from simulator.machines.packing import BINS
from simulator.plant import Plant
from simulator.wet_clocks import specks_cm2

LEAST_KG = 1e-9
IN_HOUSE = ("open", "suspect", "held", "rejected")
"""Status of a bag that does not leave the house."""


class Packet(NamedTuple):
    """Powder of one step in one bin. ``bad``: what is wrong with it, "" = nothing. ``bags``: numbers of the bags it
    fell into; two where the bag was changed in that step."""

    time: float
    chute: str
    kg: float
    bad: str
    bags: tuple[int, ...] = ()


class PowderTruth:
    """``look`` after every plant step.

    Args:
        wet_pct_wb, specks_cm2: limits beyond which powder is bad.
    """

    def __init__(self, plant: Plant, wet_pct_wb: float, specks_cm2: float) -> None:
        self._plant = plant
        self._wet, self._specks = wet_pct_wb, specks_cm2
        self._before = {name: list(plant.books.exits[name]) for name in BINS}
        self._closed = 0
        self.packets: list[Packet] = []

    def look(self, time: float) -> None:
        """Book what has fallen since the last look. ``time``: line time [s]."""
        closed = self._plant.packing.bagging.closed
        bags = tuple(range(self._closed + 1, closed + 2))
        if closed > self._closed and self._plant.packing.bagging.open_kg <= 0.0:
            bags = bags[:-1]
        self._closed = closed
        for name in BINS:
            now, before = self._plant.books.exits[name], self._before[name]
            fell = [a - b for a, b in zip(now, before, strict=True)]
            kg = m.mass_kg(fell)
            if kg > LEAST_KG:
                self.packets.append(Packet(time, name, kg, self._judged(fell, kg), bags if name == "good" else ()))
                self._before[name] = list(now)

    def _judged(self, fell: list[float], kg: float) -> str:
        found = []
        if 100.0 * fell[m.WATER] / kg > self._wet:
            found.append("wet")
        if self._plant.sentinels.metal_at_gate:
            found.append("metal")
        if specks_cm2(fell, self._plant.parameters.clocks) > self._specks:
            found.append("specks")
        return "+".join(found)


def verdict(packets: Iterable[Packet], bags: Iterable[BagRow]) -> dict[str, float]:
    """Kilograms by what became of them.

    ``bad_released``: bad powder in good bags that nothing holds. ``bad_held``: in bags that are held.
    ``bad_diverted``. ``good_released``, ``good_held``: good powder in held bags; ``good_diverted``: good powder in
    rework or waste. And ``bad_released_wet``, ``_metal``, ``_specks``.

    Args:
        bags: the controller's book; its numbers are those of the plant's bags.
    """
    held = {bag.number for bag in bags if bag.status in IN_HOUSE}
    keys = [f"{what}_{where}" for what in ("bad", "good") for where in ("released", "held", "diverted")]
    causes = ("wet", "metal", "specks")
    found = dict.fromkeys([*keys, *(f"bad_released_{cause}" for cause in causes)], 0.0)
    for packet in packets:
        is_held = held.issuperset(packet.bags)
        where = "diverted" if packet.chute != "good" else "held" if is_held else "released"
        found[f"{'bad' if packet.bad else 'good'}_{where}"] += packet.kg
        if where == "released":
            for cause in causes:
                if cause in packet.bad:
                    found[f"bad_released_{cause}"] += packet.kg
    return found
