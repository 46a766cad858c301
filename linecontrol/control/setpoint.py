"""Where a loop's set point comes from, and how it gets there: source by mode, limits, ramp. Pure."""

from __future__ import annotations

from math import isfinite, nan

from linecontrol.control.loop_settings import LoopSettings, Mode
from linecontrol.core.model import Sample


def ramp(present: float, target: float, rate_up_per_s: float, rate_down_per_s: float, dt_s: float) -> float:
    """One step from ``present`` towards ``target``, no faster than the rates [unit/s]; it never goes beyond."""
    if target > present:
        return min(target, present + rate_up_per_s * dt_s)
    return max(target, present - rate_down_per_s * dt_s)


def clamp(value: float, low: float, high: float) -> float:
    """``value`` within low..high."""
    return min(max(value, low), high)


def ratio_set_point(settings: LoopSettings, source: Sample | None) -> float:
    """Set point of a ratio loop [PV unit]; NaN when there is no ratio or its tag is not GOOD."""
    if settings.ratio is None or source is None:
        return nan
    wanted = settings.ratio.factor * source.number
    return clamp(wanted, settings.ratio.low, settings.ratio.high) if isfinite(wanted) else nan


def wanted_set_point(
    mode: Mode,
    settings: LoopSettings,
    local: float,
    cascade_sp: float | None,
    program_sp: float | None,
    ratio: Sample | None,
) -> float:
    """What the source of this mode asks for [PV unit], before limits and ramp; NaN when the source is bad."""
    if mode is Mode.CAS:
        return nan if cascade_sp is None else cascade_sp
    if mode is Mode.REMOTE:
        if settings.ratio is not None:
            return ratio_set_point(settings, ratio)
        return nan if program_sp is None else program_sp
    return local
