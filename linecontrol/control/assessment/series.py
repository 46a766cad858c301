"""A loop's history on an even grid, as an assessment wants it. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linecontrol.control.tuning.times import Times, seconds

FloatArray = NDArray[np.float64]
Flags = NDArray[np.bool_]
Numbers = Sequence[float] | FloatArray
FEWEST = 50  # samples
MOST = 2_000_000  # samples of the even grid
BRIDGED = 5  # samples without a good PV that are bridged by a straight line


@dataclass(frozen=True, slots=True)
class Series:
    """An even grid without gaps in its values.

    Attributes:
        period_s: its step [s]. pv, sp, op: held (SP, OP) or bridged (PV) values. good: PV was good, or bridged over a
            few samples. auto: the loop was in automatic. good_share, auto_share: of the time, 0 to 1.
    """

    period_s: float
    pv: FloatArray
    sp: FloatArray
    op: FloatArray
    good: Flags
    auto: Flags
    good_share: float
    auto_share: float

    @property
    def error(self) -> FloatArray:
        """PV less SP [PV unit]."""
        return self.pv - self.sp

    @property
    def duration_s(self) -> float:
        """Length [s]."""
        return len(self.pv) * self.period_s

    def longest(self) -> slice:
        """The longest stretch in automatic with good PVs; empty when there is none."""
        used = np.concatenate(([False], self.good & self.auto, [False])).astype(np.int8)
        starts, ends = np.flatnonzero(np.diff(used) == 1), np.flatnonzero(np.diff(used) == -1)
        if len(starts) == 0:
            return slice(0, 0)
        n = int(np.argmax(ends - starts))
        return slice(int(starts[n]), int(ends[n]))


def read_series(
    t_s: Times,
    pv: Numbers,
    sp: Numbers,
    op: Numbers,
    *,
    auto: Sequence[bool] | None = None,
    good: Sequence[bool] | None = None,
    period_s: float | None = None,
) -> Series:
    """Check, and bring to an even grid.

    Args:
        t_s: times [s], or dates of one kind (numpy's, Python's, pandas'), rising. pv: NaN = missing. sp,
            op: held from each time on; NaN = unchanged.
        auto: the loop was in automatic from each time on; None = throughout. good: quality of each PV.
        period_s: step of the grid [s]; None = the usual distance of two samples.

    Raises ValueError naming what is wrong and what is accepted.
    """
    t = seconds(t_s)
    y, r, u = (np.asarray(x, dtype=np.float64) for x in (pv, sp, op))
    on = np.ones(len(t), dtype=bool) if auto is None else np.asarray(auto, dtype=bool)
    fine = np.isfinite(y) if good is None else np.isfinite(y) & np.asarray(good, dtype=bool)
    if not len(t) == len(y) == len(r) == len(u) == len(on) == len(fine):
        raise ValueError(f"lengths differ: {len(t)} times, {len(y)} PVs, {len(r)} set points, {len(u)} outputs")
    if len(t) < FEWEST:
        raise ValueError(f"{len(t)} samples are too few (accepted: {FEWEST} or more)")
    if not np.all(np.isfinite(t)):
        raise ValueError(f"time is missing at sample {int(np.argmin(np.isfinite(t)))} (accepted: finite times)")
    if np.any(np.diff(t) <= 0.0):
        n = int(np.argmax(np.diff(t) <= 0.0)) + 1
        raise ValueError(
            f"time does not rise at sample {n}: {t[n]:.10g} s follows {t[n - 1]:.10g} s (accepted: times that rise from"
            " sample to sample)"
        )
    if np.count_nonzero(fine) < FEWEST:
        raise ValueError(f"{np.count_nonzero(fine)} good PVs are too few (accepted: {FEWEST} or more)")
    step = float(np.median(np.diff(t))) if period_s is None else period_s
    if not step > 0.0 or (t[-1] - t[0]) / step > MOST:
        raise ValueError(f"a step of {step:g} s is not accepted (accepted: above 0 s, at most {MOST} steps)")
    at = t[0] + step * np.arange(math.floor((t[-1] - t[0]) / step + 1e-6) + 1)
    behind = np.clip(np.searchsorted(t, at + 1e-6 * step, side="right") - 1, 0, len(t) - 1)
    bridged = np.interp(at, t[fine], y[fine])
    covered = _covered(t, fine, at, step)
    return Series(
        step, bridged, _held(r)[behind], _held(u)[behind], covered, on[behind], _share(covered), _share(on[behind])
    )


def _share(flags: Flags) -> float:
    return float(np.mean(flags))


def _held(x: FloatArray) -> FloatArray:
    """Missing values replaced by the last known one; the first known one before it; 0 when none is known."""
    known = np.isfinite(x)
    if not known.any():
        return np.zeros_like(x)
    last = np.maximum.accumulate(np.where(known, np.arange(len(x)), -1))
    return np.asarray(np.where(last >= 0, x[np.maximum(last, 0)], x[int(np.argmax(known))]), dtype=np.float64)


def _covered(t: FloatArray, fine: Flags, at: FloatArray, step: float) -> Flags:
    """Grid points near enough to good samples on both sides."""
    good_t = t[fine]
    after = np.clip(np.searchsorted(good_t, at - 1e-6 * step), 0, len(good_t) - 1)
    before = np.maximum(after - 1, 0)
    exact = np.abs(good_t[after] - at) < 0.5 * step
    wide = good_t[after] - good_t[before]
    inside = (good_t[before] <= at) & (good_t[after] >= at) & (wide <= (BRIDGED + 1) * step)
    return np.asarray(exact | inside, dtype=bool)
