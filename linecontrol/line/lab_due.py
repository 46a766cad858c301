"""When a moisture meter is to be checked by the laboratory, because nothing else can find it drifting.

The dryer's balance watches the meter where outlet air and cake moisture are measured. Where they are not, a window that
fouls slowly looks like powder that dries better, and the loop follows it: only an oven tells.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from linecontrol.core.model import Event, Severity

FLAG = "lab-due"


class LabCheck(NamedTuple):
    """The newest laboratory value that is believed, as the watch over a meter wants it.

    Attributes:
        left: meter less laboratory, beyond the bias that is corrected for [tag unit].
        u: its standard uncertainty [tag unit]. age_s: since the sample was taken [s].
    """

    left: float
    u: float
    age_s: float


class LabDue:
    """Counts the drying since the last check of one meter. An alarm begins when it is overdue, and ends with the check.

    Args:
        every_h: drying that a check is good for [line h]; None = the dryer itself watches the meter.
    """

    def __init__(self, meter: str, every_h: float | None, emit: Callable[[Event], None]) -> None:
        self._meter, self.every_h, self._emit = meter, every_h, emit
        self.unchecked_s = 0.0
        self.is_due = False

    @property
    def left_h(self) -> float | None:
        """Drying until a check is due [line h], below 0 when overdue; None = none is ever due."""
        return None if self.every_h is None else self.every_h - self.unchecked_s / 3600.0

    def dried(self, dt_s: float, now: float) -> None:
        """So much more has been dried."""
        self.unchecked_s += dt_s
        if self.every_h is None or self.is_due or self.unchecked_s <= 3600.0 * self.every_h:
            return
        self.is_due = True
        text = (
            f"{self._meter} was not checked by the laboratory for {self.every_h:g} h of drying, and the dryer cannot"
            " tell when it drifts: take a sample, and enter its value"
        )
        self._emit(Event(now, f"moisture.{FLAG}", self._meter, text, Severity.ALARM, active=True))

    def checked(self, age_s: float, now: float) -> None:
        """The laboratory has spoken of a sample so old [s]."""
        self.unchecked_s = min(self.unchecked_s, max(age_s, 0.0))
        if self.is_due and self.every_h is not None and self.unchecked_s <= 3600.0 * self.every_h:
            self.is_due = False
            text = f"{self._meter} has been checked by the laboratory"
            self._emit(Event(now, f"moisture.{FLAG}", self._meter, text, Severity.ALARM, active=False))
