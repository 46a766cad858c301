"""What goes into the moisture controller each scan, and what comes out. Only records."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from operator import attrgetter
from typing import Any

from linecontrol.control.moisture.record import BELIEVABLE
from linecontrol.control.quality_marks import good_marks

NAN = math.nan
_measured, _LIMITS = attrgetter(*BELIEVABLE), tuple(BELIEVABLE.values())
ZERO_KG_H = 50.0  # a scale at rest may show so much below nothing


class MoistureMode(StrEnum):
    """Who moves the inlet set point. Each may be switched to from each other, live and without a bump."""

    MANUAL = "manual"  # nobody: it follows what is applied
    PID = "pid"  # the meter alone
    CASCADE = "cascade"  # the meter moves the outlet temperature's set point
    FEEDFORWARD = "feedforward"  # the same, with cake moisture, feed rate and ambient air ahead of it
    PREDICTIVE = "predictive"  # estimator and constrained optimal moves


@dataclass(frozen=True, slots=True)
class MoistureSample:
    """One scan; NaN where nothing good was measured.

    Attributes:
        moisture_pct_wb: the meter's reading, as it came.
        inlet_sp_c: inlet set point as it was really applied since the last scan; NaN = what was asked for last.
        is_new: the meter was read since the last scan; False = it shows the reading before, and repeats prove nothing.
    """

    moisture_pct_wb: float = NAN
    inlet_sp_c: float = NAN
    inlet_c: float = NAN
    outlet_c: float = NAN
    product_c: float = NAN
    cake_pct_wb: float = NAN
    feed_kg_h: float = NAN
    ambient_c: float = NAN
    ambient_rh_pct: float = NAN
    is_new: bool = True

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> MoistureSample:
        """A row of values by the names of a record; None = not measured, ``time_s`` is left out.

        Marks ``<name>_quality`` may say that a value is not good. Raises ValueError for an unknown name or mark, or
        a value that is no number.
        """
        values: dict[str, Any] = {name: _number(name, row[name]) for name in BELIEVABLE if name in row}
        for name, mark in row.items():
            signal = name.removesuffix("_quality")
            if name not in BELIEVABLE and name not in ("time_s", "is_new") and signal not in BELIEVABLE:
                accepted = ", ".join(BELIEVABLE)
                raise ValueError(f"a sample has no {name} (accepted: {accepted}, each with <name>_quality; is_new)")
            if name != signal and not good_marks([mark], blank=True)[0]:
                values[signal] = NAN
        return cls(**values, is_new=bool(row.get("is_new", True)))

    def believed(self) -> MoistureSample:
        """The same with NaN for every value that no dryer has (see ``record.BELIEVABLE``); a feed below 0 is none."""
        for value, (low, high) in zip(_measured(self), _LIMITS, strict=True):
            if not low <= value <= high and value == value:
                break
        else:
            return self  # as nearly always
        changed: dict[str, Any] = {}
        for name, (low, high) in BELIEVABLE.items():
            value = getattr(self, name)
            if not low <= value <= high and value == value:
                changed[name] = NAN
        if -ZERO_KG_H <= self.feed_kg_h < 0.0:
            changed["feed_kg_h"] = 0.0
        return replace(self, **changed)


def _number(name: str, value: Any) -> float:
    if value is None:
        return NAN
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} {value!r} is not accepted (accepted: a number, NaN or None = not measured)") from None


@dataclass(frozen=True, slots=True)
class MoistureOutput:
    """One scan's result.

    Attributes:
        inlet_sp_c: ask for this inlet temperature [°C]; always finite.
        mode: the mode that made it (``PID`` while ``PREDICTIVE`` has fallen back).
        estimate_pct_wb, estimate_u_pct: moisture at the meter now, and its standard uncertainty [% wb].
        soft_pct_wb: the same without the meter's help since it was last trusted [% wb]: from loads and temperatures.
        flags: of ``nir-missing``, ``nir-stuck``, ``nir-spike``, ``nir-drift``, ``disagreement``, ``blind`` (no reading
            for longer than may be bridged: hold the product), ``no-feed``, ``load-missing``, ``fallback``, ``limited``,
            ``wear``, ``gap``, ``held``. Those that come and go from scan to scan are told for a minute after.
        meter_bias_pct: meter less powder, as far as loads and temperatures tell [% wb].
        movement_k_per_h: how much the inlet set point has been moved, over the last hour.
        events: what changed in this scan, a sentence each.
    """

    inlet_sp_c: float
    mode: MoistureMode
    estimate_pct_wb: float
    estimate_u_pct: float
    soft_pct_wb: float
    flags: tuple[str, ...]
    meter_bias_pct: float
    movement_k_per_h: float
    events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MoistureSettings:
    """What a technician sets. Raises ValueError naming field and accepted range.

    Attributes:
        low_c, high_c: limits of the inlet set point [°C]. rate_k_per_s: its fastest change, > 0.
        calm: weight on moves against errors, > 0: larger is calmer and less exact.
        movement_limit_k_per_h: above it moves are made dearer until they fit, > 0; inf = no bound.
        bridge_s: how long the estimator may go on without a reading [s], >= 0; then ``blind``.
        disagreement_pct: a meter's bias beyond this is a disagreement [% wb], > 0.
    """

    low_c: float
    high_c: float
    rate_k_per_s: float = 1.0
    calm: float = 0.003
    movement_limit_k_per_h: float = 3000.0
    bridge_s: float = 1800.0
    disagreement_pct: float = 0.8

    def __post_init__(self) -> None:
        for name, ok, accepted in (
            ("low_c", math.isfinite(self.low_c), "finite"),
            ("high_c", self.low_c < self.high_c < math.inf, f"finite, above low_c {self.low_c:g}"),
            ("rate_k_per_s", self.rate_k_per_s > 0.0, "above 0"),
            ("calm", 0.0 < self.calm < math.inf, "above 0, finite"),
            ("movement_limit_k_per_h", self.movement_limit_k_per_h > 0.0, "above 0, or inf"),
            ("bridge_s", 0.0 <= self.bridge_s < math.inf, "0 s or more, finite"),
            ("disagreement_pct", self.disagreement_pct > 0.0, "above 0"),
        ):
            if not ok:
                raise ValueError(f"{name} {getattr(self, name)!r} is not accepted (accepted: {accepted})")

    def changed(self, **values: float) -> MoistureSettings:
        """The same with other values, checked."""
        return replace(self, **values)
