"""The golden band of chosen runs, and how far other runs lie from it, signal by signal and phase by phase. Pure.

The band is where one more run like the golden ones lies at any one moment with 95 % (a prediction interval by Student's
t, so that three runs make a wider band than thirty). A deviation score of 1 is the edge of the band.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linecontrol.analysis.overlay.align import Overlay
from linecontrol.analysis.overlay.trace import Phase
from linecontrol.analysis.statistics.groups import plain
from linecontrol.core.model import Text

Floats = NDArray[np.float64]
LEAST_GOLDEN = 3
COVERAGE = 0.95
FLOOR = 0.01  # of the signal's range: no band is narrower, or every tick of a still signal would lie outside


@dataclass(frozen=True, slots=True)
class Band:
    """Attributes: centre, half: (n,) mean and half width; NaN where fewer than three golden runs have a value."""

    centre: Floats
    half: Floats
    runs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deviation:
    """One run against the band, over one phase (or, with an empty name, the whole run).

    Attributes:
        score: root mean square of the deviation in half widths; within the band it is below 1.
        outside: share of the time outside. mean: mean deviation in the signal's unit, with its sign.
        worst_at_s: common time of the largest deviation. title: of the phase; None where that is not on record.
    """

    run_id: str
    tag: str
    phase: str
    score: float
    outside: float
    mean: float
    worst_at_s: float
    title: Text | None = None

    def to_dict(self) -> dict[str, Any]:
        row = {name: plain(getattr(self, name)) for name in self.__slots__ if name != "title"}
        return row | {"title": None if self.title is None else asdict(self.title)}


def golden_band(found: Overlay, golden: Sequence[str]) -> Band:
    """The band of these runs. Raises ValueError for fewer than three of them."""
    rows = [i for i, run in enumerate(found.runs) if run in set(golden)]
    if len(rows) < LEAST_GOLDEN:
        raise ValueError(f"a golden band of {found.tag} needs {LEAST_GOLDEN} runs that recorded it ({len(rows)} did)")
    return _band(found, rows)


def deviations(found: Overlay, golden: Sequence[str]) -> list[Deviation]:
    """Every run against the band, whole and by phase; worst first. A golden run is held against the others."""
    chosen = [i for i, run in enumerate(found.runs) if run in set(golden)]
    whole = golden_band(found, golden)
    rows = []
    for i, run in enumerate(found.runs):
        band = whole
        if i in chosen:
            others = [k for k in chosen if k != i]
            if len(others) < LEAST_GOLDEN:
                continue
            band = _band(found, others)
        parts = (Phase("", "", float(found.axis_s[0]), float(found.axis_s[-1])), *found.phases)
        rows += [row for part in parts if (row := _deviation(found, i, run, band, part)) is not None]
    return sorted(rows, key=lambda row: -row.score)


def _band(found: Overlay, rows: Sequence[int]) -> Band:
    from scipy.special import stdtrit

    values = found.values[list(rows)]
    count = np.isfinite(values).sum(axis=0)
    with warnings.catch_warnings():  # moments at which no run has a value give NaN, as they should
        warnings.simplefilter("ignore", RuntimeWarning)
        centre, sd = np.nanmean(values, axis=0), np.nanstd(values, axis=0, ddof=1)
        reach = stdtrit(np.maximum(count - 1, 1), 0.5 + COVERAGE / 2) * np.sqrt(1.0 + 1.0 / np.maximum(count, 1))
    known = values[np.isfinite(values)]
    floor = FLOOR * float(np.ptp(known)) if len(known) else 0.0
    least = max(floor, 1e-9 * max(1.0, float(np.abs(known).max()) if len(known) else 1.0))
    enough = count >= min(LEAST_GOLDEN, len(rows))
    half = np.where(enough, np.maximum(reach * sd, least), np.nan)
    return Band(np.where(enough, centre, np.nan), half, tuple(found.runs[i] for i in rows))


def _deviation(found: Overlay, i: int, run: str, band: Band, part: Phase) -> Deviation | None:
    inside = (found.axis_s >= part.begin_s) & (found.axis_s <= part.end_s)
    apart = np.where(inside, found.values[i] - band.centre, np.nan)
    scaled = apart / band.half
    known = np.isfinite(scaled)
    if not known.any():
        return None
    worst = int(np.nanargmax(np.abs(scaled)))
    return Deviation(
        run,
        found.tag,
        part.name,
        math.sqrt(float((scaled[known] ** 2).mean())),
        float((np.abs(scaled[known]) > 1.0).mean()),
        float(apart[known].mean()),
        float(found.axis_s[worst]),
        part.title,
    )
