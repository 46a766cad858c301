"""A model of the process from one recorded test, with honest intervals, or a refusal with its reason. Pure.

Classes tried: first order + delay, two equal lags, two lags, inverse response, integrating, integrating + lag. The one
with the least corrected Akaike criterion is offered; those close to it are kept as alternatives to be robust against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from linecontrol.control.tuning.beyond import fitted_pair, unlike
from linecontrol.control.tuning.doubt import Interval, border, half_width, lag_interval, profiled, widened
from linecontrol.control.tuning.misfit import (
    FALSE_START,
    doubts,
    why_not_by_one_noise,
)
from linecontrol.control.tuning.models import FloatArray, Kind, Process, answer
from linecontrol.control.tuning.record import Numbers, Record, Refusal, read_record, restless
from linecontrol.control.tuning.regression import SHAPES, Fit, Regression, Shape
from linecontrol.control.tuning.search import CLEAR_AICC, all_fits, least_aicc, simplest
from linecontrol.control.tuning.thin import is_fine_for, thinned
from linecontrol.control.tuning.times import Times
from linecontrol.control.tuning.unfit import swinging, why_unfit

CLOSE_AICC = 6.0  # a class so little worse than the best is still possible
WIDEST_GAIN = 0.35  # half a 95 % interval of K over K: wider, the answer has not settled enough to tell


@dataclass(frozen=True, slots=True)
class Identified:
    """A model of the process. True in a condition.

    Attributes:
        process: the model. intervals: of its ``gain``, ``t1_s``, ``t2_s``, ``zero_s``, ``delay_s`` as far as fitted.
        possible: processes on the border of what agrees with the record at 95 % (and close models of other classes):
            what gains must hold for. The model itself is not among them.
        alternatives: class to its corrected Akaike criterion less that of the chosen one, >= 0.
        noise_sd, noise_phi: of the PV's noise [PV unit], and its correlation from sample to sample.
        step_noise_ratio: range of the fitted answer over noise_sd.
        offset: PV level at the start [PV unit]; slope_per_s: its drift [PV unit/s].
        t_s: times of the samples used, from the record's first on [s]. measured, fitted: PV and the model's PV then.
        A record of very many rows was fitted in means over short times (see ``thin``): these are theirs then.
        period_s: usual sample time [s]. warnings: what a person should know before trusting it.
    """

    process: Process
    intervals: dict[str, Interval]
    possible: tuple[Process, ...]
    alternatives: dict[str, float]
    noise_sd: float
    noise_phi: float
    step_noise_ratio: float
    offset: float
    slope_per_s: float
    t_s: FloatArray
    measured: FloatArray
    fitted: FloatArray
    period_s: float
    warnings: tuple[str, ...] = ()

    @property
    def kind(self) -> Kind:
        """The model's class."""
        return self.process.kind


def identify(
    t_s: Times,
    u: Numbers,
    y: Numbers,
    *,
    good: Sequence[bool] | None = None,
    classes: Sequence[str] | None = None,
    drift: bool = True,
    settling: bool = False,
    skip_s: float = 0.0,
    expected_sign: int | None = None,
    widest_gain: float = WIDEST_GAIN,
    prefer: str | None = None,
) -> Identified | Refusal:
    """The process behind a recorded step, doublet, ramp or relay test.

    Args:
        t_s: sample times [s], or dates of one kind (numpy's, Python's, pandas'), rising. u: output, held from each time
            on [output unit]. y: PV [PV unit], NaN = missing.
        good: quality of each PV sample. None = good unless NaN.
        classes: those to try, of "fopdt", "equal-lags", "sopdt", "inverse", "integrating", "integrating-lag".
        drift: allow for a slope of the PV that the output did not cause.
        settling: allow for a PV that was not at rest at the start (a load that came just then). It is allowed for by
            itself where the PV moves before the output does and that explains the record clearly better.
        skip_s: PVs of the first so many seconds are not looked at (the outputs are).
        expected_sign: +1 or -1, the sign of the process gain if it is known; a record that says otherwise is refused.
        widest_gain: half the 95 % interval of K over K, above which the model is refused; > 0.
        prefer: a class to be taken unless another one is clearly better.
    Raises:
        ValueError: for a class or an expected sign that is not accepted; what a record lacks is a refusal instead.
    """
    if expected_sign not in (None, 1, -1):
        raise ValueError(f"expected_sign {expected_sign!r} is not accepted (accepted: 1, -1 or None)")
    record = read_record(t_s, u, y, good, skip_s=skip_s)
    if isinstance(record, Refusal):
        return record
    known = {shape.kind: shape for shape in SHAPES}
    for name in classes or ():
        if name not in known:
            raise ValueError(f"class {name!r} is not known (accepted: {', '.join(known)})")
    shapes = [shape for shape in SHAPES if classes is None or shape.kind in classes]
    asked = _Asked(shapes, drift, settling, expected_sign, widest_gain, prefer)
    slim = thinned(record)
    found = _of(slim, asked)
    if slim is record or not isinstance(found, Identified):
        return found
    return _as_sampled(found, record) if is_fine_for(slim, found.process) else _of(record, asked)


