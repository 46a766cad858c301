"""One run's signals and phases on its own time. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from linecontrol.core.model import Text

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trace:
    """A recorded signal. A value holds until the next.

    Attributes:
        t_s: (n,) time since the run began [s], rising; the first may lie before it. values: (n,), NaN where BAD.
        station: whose phases it is stretched by. title: of the tag, or its alias.
    """

    t_s: Floats
    values: Floats
    unit: str = ""
    station: str = ""
    alias: str = ""

    def at(self, times_s: Floats) -> Floats:
        """The values that held at these times; NaN before the first."""
        place = np.searchsorted(self.t_s, times_s, side="right") - 1
        if len(self.values) == 0:
            return np.full(len(times_s), np.nan)
        return np.where(place >= 0, self.values[np.maximum(place, 0)], np.nan)


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase of a unit procedure [s since the run began]. ``title``: as the recipe calls it; None: not on record."""

    unit: str
    name: str
    begin_s: float
    end_s: float
    title: Text | None = None


@dataclass(frozen=True, slots=True)
class RunTraces:
    """A run to be laid over others. ``length_s``: how long it took. Phases in the order in which they began."""

    run_id: str
    length_s: float
    signals: Mapping[str, Trace] = field(default_factory=dict)
    phases: tuple[Phase, ...] = ()

    def phases_of(self, unit: str) -> list[Phase]:
        return [phase for phase in self.phases if phase.unit == unit]
