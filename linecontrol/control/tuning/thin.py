"""A record sampled far faster than its process moves, in fewer rows: means over short times. Pure.

A fit's time grows with its rows; what they tell of a process does not, once they stand much closer than its lags.
Means, not every n-th row: they keep what the rows together know. The output's moves stay at their own times.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from linecontrol.control.tuning.models import Process
from linecontrol.control.tuning.record import Record
from linecontrol.control.tuning.regression import SHAPES, Regression
from linecontrol.control.tuning.search import fitted

MANY = 8000  # rows: more are looked at for being too many
FEWEST_LEFT = 4000  # rows
FIRST_LOOK = 2000  # rows for the first estimate of lags and delay
OF_SCALE, OF_LAG = 25.0, 10.0  # a mean is taken over so small a part of lags and delay, and of the longest lag, or less
TOLERATED = 2.0  # times that, as the model found in the end has it: the first look is a rough one
_LOOKED_FOR = ("fopdt", "integrating-lag")


def thinned(record: Record) -> Record:
    """The same record in fewer rows where it has more than ``MANY`` and they stand far closer than the process' lags;
    otherwise as it is.

    No mean is taken over more than a 25th of lags and delay, nor than a tenth of the longest lag: the mean of the
    answer is then the answer at the mean time.
    """
    if len(record.t_s) <= MANY:
        return record
    look = Regression(averaged(record, record.span_s / FIRST_LOOK))
    fits = [fit for shape in SHAPES if shape.kind in _LOOKED_FOR and (fit := fitted(look, shape)) is not None]
    if not fits:
        return record
    longest_s = min(_longest_s(min(fits, key=lambda fit: fit.aicc).process()), record.span_s / FEWEST_LEFT)
    return averaged(record, longest_s) if longest_s >= 2.0 * record.period_s else record


def is_fine_for(record: Record, process: Process) -> bool:
    """Whether its means are short enough for this process, as it was found with them."""
    return record.period_s <= TOLERATED * _longest_s(process)


def _longest_s(process: Process) -> float:
    lag_s = max(process.t1_s, process.t2_s)
    return min(process.scale_s / OF_SCALE, lag_s / OF_LAG if lag_s > 0.0 else process.scale_s / OF_SCALE)


def averaged(record: Record, over_s: float) -> Record:
    """Means of time and PV over stretches of ``over_s`` [s], > 0; stretches without a row are left out."""
    place = np.floor(record.t_s / over_s + 1e-9).astype(np.int64)
    _, row = np.unique(place, return_inverse=True)
    count = np.bincount(row)
    t, y = (np.bincount(row, values) / count for values in (record.t_s, record.y))
    return replace(record, t_s=t, y=y, period_s=max(over_s, record.period_s))