def moved_between_rows(found: Identified) -> Identified:
    """The same model, its output not known to have moved just at the times of its rows, as in a snapshot's record.

    Each move was made up to one sample time before the row that first shows it: the delay may be longer by as much,
    which its interval and the processes that gains must hold for then allow for. The model itself stays as it was.
    """
    late_s, delay = found.period_s, found.intervals["delay_s"]
    return replace(
        found,
        intervals=found.intervals | {"delay_s": replace(delay, high=delay.high + late_s)},
        possible=found.possible + tuple(one.delayed(late_s) for one in (found.process, *found.possible)),
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What ``identify`` was asked for, by the same names."""

    shapes: Sequence[Shape]
    drift: bool
    settling: bool
    expected_sign: int | None
    widest_gain: float
    prefer: str | None


def _as_sampled(found: Identified, record: Record) -> Identified:
    """Noise and sample time of the record's own rows, not of the means that the model was fitted to."""
    rest = record.y - np.interp(record.t_s, found.t_s, found.fitted)
    rest = rest - np.mean(rest)
    noise_sd = float(np.std(rest))
    alike = float(rest[:-1] @ rest[1:]) / max(float(rest @ rest), 1e-300)
    return replace(
        found,
        noise_sd=noise_sd,
        noise_phi=min(max(alike, 0.0), 1.0),
        step_noise_ratio=found.step_noise_ratio * found.noise_sd / max(noise_sd, found.noise_sd),
        period_s=record.period_s,
    )


def _of(record: Record, asked: _Asked) -> Identified | Refusal:
    regression = Regression(record, drift=asked.drift, settling=asked.settling)
    fits = all_fits(regression, asked.shapes)
    if not asked.settling and restless(record):
        other = Regression(record, drift=asked.drift, settling=True)
        others = all_fits(other, asked.shapes)
        if least_aicc(others) < least_aicc(fits) - CLEAR_AICC:
            regression, fits = other, others
    if not fits:
        return Refusal("no-fit", "no class of model could be fitted to this record")
    best = simplest(sorted(fits, key=lambda fit: fit.aicc), asked.prefer)
    if best.shape.kind == "inverse" and (wider := unlike(regression, best)) is not None:
        fits = [*(fit for fit in fits if fit is not best), wider]
        best = wider
    pair = fitted_pair(regression, best)
    swing = _swing(regression, best)
    refused = why_unfit(regression, best, swing, asked.expected_sign, asked.widest_gain)
    if refused is not None:
        return swinging(record, refused, pair) if refused.code in ("drift", "restless", "not-settled") else refused
    if pair is not None and pair.swings and not asked.settling:  # a relay's record tells too little of its damping
        return swinging(record, Refusal("drift", ""), pair)
    found = _identified(regression, best, fits)
    if pair is not None:
        found = replace(
            found,
            intervals=found.intervals | {"gain": found.intervals["gain"].including(pair.gain)},
            warnings=(*found.warnings, pair.warning),
        )
    misled = why_not_by_one_noise(regression, best, swing, found.intervals["delay_s"])
    return found if misled is None else misled


def _swing(regression: Regression, fit: Fit) -> float:
    """Range of what the output did to the PV [PV unit]."""
    return float(np.ptp(answer(fit.process(), regression.record.moves, regression.record.t_s)))


def _allowing(record: Record, process: Process, possible: tuple[Process, ...], delay: Interval) -> tuple[Process, ...]:
    """The processes that gains must hold for, with delays that the fit knows nothing of. Where the delay is not told
    apart from 0, at least one sample time of it, or the shortest would give the highest gains; after a gap, a move that
    was made at its start."""
    if delay.low <= FALSE_START * record.period_s:
        possible = tuple(replace(p, delay_s=max(p.delay_s, record.period_s)) for p in (process, *possible))
    return possible + (tuple(p.delayed(record.gap_s) for p in (process, *possible)) if record.gap_s else ())


def _identified(regression: Regression, fit: Fit, fits: list[Fit]) -> Identified:
    record = regression.record
    gain_at = len(fit.x) + len(fit.linear) - 1
    half = half_width(fit, gain_at)
    intervals = {"gain": Interval(fit.gain - half, fit.gain + half)}
    for n, name in enumerate(fit.shape.names):
        value, wide = float(fit.x[n]), half_width(fit, n)
        if name == "delay_s":
            intervals[name] = profiled(regression, fit, n, wide)
        elif name == "zero_s":
            intervals[name] = Interval(value - wide, value + wide)
        else:
            intervals[name] = lag_interval(regression, fit, n, wide)
    near = [f for f in fits if f is not fit and f.aicc - fit.aicc < CLOSE_AICC and f.gain * fit.gain > 0.0]
    intervals |= widened(regression, intervals, fit, [f for f in near if f.shape.integrating == fit.shape.integrating])
    possible = border(regression, fit) + tuple(
        f.process() for f in near if f.shape.integrating == fit.shape.integrating
    )
    possible = _allowing(record, fit.process(), possible, intervals["delay_s"])
    swing, warnings = _swing(regression, fit), _warnings(regression, fit, near)
    warnings += tuple(doubts(regression, fit, intervals["delay_s"]))
    intervals["delay_s"] = replace(intervals["delay_s"], high=intervals["delay_s"].high + record.gap_s)
    return Identified(
        process=fit.process(),
        intervals=intervals,
        possible=possible,
        alternatives={f.shape.kind: round(f.aicc - fit.aicc, 3) for f in fits if f is not fit},
        noise_sd=fit.noise_sd,
        noise_phi=fit.phi,
        step_noise_ratio=swing / fit.noise_sd,
        offset=float(fit.linear[0]) - (0.5 * float(fit.linear[1]) if regression.drift else 0.0),
        slope_per_s=float(fit.linear[1]) / record.span_s if regression.drift else 0.0,
        t_s=record.t_s,
        measured=record.y,
        fitted=np.asarray(regression.columns(fit.shape, fit.x) @ fit.linear, dtype=np.float64),
        period_s=record.period_s,
        warnings=warnings,
    )


def _warnings(regression: Regression, fit: Fit, near: list[Fit]) -> tuple[str, ...]:
    record, process = regression.record, fit.process()
    said = []
    if regression.settling and restless(record):
        said.append("the PV was not at rest before the first move; what it still had to go was taken out")
    if record.spikes:
        said.append(f"{record.spikes} samples stood out far from both neighbours and were left out")
    if record.bad_share > 0.02:
        said.append(f"{record.bad_share:.0%} of the samples were missing or bad and were left out")
    if record.op_blank_share > 0.02:
        said.append(
            f"the output is missing in {record.op_blank_share:.0%} of the rows and was taken as unchanged there;"
            " where it was not recorded just when it moved, the delay is told too short"
        )
    if not process.integrating and record.after_s < process.delay_s + 3.0 * (process.t1_s + process.t2_s):
        said.append("the record ends before the answer has settled; the gain rests on the model's shape")
    if any(f.shape.integrating != fit.shape.integrating for f in near):
        said.append("an integrating and a self-regulating model fit about as well: the record is short for its lag")
    if fit.phi > 0.98 and fit.noise_sd > 1e-3 * float(np.ptp(record.y)):
        said.append("the residuals wander slowly: a load moved during the test, or the model's class is too simple")
    return tuple(said)
