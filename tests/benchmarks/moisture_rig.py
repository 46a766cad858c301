"""What the moisture benchmark asks of a plant, whatever it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from linecontrol.control.moisture import MoistureSample


@dataclass(frozen=True)
class Meter:
    """White noise of one reading, and a lag [s] before it (0 = none)."""

    sd: float
    lag_s: float


@dataclass(frozen=True)
class Load:
    """A load as it really wanders.

    Attributes:
        small: a push that is small, for linearising [its unit].
        wanders: (standard deviation, correlation time [s]) of each autoregression in it.
        saw: rms and period [s] of a sawtooth, None = none.
        meter: how it is measured where ``push`` acts, None = nobody measures it.
    """

    name: str
    small: float
    wanders: tuple[tuple[float, float], ...]
    saw: tuple[float, float] | None
    meter: Meter | None


@dataclass(frozen=True)
class Reading:
    """One sample, and the moisture that really passes the meter [% wb]."""

    sample: MoistureSample
    true_pct: float


class Rig(Protocol):
    """A dryer with its meters, driven by the inlet set point, one sample time after the other.

    Attributes:
        inlet_c: where its inlet set point stands without control [°C]; low_c, high_c: how far it may go.
        loads: as they really are. nir_meter: likewise.
    """

    name: str
    sample_s: float
    set_point: float
    inlet_c: float
    low_c: float
    high_c: float

    @property
    def loads(self) -> tuple[Load, ...]: ...
    @property
    def nir_meter(self) -> Meter: ...
    def quiet(self) -> Rig: ...
    def load_readings(self, sample: MoistureSample) -> dict[str, float]: ...
    def advance(self, inlet_sp_c: float, push: Mapping[str, float] | None = None) -> Reading: ...
