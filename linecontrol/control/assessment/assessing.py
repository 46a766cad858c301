"""``assess``: one loop over a stretch of its history. ``rank``: which loop to mend first. Pure.

What mending is worth is said in PV units: with a steadier PV the set point can move nearer to its limit while the limit
is crossed no more often. Two standard deviations now, less two of what could be reached, is that distance. What could
be reached: the Harris index' share of the variance when the delay is known, otherwise what is left without the swing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from linecontrol.control.assessment.diagnosis import Diagnosis, diagnose
from linecontrol.control.assessment.harris import Harris, harris
from linecontrol.control.assessment.oscillation import averaged
from linecontrol.control.assessment.series import FloatArray, Numbers, Series, read_series
from linecontrol.control.assessment.wear import Wear, wear
from linecontrol.control.tuning.times import Times

SIGMAS = 2.0  # of the PV between set point and limit, as usual
LEAST_DYNAMIC = 200  # samples in one stretch that index and diagnosis want
SLOW_GRID = 20_000  # samples: a longer stretch is averaged for the diagnosis
SLACK = 0.15  # a Harris index surely below it: usual gains of a slow load reach 0.2 to 0.5
TUNE_ANEW = "Nothing swings; when the spread matters, test and tune the loop anew (linecontrol tune)."
LOOK_AT_METER = "Look at the PV's instrument and its wiring; then assess anew."


@dataclass(frozen=True, slots=True)
class Worth:
    """What mending a loop is worth.

    Attributes:
        distance: that the set point could move towards its limit [PV unit]; None when it cannot be told.
        basis: "harris" (the delay was known), "swing" (what is left without it) or "none".
        sd: standard deviation of the error now; sd_possible: what could be reached [PV unit].
    """

    distance: float | None
    basis: str
    sd: float
    sd_possible: float | None


@dataclass(frozen=True, slots=True)
class Assessment:
    """How a loop did.

    Attributes:
        duration_s, samples, period_s: of the stretch looked at, on an even grid.
        good_share: of the time with a good PV. service_factor: of the time in automatic. Both 0 to 1.
        mean_error, sd_error: of PV less SP, in automatic and good [PV unit]; NaN when there is none.
        iae: its absolute value summed up [PV unit s]; iae_per_h: in an hour of automatic.
        wear: what the actuator bore. harris: None without delay or with too few samples.
        diagnosis: why it swings, if it does. worth: of mending it. warnings: what to know before believing this.
    """

    duration_s: float
    samples: int
    period_s: float
    good_share: float
    service_factor: float
    mean_error: float
    sd_error: float
    iae: float
    iae_per_h: float
    wear: Wear
    harris: Harris | None
    diagnosis: Diagnosis
    worth: Worth
    warnings: tuple[str, ...] = ()


def assess(
    t_s: Times,
    pv: Numbers,
    sp: Numbers,
    op: Numbers,
    *,
    delay_s: float | None = None,
    op_limits: tuple[float, float] | None = None,
    auto: Sequence[bool] | None = None,
    good: Sequence[bool] | None = None,
    period_s: float | None = None,
) -> Assessment:
    """Assess one loop.

    Args:
        t_s: times [s], or dates of one kind (numpy's, Python's, pandas'), rising. pv, sp: [PV unit]. op:
            [output unit]. NaN = missing.
        delay_s: dead time of the process [s], >= 0, for the Harris index; None = not known.
        op_limits: low, high [output unit]; None = told from the output, where it stood at both.
        auto: in automatic (or cascade, remote) from each time on; None = throughout.
        good: quality of each PV. period_s: step of the grid the record is brought to [s]; None = its usual step.

    Raises ValueError naming what is wrong and what is accepted.
    """
    if delay_s is not None and not 0.0 <= delay_s < math.inf:
        raise ValueError(f"delay_s {delay_s!r} is not accepted (accepted: 0 s or more, finite)")
    if op_limits is not None and not op_limits[0] < op_limits[1]:
        raise ValueError(f"op_limits {op_limits!r} are not accepted (accepted: low below high)")
    series = read_series(t_s, pv, sp, op, auto=auto, good=good, period_s=period_s)
    worn = wear(series, op_limits)
    used = series.good & series.auto
    error = series.error[used]
    iae = float(np.sum(np.abs(error))) * series.period_s
    hours = len(error) * series.period_s / 3600.0
    stretch = series.longest()
    index = _harris(series, stretch, delay_s)
    diagnosis = _slow(_diagnosed(series, stretch, worn), index)
    sd = float(np.std(error)) if len(error) else math.nan
    return Assessment(
        series.duration_s,
        len(series.pv),
        series.period_s,
        series.good_share,
        series.auto_share,
        float(np.mean(error)) if len(error) else math.nan,
        sd,
        iae,
        iae / hours if hours > 0.0 else math.nan,
        worn,
        index,
        diagnosis,
        _worth(sd, index, diagnosis),
        _warnings(series, stretch, delay_s, index, error),
    )


def _harris(series: Series, stretch: slice, delay_s: float | None) -> Harris | None:
    if delay_s is None:
        return None
    return harris(series.error[stretch], max(1, math.ceil(delay_s / series.period_s - 1e-9) + 1))


def _diagnosed(series: Series, stretch: slice, worn: Wear) -> Diagnosis:
    at_both = worn.low_share + worn.high_share if min(worn.low_share, worn.high_share) > 0.02 else 0.0
    pv = series.pv[stretch]
    if len(pv) >= LEAST_DYNAMIC and np.ptp(pv) == 0.0:
        return Diagnosis("cannot tell", f"the PV stands at {pv[0]:.6g} to the last digit throughout", LOOK_AT_METER)
    every = max(1, (stretch.stop - stretch.start) // SLOW_GRID)
    error, sp, op = (averaged(x[stretch], every) for x in (series.error, series.sp, series.op))
    return diagnose(error, sp, op, series.period_s * every, at_both)


def _slow(diagnosis: Diagnosis, index: Harris | None) -> Diagnosis:
    """Nothing swings, but that alone is no praise: a loop that hardly does anything never swings."""
    if diagnosis.verdict != "none" or index is None or index.high > SLACK:
        return diagnosis
    text = f"{diagnosis.reason}; yet most of its spread is avoidable (Harris index {index.index:.2f})"
    return replace(diagnosis, reason=text, what_to_do=TUNE_ANEW)


def _worth(sd: float, index: Harris | None, diagnosis: Diagnosis) -> Worth:
    if not math.isfinite(sd):
        return Worth(None, "none", sd, None)
    if index is not None:
        possible = sd * math.sqrt(index.index)
        return Worth(SIGMAS * (sd - possible), "harris", sd, possible)
    swing = diagnosis.oscillation
    if swing is None or diagnosis.verdict == "cannot tell":
        return Worth(None, "none", sd, None)
    if diagnosis.verdict == "none":
        return Worth(0.0, "swing", sd, sd)
    possible = math.sqrt(max(sd * sd - 0.5 * swing.amplitude**2, 0.0))
    return Worth(SIGMAS * (sd - possible), "swing", sd, possible)


def _warnings(
    series: Series, stretch: slice, delay_s: float | None, index: Harris | None, error: FloatArray
) -> tuple[str, ...]:
    said = []
    if len(error) and abs(float(np.mean(error))) > float(np.std(error)) > 0.0:
        said.append(f"the PV lies {float(np.mean(error)):+.3g} off the set point on average: is the output at a limit?")
    length = stretch.stop - stretch.start
    if series.good_share < 0.95:
        said.append(f"only {series.good_share:.0%} of the PV is good")
    if series.auto_share < 0.5:
        said.append(
            f"it was in automatic for {series.auto_share:.0%} of the time only: find out why people take it out"
        )
    if length < LEAST_DYNAMIC:
        said.append(f"the longest stretch in automatic with good values has {length} samples (wanted: {LEAST_DYNAMIC})")
    elif length < 0.3 * len(series.pv):
        said.append(f"index and diagnosis are of one stretch of {length * series.period_s:.4g} s")
    if delay_s is None:
        said.append("without the delay of the process (delay_s) there is no Harris index")
    elif index is None:
        said.append(
            f"no Harris index: the longest stretch in automatic, {length * series.period_s:.4g} s, is too short for a"
            f" delay of {delay_s:.4g} s, or the error does not move in it"
        )
    return tuple(said)


def rank(found: Mapping[str, Assessment], spans: Mapping[str, float] | None = None) -> list[tuple[str, float | None]]:
    """Loops by what mending them is worth, first the most.

    Args:
        found: name to its assessment. spans: name to the span of its set point [PV unit], > 0, so that loops of unlike
            units can be compared.

    Returns: names, each with its distance as a share of the span; without a span as a share of twice the error's
    standard deviation now, 0 to 1. None, at the end, for loops of which it cannot be told.
    """

    def share(name: str) -> float | None:
        row = found[name]
        if row.worth.distance is None:
            return None
        scale = (spans or {}).get(name) or SIGMAS * row.worth.sd
        return row.worth.distance / scale if scale > 0.0 else 0.0

    shares = {name: share(name) for name in found}
    return sorted(shares.items(), key=lambda item: (item[1] is None, -(item[1] or 0.0), item[0]))
