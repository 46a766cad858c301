"""What a loop asks of its actuator. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linecontrol.control.assessment.series import Series

_AT = 1e-3  # of the limits' distance: so near counts as at the limit


@dataclass(frozen=True, slots=True)
class Wear:
    """Movement of the output.

    Attributes:
        travel: sum of all its moves, up and down (total variation) [output unit]; travel_per_h: in an hour.
        reversals_per_h: changes of its direction in an hour.
        low_share, high_share: of the time it stood at its limits, 0 to 1. low, high: those limits [output unit]; where
            none were given, its own extremes, if it stood at both of them for long.
    """

    travel: float
    travel_per_h: float
    reversals_per_h: float
    low_share: float
    high_share: float
    low: float | None
    high: float | None


def wear(series: Series, op_limits: tuple[float, float] | None = None) -> Wear:
    """Of the whole series, whatever the mode."""
    moves = np.diff(series.op)
    moves = moves[moves != 0.0]
    hours = series.duration_s / 3600.0
    travel = float(np.sum(np.abs(moves)))
    turns = int(np.count_nonzero(np.diff(np.sign(moves)) != 0.0))
    low, high = op_limits if op_limits is not None else (float(series.op.min()), float(series.op.max()))
    near = _AT * (high - low)
    low_share, high_share = (float(np.mean(x)) for x in (series.op <= low + near, series.op >= high - near))
    if op_limits is None and (low == high or min(low_share, high_share) < 0.02):
        return Wear(travel, travel / hours, turns / hours, 0.0, 0.0, None, None)
    return Wear(travel, travel / hours, turns / hours, low_share, high_share, low, high)
