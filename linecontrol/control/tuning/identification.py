"""A model of the process from one recorded test, with honest intervals, or a refusal with its reason. Pure.

Classes tried: first order + delay, two equal lags, two lags, inverse response, integrating, integrating + lag. The one
with the least corrected Akaike criterion is offered; those close to it are kept as alternatives to be robust against.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp

import numpy as np

from linecontrol.control.tuning.doubt import Interval, border, half_width, profiled, widened
from linecontrol.control.tuning.misfit import (
    FALSE_START,
    doubts,
    swings_by_itself,
    why_not_by_one_noise,
    why_not_by_the_gap,
    why_not_by_the_output,
)
from linecontrol.control.tuning.models import FloatArray, Kind, Process, answer
from linecontrol.control.tuning.record import Numbers, Record, Refusal, read_record, restless
from linecontrol.control.tuning.regression import SHAPES, Fit, Regression, Shape
from linecontrol.control.tuning.times import Times

RESTLESS, SLOW_PHI = 0.1, 0.9  # noise of so much of the answer's range, so alike from sample to sample, is a load's
CLEAR = 3.0  # least range of the fitted answer over the noise's standard deviation
CLEAR_AICC = 10.0  # a preferred class is kept unless another is so much better
CLOSE_AICC = 6.0  # a class so little worse than the best is still possible
WIDEST_GAIN = 0.35  # half a 95 % interval of K over K: wider, the answer has not settled enough to tell
COARSEST = 2.0  # samples within delay + lags, at least
_SEARCHED = 300  # samples that the first search looks at


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
    regression = Regression(record, drift=drift, settling=settling)
    fits = _fits(regression, shapes)
    if not settling and restless(record):
        other = Regression(record, drift=drift, settling=True)
        others = _fits(other, shapes)
        if _least(others) < _least(fits) - CLEAR_AICC:
            regression, fits = other, others
    if not fits:
        return Refusal("no-fit", "no class of model could be fitted to this record")
    best = _simplest(sorted(fits, key=lambda fit: fit.aicc), prefer)
    refused = _unfit(regression, best, expected_sign, widest_gain)
    if refused is not None:
        return _swinging(record, refused) if refused.code in ("drift", "restless") else refused
    found = _identified(regression, best, fits)
    misled = why_not_by_one_noise(regression, best, _swing(regression, best), found.intervals["delay_s"])
    return found if misled is None else misled


def _fits(regression: Regression, shapes: Sequence[Shape]) -> list[Fit]:
    return [fit for fit in (_fitted(regression, shape) for shape in shapes) if fit is not None]


def _least(fits: Sequence[Fit]) -> float:
    return min((fit.aicc for fit in fits), default=math.inf)


def _simplest(fits: list[Fit], prefer: str | None) -> Fit:
    """The best; but a preferred class that is not clearly worse, or a model with fewer parameters that is as good to 2
    (they cannot be told apart), comes first."""
    asked = next((fit for fit in fits if fit.shape.kind == prefer), None)
    if asked is not None and asked.aicc - fits[0].aicc < CLEAR_AICC:
        return asked
    near = [fit for fit in fits if fit.aicc - fits[0].aicc < 2.0]
    fewest = min(len(fit.x) for fit in near)
    return next(fit for fit in near if len(fit.x) == fewest)


def _fitted(regression: Regression, shape: Shape) -> Fit | None:
    every = max(1, len(regression.record.t_s) // _SEARCHED)
    ranked = sorted((regression.rough(shape, x, every), n, x) for n, x in enumerate(_starts(regression.record, shape)))
    fits = [regression.fit(shape, ranked[0][2])]
    apart = next((x for _, _, x in ranked[1:] if np.max(np.abs(x - ranked[0][2])) > 0.5), None)
    if apart is not None and len(shape.names) > 2:
        fits.append(regression.fit(shape, apart))
    best = min(fits, key=lambda fit: fit.aicc)
    return best if math.isfinite(best.aicc) and best.gain != 0.0 and math.isfinite(best.gain) else None


def _starts(record: Record, shape: Shape) -> list[FloatArray]:
    span, dt = record.after_s, record.period_s
    lags = np.log(np.geomspace(dt, 2.0 * span, 9))
    delays = np.concatenate(([0.0], np.geomspace(0.5 * dt, 0.6 * span, 9)))
    grids = {
        "t1_s": lags,
        "t2_s": lags[1::2],
        "zero_s": -np.geomspace(0.02, 0.3, 3) * span,
        "delay_s": delays if len(shape.names) < 3 else delays[::2],
    }
    mesh = np.meshgrid(*(grids[name] for name in shape.names), indexing="ij")
    points = np.column_stack([m.ravel() for m in mesh])
    if "t2_s" in shape.names:
        points = points[points[:, 1] < points[:, 0]]
    return list(points)


def _swing(regression: Regression, fit: Fit) -> float:
    """Range of what the output did to the PV [PV unit]."""
    return float(np.ptp(answer(fit.process(), regression.record.moves, regression.record.t_s)))


def _unfit(regression: Regression, fit: Fit, expected_sign: int | None, widest_gain: float) -> Refusal | None:
    """Why this best model is not good enough to be offered."""
    record, process = regression.record, fit.process()
    swing, noise = _swing(regression, fit), fit.noise_sd
    if swing < CLEAR * noise:
        ratio = swing / noise
        return Refusal(
            "small-step",
            f"the answer to the output's move is {ratio:.2g} times the noise ({noise:.3g}; accepted: {CLEAR:g} or"
            f" more); repeat with a step about {max(1.5, 5.0 / max(ratio, 1e-9)):.2g} times as large",
        )
    drifted = abs(float(fit.linear[1])) if regression.drift else 0.0
    if drifted > swing and not process.integrating:
        return Refusal(
            "drift",
            f"the PV drifted by {drifted:.3g} during the test, more than the output moved it ({swing:.3g}); wait until"
            " it is at rest, then repeat",
        )
    width = half_width(fit, len(fit.x) + len(fit.linear) - 1) / abs(fit.gain)
    if width > widest_gain and fit.phi > SLOW_PHI and fit.noise_sd > RESTLESS * swing:
        lasts_s = -record.period_s / math.log(fit.phi)
        return Refusal(
            "restless",
            f"the gain is only known to {width:.0%} (accepted: {widest_gain:.0%}): the PV wanders by"
            f" {2.0 * fit.noise_sd:.3g} within some {lasts_s:.2g} s, and the output moved it by {swing:.3g}: a load"
            " moves; wait until it is at rest, then repeat, or make a larger step or a doublet",
        )
    if width > widest_gain:
        return Refusal(
            "not-settled",
            f"the gain is only known to {width:.0%} (accepted: {widest_gain:.0%}): the record ends"
            f" {record.after_s:.4g} s after the first move, its lags and delay are about {process.scale_s:.4g} s;"
            " record for longer, or make a larger step, a doublet or more periods",
        )
    unexplained = why_not_by_the_output(regression, fit, swing)
    if unexplained is not None:
        return unexplained
    if expected_sign is not None and fit.gain * expected_sign < 0.0:
        return Refusal(
            "wrong-sign",
            f"the PV moved {'with' if fit.gain > 0.0 else 'against'} the output (gain {fit.gain:+.3g}), but the loop's"
            " action expects the opposite; check the action, the valve's direction and the wiring",
        )
    if process.scale_s < COARSEST * record.period_s and not process.integrating:
        return Refusal(
            "coarse",
            f"lags and delay together are {process.scale_s:.3g} s, sampled every {record.period_s:.3g} s; sample at"
            f" least every {process.scale_s / 5.0:.2g} s",
        )
    return why_not_by_the_gap(record, process.delay_s, process.scale_s)


def _allowing(record: Record, process: Process, possible: tuple[Process, ...], delay: Interval) -> tuple[Process, ...]:
    """The processes that gains must hold for, with delays that the fit knows nothing of. Where the delay is not told
    apart from 0, at least one sample time of it, or the shortest would give the highest gains; after a gap, a move that
    was made at its start."""
    if delay.low <= FALSE_START * record.period_s:
        possible = tuple(replace(p, delay_s=max(p.delay_s, record.period_s)) for p in (process, *possible))
    return possible + (tuple(p.delayed(record.gap_s) for p in (process, *possible)) if record.gap_s else ())


def _swinging(record: Record, refused: Refusal) -> Refusal:
    """The same refusal, in other words where the process itself is what seems to wander."""
    period_s = swings_by_itself(record)
    if period_s is None:
        return refused
    return replace(
        refused,
        reason=f"the PV overshot and swung back, about every {period_s:.3g} s, ever less: a process (or an inner loop)"
        " that swings by itself is none of the classes known here; damp it, then repeat",
    )


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
            intervals[name] = Interval(exp(max(value - wide, -700.0)), exp(min(value + wide, 700.0)))
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
