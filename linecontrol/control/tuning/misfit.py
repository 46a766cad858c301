"""What a fit does not see by itself: a load that moved during the test, an output that did nothing, a move of which
nobody knows when it was made, a process that swings. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from linecontrol.control.tuning.doubt import Interval
from linecontrol.control.tuning.models import FloatArray, Moves
from linecontrol.control.tuning.record import Record, Refusal
from linecontrol.control.tuning.regression import HIGHEST_PHI, Fit, Regression
from linecontrol.control.tuning.rest import half_cycles

FEWEST_BEFORE = 20  # samples before the first move that tell what the rest is like
# Chi square with 2 degrees of freedom passes 6 once in 20 and 12 once in 400. Classes too simple for their process
# (four to eight lags, a pair of damping 0.7) leave up to 17 with a noise of 0.5 % of the answer, and an excess of up to
# 1.6 % of it; a load of half the answer some way after the step left 21 and 1.9 %, and took all of the delay with it.
UNLIKE, SUSPECT = 12.0, 6.0
FAR_OFF = 0.02  # of the answer's range
FALSE_START = 0.5  # usual periods: a delay that may be shorter is not told apart from 0
LARGEST_ANSWER = 1.5  # times the PV's own range: what a drift made up for it hides
CLEAR_OF_NOTHING = (
    25.0  # by so much a model's Akaike criterion is to be better than that of a PV that wanders by itself
)
GAP_OF_DELAY, GAP_OF_SCALE = 1.0, 0.1  # longest gap before a move, over the delay, and over lags and delay
CLEAR_SWING = 3.0  # times the PV's standard deviation before the move
RETREAT = 0.2  # of the output's range: so far back counts as a move back


@dataclass(frozen=True, slots=True)
class LeftOver:
    """The residual before the output's first move beside that after it.

    Attributes:
        sd_before, sd_after: standard deviations [PV unit]. phi_before, phi_after: correlation from one sample to the
            next. evidence: twice the log likelihood that two noises explain it better than one; chi square with 2
            degrees of freedom where nothing has changed. grain: the PV's usual change between samples [PV unit].
    """

    sd_before: float
    phi_before: float
    sd_after: float
    phi_after: float
    evidence: float
    grain: float

    @property
    def excess(self) -> float:
        """What came in addition after the move, as a standard deviation [PV unit]."""
        return math.sqrt(max(self.sd_after**2 - self.sd_before**2, 0.0))


def left_over(regression: Regression, fit: Fit) -> LeftOver | None:
    """None when too little was recorded before the first move."""
    record = regression.record
    before = record.t_s < record.moves.times_s[0]
    if np.count_nonzero(before) < FEWEST_BEFORE or np.count_nonzero(~before) < FEWEST_BEFORE:
        return None
    rest = record.y - regression.columns(fit.shape, fit.x) @ fit.linear
    changes = np.abs(np.diff(record.y))
    grain = float(np.median(changes[changes > 0.0]))
    # A coarse PV at rest shows one value: its rest is not as quiet as it looks
    least = grain**2 / 12.0 + regression.floor**2
    phi_b, loss_b = _noise(rest[before], least)
    phi_a, loss_a = _noise(rest[~before], least)
    _, loss = _noise(rest, least)
    sd_b, sd_a = (math.sqrt(float(np.mean(part**2)) + least) for part in (rest[before], rest[~before]))
    return LeftOver(sd_b, phi_b, sd_a, phi_a, loss - loss_b - loss_a, grain)


def _noise(rest: FloatArray, least: float) -> tuple[float, float]:
    """Correlation from sample to sample, and -2 log likelihood less its constant; ``least``: added variance."""
    power = float(rest[:-1] @ rest[:-1]) + least * (len(rest) - 1)
    phi = min(max(float(rest[:-1] @ rest[1:]) / power, 0.0), HIGHEST_PHI)
    return phi, len(rest) * math.log(float(np.mean((rest[1:] - phi * rest[:-1]) ** 2)) + least)


def aicc_of_nothing(regression: Regression) -> float:
    """The corrected Akaike criterion of the record were the output to do nothing: level, drift and wandering noise.
    Comparable with ``Fit.aicc``."""
    record = regression.record
    t = record.t_s
    columns = np.column_stack((np.ones_like(t), t / record.span_s - 0.5)[: 2 if regression.drift else 1])
    linear = np.linalg.lstsq(columns, record.y, rcond=None)[0]
    phi = regression.correlation(columns, record.y - columns @ linear)
    return regression.aicc(columns, phi)


def moved_once(moves: Moves, within_s: float) -> bool:
    """Whether the output went one way only, and that within this time [s]: a step, or a short ramp.

    Small steps back (a valve's feedback) do not count.
    """
    path = np.cumsum(moves.sizes)
    path = path / (path[int(np.argmax(np.abs(path)))] or 1.0)
    back = float(np.max(np.maximum.accumulate(path) - path))
    first, last = (moves.times_s[int(np.argmax(path >= share))] for share in (0.1, 0.9))
    return back < RETREAT and float(np.min(path)) > -RETREAT and float(last - first) < within_s


def why_not_by_the_output(regression: Regression, fit: Fit, swing: float) -> Refusal | None:
    """A PV that does not need the output to be explained, though a model with it fits. ``swing``: the fitted answer's
    range [PV unit]."""
    own = float(np.ptp(regression.record.y))
    # Without a slope in the fit (a relay) it is the unknown start that makes up for it, as it should
    if regression.drift and swing > LARGEST_ANSWER * own:
        return Refusal(
            "drift",
            f"the model needs an answer of {swing:.3g} to the output and a drift that cancels it, where the PV moved by"
            f" no more than {own:.3g}; make a clear step in Manual, from rest",
        )
    if aicc_of_nothing(regression) - fit.aicc < CLEAR_OF_NOTHING:
        return Refusal(
            "small-step",
            f"the PV's range of {own:.3g} is explained about as well by a PV that wanders by itself as by the output;"
            " repeat with a larger step",
        )
    return None


def why_not_by_one_noise(regression: Regression, fit: Fit, swing: float, delay: Interval) -> Refusal | None:
    """A load that moved after the only move of the output, as far as one move can tell. ``delay``: its interval [s]."""
    record, seen = regression.record, left_over(regression, fit)
    if seen is None or seen.excess == 0.0 or not moved_once(record.moves, _soon_s(regression, fit)):
        return None
    # A load that comes with the step makes the answer look as if it had begun at once
    false_start = delay.low <= FALSE_START * record.period_s and seen.evidence > SUSPECT
    if not false_start and not (seen.evidence > UNLIKE and seen.excess > FAR_OFF * swing):
        return None
    at_once = ", and the answer seems to begin without any delay" if false_start else ""
    return Refusal(
        "drift",
        f"the PV strays from the model by {seen.sd_after:.3g} after the move (correlation {seen.phi_after:.2f}), and by"
        f" {seen.sd_before:.3g} ({seen.phi_before:.2f}) before it{at_once}: a load moved during the test; repeat it,"
        " with a step back",
    )


def why_not_by_the_gap(record: Record, delay_s: float, scale_s: float) -> Refusal | None:
    """A move of which it is not known when it was made, to a good part of the delay. ``scale_s``: with the lags [s]."""
    if record.gap_s <= max(GAP_OF_DELAY * delay_s, GAP_OF_SCALE * scale_s):
        return None
    return Refusal(
        "missing",
        f"nothing was recorded for {record.gap_s:.3g} s just before the output moved, and the delay is only"
        f" {delay_s:.3g} s from there on: when it moved is not known; record every sample about the move",
    )


def doubts(regression: Regression, fit: Fit, delay: Interval) -> list[str]:
    """What a person should know of all this before trusting a model. ``delay``: its interval [s]."""
    record, seen = regression.record, left_over(regression, fit)
    said = []
    if moved_once(record.moves, _soon_s(regression, fit)):
        said.append(
            "one step cannot tell a load that moved meanwhile: step back as well, and the two answers must agree"
        )
    if seen is not None and seen.evidence > UNLIKE and seen.excess > 0.0:
        said.append(
            f"the PV strays from the model by {seen.sd_after:.3g} after the move and by {seen.sd_before:.3g} before it:"
            " a load moved during the test, or the model's class is too simple"
        )
    if record.gap_s:
        said.append(
            f"nothing was recorded for {record.gap_s:.3g} s just before the output moved: the delay may be longer by as"
            " much, and the gains allow for that"
        )
    if delay.low <= FALSE_START * record.period_s:
        said.append("the delay is not told apart from 0; the gains allow for one sample time of it")
    return said


def swings_by_itself(record: Record) -> float | None:
    """Period [s] of a PV that went past its end value, back past it and so on, ever less, after a step of the output;
    None when it did not. None of the classes can do so."""
    after = record.t_s >= record.moves.times_s[0]
    t, y = record.t_s[after], record.y[after]
    if min(len(y), int(np.count_nonzero(~after))) < FEWEST_BEFORE:
        return None
    away = y - np.mean(y[-len(y) // 3 :])
    fast = float(np.std(np.diff(away))) / math.sqrt(2.0)
    found = half_cycles(t.tolist(), away.tolist(), max(4.0 * fast, 0.03 * float(np.max(np.abs(away)))))
    if len(found) < 3:
        return None
    (_, first), (over_s, over), (under_s, under) = found[:3]
    dies_away = under < over < first and first * under < 4.0 * over**2 < 16.0 * first * under
    wanders = CLEAR_SWING * float(np.std(record.y[~after]))  # by itself: that swings to and fro as well
    return 2.0 * (under_s - over_s) if dies_away and under > wanders else None


def _soon_s(regression: Regression, fit: Fit) -> float:
    """Within so much time [s] several moves one way are one."""
    return max(fit.process().scale_s, 0.1 * regression.record.after_s)
