"""Fewer points that look the same: for drawing. Pure: no I/O, no clock.

MinMaxLTTB (tsdownsample) keeps the peaks of a long curve. Rows without a number to draw are kept where such a stretch
begins and ends, so that an outage stays a gap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tsdownsample import LTTBDownsampler, MinMaxDownsampler, MinMaxLTTBDownsampler

from linecontrol.history.numbers import Floats, Ints
from linecontrol.history.series import Series, picked

LEAST_POINTS = 4

_EXTREMES = 4
_EVEN = MinMaxLTTBDownsampler()  # type: ignore[no-untyped-call]
_TRIANGLES = LTTBDownsampler()  # type: ignore[no-untyped-call]
# what the library's own dispatch comes to for these types; it takes as long as a third of a thousand points
_min_max = MinMaxDownsampler().mod_single_core.downsample_f64  # type: ignore[no-untyped-call]
_triangles = _TRIANGLES.mod_single_core.downsample_f32_f64


@dataclass(frozen=True, slots=True)
class Trend:
    """What to draw: the value holds from one time to the next.

    Attributes:
        series: the rows to draw. rows: how many there were.
    """

    series: Series
    rows: int

    @property
    def times(self) -> Ints:
        return self.series.times

    @property
    def values(self) -> Floats:
        """NaN where there was no number, or a BAD one."""
        return np.where(_is_known(self.series), self.series.values, np.nan)


def trend_of(series: Series, points: int) -> Trend:
    """At most about ``points`` (>= 4) rows, plus two for each outage."""
    if len(series) <= max(points, LEAST_POINTS):
        return Trend(series, len(series))
    good = _is_known(series)
    if good.all():
        return Trend(picked(series, downsampled(series.times, series.values, points)), len(series))
    edges = np.flatnonzero(np.diff(good)) + 1
    kept = [np.array([0, len(series) - 1])]
    for start, end in zip([0, *edges], [*edges, len(series)], strict=True):
        kept.append(np.array([start, end - 1]))
        share = max(LEAST_POINTS, round(points * (end - start) / len(series)))
        if good[start] and end - start > share:
            kept.append(start + downsampled(series.times[start:end], series.values[start:end], share))
        elif good[start]:
            kept.append(np.arange(start, end))
    return Trend(picked(series, np.unique(np.concatenate(kept)).astype(np.int64)), len(series))


def _is_known(series: Series) -> npt.NDArray[np.bool_]:
    """Where there is a number that may be drawn: GOOD or UNCERTAIN."""
    if series.is_all_good:
        return series.is_number
    return np.asarray((series.statuses < 1 << 31) & ~np.isnan(series.values))


def downsampled(times: Ints, values: Floats, points: int) -> Ints:
    """Positions of the rows worth drawing: of as many rows each the extremes, and of these the largest triangles."""
    count, wanted = len(times), max(points, LEAST_POINTS)
    span_us, gap_us = int(times[-1] - times[0]), int(times[1] - times[0]) if count > 1 else 0
    if span_us == gap_us * (count - 1) and int(times[count // 2] - times[0]) == gap_us * (count // 2):
        even: Ints = _EVEN.downsample(values, n_out=wanted)
        return even.astype(np.int64)
    if count <= wanted * _EXTREMES:
        return np.asarray(_TRIANGLES.downsample(times, values, n_out=wanted), np.int64)
    extremes = _min_max(values, wanted * _EXTREMES).view(np.int64)
    where = (times[extremes] - times[0]).astype(np.float32)  # fine enough to compare areas, and quick
    return np.asarray(extremes[_triangles(where, values[extremes], wanted)], np.int64)
