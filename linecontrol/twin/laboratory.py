"""The laboratory beside a simulated plant: takes samples from the streams and finds what is in them, with its errors.

A ladle is filled each time so many kilograms have passed, and the ladles of a run are mixed, as a drip tap or a person
with a bucket would. What the laboratory then finds errs as the line file declares: by its own uncertainty and by that
of sampling. Its values are entered as any laboratory's are; the controller learns nothing else of the plant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from linecontrol.config.balance import SHARE_OF
from linecontrol.core.errors import LineError
from linecontrol.line.assembly import Line
from simulator import material as m
from simulator.material import Material
from simulator.plant import Plant

_KINDS: Mapping[str, Callable[[Material], float]] = {
    "ROOT-STARCH": lambda x: m.starch_kg(x) / m.mass_kg(x),
    "ROOT-SOIL": lambda x: x[m.SOIL] / m.mass_kg(x),
    "PULP-BOUND": lambda x: x[m.BOUND] / m.mass_kg(x),
    "PULP-FREE": lambda x: x[m.FREE] / m.mass_kg(x),
    "PULP-DRY": lambda x: m.dry_kg(x) / m.mass_kg(x),
    "DRAIN-STARCH": lambda x: m.starch_kg(x) / m.mass_kg(x),
    "POWDER-PURITY": lambda x: m.starch_kg(x) / m.dry_kg(x),
}
"""What each sample point of the demo line is tested for, as kg/kg of the sample."""
_LADLE_KG = {"ROOT": 5.0, "PULP": 2.0, "DRAIN": 25.0, "POWDER": 1.0}
"""How much passes between two ladles."""


@dataclass
class _Bucket:
    """The ladles of one stream. ``where``: what has passed since the plant was built."""

    where: Material
    every_kg: float
    seen: Material = field(default_factory=m.empty)
    mixed: Material = field(default_factory=m.empty)
    since_kg: float = 0.0

    def look(self) -> None:
        passed = m.minus(self.where, self.seen)
        passed_kg = m.mass_kg(passed)
        if passed_kg <= 1e-9:
            return
        self.seen = list(self.where)
        self.since_kg += passed_kg
        if self.since_kg >= self.every_kg:
            self.since_kg = 0.0
            m.pour(self.mixed, m.part(passed, 1.0 / passed_kg))


class Laboratory:
    """Samples of one run. ``look`` after every step of the plant; ``report`` when the run has ended.

    Args:
        seed: of the laboratory's errors.
    """

    def __init__(self, plant: Plant, seed: int) -> None:
        exits = plant.books.exits
        places = {"ROOT": plant.hopper.fed, "PULP": exits["pulp"], "DRAIN": exits["wet_drain"], "POWDER": exits["good"]}
        self._buckets = {name: _Bucket(where, _LADLE_KG[name]) for name, where in places.items()}
        self._rng = Random(f"{seed}:samples")

    def look(self) -> None:
        """A step has passed."""
        for bucket in self._buckets.values():
            bucket.look()

    async def report(self, line: Line, run_id: str) -> None:
        """Enter what was found of every sample point of the line. Raises LineError for one this plant has not."""
        for point in line.samples.points.values():
            errors = self._rng.gauss(0.0, point.u) + self._rng.gauss(0.0, point.sampling_u)
            if point.name not in _KINDS:
                raise LineError(f"the twin's laboratory knows no sample point {point.name} ({', '.join(_KINDS)})")
            mixed = self._buckets[point.name.partition("-")[0]].mixed
            if m.mass_kg(mixed) > 0.0:
                found = _KINDS[point.name](mixed) / SHARE_OF[point.unit] + errors
                value = min(point.high, max(point.low, found))
                await line.samples.add(point.name, value, who="laboratory", run_id=run_id)
