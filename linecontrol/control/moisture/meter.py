"""Is the moisture meter's reading to be used? Missing, stuck, a spike: judged sample by sample. Pure."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FALSE_ALARMS_PER_8H = 0.3
SPIKE_SDS = 6.0  # a reading so far from what is expected is not used at once
HOLDS_SHARE = 0.35  # a meter that repeats itself more often than this holds its values
STILL = 10  # a meter that shows one value for so many times as long as usual stands still
SPIKES = 5  # so many of them in a row are believed to be the process (or the meter's new level)


def renewal(readings: NDArray[np.float64]) -> tuple[float, float]:
    """How a meter renews its reading, from a record: samples from one new value to the next (1 = each sample may be
    new), and the share of new values that were exactly the last one. Stretches of a meter that stands still, and NaN,
    are left out.

    A meter that measures more slowly than it is read shows runs of equal readings, and hardly any shorter ones.
    """
    readings = readings[np.isfinite(readings)]
    edges = np.flatnonzero(np.diff(readings) != 0.0) + 1
    runs = np.diff(edges)  # the first and the last one may be cut off
    if len(runs) >= 10:
        least = float(np.quantile(runs, 0.05, method="lower"))
        usual = runs[runs < 2.0 * least]
        if least >= 2.0 and len(usual) >= 0.5 * len(runs):
            each = float(np.mean(usual))
            runs = runs[runs <= STILL * each]
            return each, 1.0 - len(runs) / float(np.sum(np.round(runs / each)))
    same = np.diff(readings) == 0.0
    if len(same) < 10:
        return 1.0, 0.0
    long = np.convolve(same.astype(float), np.ones(STILL), "same") > STILL - 0.5
    long = np.convolve(long.astype(float), np.ones(2 * STILL + 1), "same") > 0.5
    return 1.0, float(np.mean(same[~long])) if np.any(~long) else 0.0


def repeats_for_stuck(repeat_share: float, sample_s: float) -> int:
    """Equal values in a row that prove a stuck meter, at most ``FALSE_ALARMS_PER_8H`` by chance in 8 h.

    ``sample_s``: from one new value to the next [s].

    A meter that repeats itself often (p) measures more slowly than it is read: n repeats happen by chance about N p^n
    times in N readings. One that seldom does has noise on a coarse scale, and readings near the mean repeat more often
    than others: Gaussian noise of standard deviation s in steps q << s has p = q/(2 s sqrt(pi)), and n repeats happen
    about N (sqrt(2) p)^n / sqrt(n + 1) times.
    """
    p = min(max(repeat_share, 1e-3), 0.98)
    most = FALSE_ALARMS_PER_8H * sample_s / 28_800.0
    if p > HOLDS_SHARE:
        return max(2, math.ceil(math.log(most) / math.log(p)))
    n = 2
    while (math.sqrt(2.0) * p) ** n / math.sqrt(n + 1.0) > most:
        n += 1
    return n


class MeterState(NamedTuple):
    """What the judgement remembers: last reading, repeats of it and for how long, readings in a row that looked like
    spikes, and how long none could be used."""

    last: float = math.nan
    repeats: int = 0
    spikes: int = 0
    missing_s: float = 0.0
    same_s: float = 0.0


def judge(
    state: MeterState,
    reading: float,
    expected: float,
    expected_sd: float,
    stuck_after: int,
    dt_s: float,
    *,
    is_new: bool = True,
    stuck_after_s: float = 0.0,
) -> tuple[float, MeterState, str]:
    """One reading.

    Args:
        reading: [% wb], NaN = not good. expected, expected_sd: what the model expects, NaN = nothing.
        stuck_after: from ``repeats_for_stuck``.
        is_new: False = the meter was not read anew, so that an equal reading is no repeat.
        stuck_after_s: nor is it stuck before it has shown one value for so long [s]: it renews it more slowly than it
            is read.

    Returns:
        the reading to use (NaN = none), new state, and "", "missing", "stuck" or "spike".
    """
    if not math.isfinite(reading):
        return math.nan, state._replace(missing_s=state.missing_s + dt_s), "missing"
    is_same, missing_s = reading == state.last, state.missing_s + dt_s
    repeats = state.repeats + (1 if is_new else 0) if is_same else 0
    same_s = state.same_s + dt_s if is_same else 0.0
    if repeats >= stuck_after and same_s >= stuck_after_s:
        return math.nan, MeterState(reading, repeats, 0, missing_s, same_s), "stuck"
    far = expected_sd > 0.0 and abs(reading - expected) > SPIKE_SDS * expected_sd
    if far and state.spikes < SPIKES:
        return math.nan, MeterState(reading, repeats, state.spikes + 1, missing_s, same_s), "spike"
    return reading, MeterState(reading, repeats, state.spikes if far else 0, 0.0, same_s), ""
