"""Is the moisture meter's reading to be used? Missing, stuck, a spike: judged sample by sample. Pure."""

from __future__ import annotations

import math
from typing import NamedTuple

FALSE_ALARMS_PER_8H = 0.3
SPIKE_SDS = 6.0  # a reading so far from what is expected is not used at once
HOLDS_SHARE = 0.35  # a meter that repeats itself more often than this holds its values
SPIKES = 5  # so many of them in a row are believed to be the process (or the meter's new level)


def repeats_for_stuck(repeat_share: float, sample_s: float) -> int:
    """Equal readings in a row that prove a stuck meter, at most ``FALSE_ALARMS_PER_8H`` by chance in 8 h.

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
    """What the judgement remembers: last reading, repeats of it, readings in a row that looked like spikes."""

    last: float = math.nan
    repeats: int = 0
    spikes: int = 0
    missing_s: float = 0.0


def judge(
    state: MeterState,
    reading: float,
    expected: float,
    expected_sd: float,
    stuck_after: int,
    dt_s: float,
    *,
    is_new: bool = True,
) -> tuple[float, MeterState, str]:
    """One reading.

    Args:
        reading: [% wb], NaN = not good. expected, expected_sd: what the model expects, NaN = nothing.
        stuck_after: from ``repeats_for_stuck``.
        is_new: False = the meter was not read anew, so that an equal reading is no repeat.

    Returns:
        the reading to use (NaN = none), new state, and "", "missing", "stuck" or "spike".
    """
    if not math.isfinite(reading):
        return math.nan, MeterState(state.last, state.repeats, state.spikes, state.missing_s + dt_s), "missing"
    repeats = state.repeats + (1 if is_new else 0) if reading == state.last else 0
    if repeats >= stuck_after:
        return math.nan, MeterState(reading, repeats, 0, state.missing_s + dt_s), "stuck"
    far = expected_sd > 0.0 and abs(reading - expected) > SPIKE_SDS * expected_sd
    if far and state.spikes < SPIKES:
        return math.nan, MeterState(reading, repeats, state.spikes + 1, state.missing_s + dt_s), "spike"
    return reading, MeterState(reading, repeats, state.spikes if far else 0, 0.0), ""
