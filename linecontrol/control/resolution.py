"""Moves of an output too small to be worth a write: a valve cannot tell them, and every write is wear and bus load."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(slots=True)
class Resolution:
    """Which moves of one output are passed on to its actuator. Pure: time comes in as dt.

    Attributes:
        smallest: a smaller move waits [output unit]; 0 = every move is passed on.
        after_s: a small difference is passed on all the same once it has stood for so long [s].
        stood_s: for how long one has stood [s].
    """

    smallest: float
    after_s: float
    stood_s: float = 0.0
    _digits: int = field(init=False, repr=False, compare=False, default=0)

    def __post_init__(self) -> None:
        if self.smallest != 0.0:
            self._digits = 2 - math.floor(math.log10(self.smallest))

    def rounded(self, wanted: float) -> float:
        """To a hundredth of the resolution or finer, decimal: what is written says no more than is meant."""
        return wanted if self.smallest == 0.0 else round(wanted, self._digits)

    def passes(self, wanted: float, shown: float, dt_s: float, *, low: float, high: float) -> bool:
        """Whether ``wanted`` is to be written over what the actuator is ``shown`` to have (NaN = not known).

        The limits ``low`` and ``high`` are always reached: a valve that is nearly shut is not shut.
        """
        off = abs(wanted - shown)
        if off == 0.0:
            self.stood_s = 0.0
            return False
        self.stood_s += dt_s
        if off < self.smallest and low < wanted < high and self.stood_s < self.after_s:
            return False
        self.stood_s = 0.0
        return True
