"""A record of a dryer as commissioning wants it: from arrays or a CSV file, cleaned, on an even time grid. Pure but for
reading the file.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linecontrol.control.moisture.meter import renewal
from linecontrol.control.quality_marks import good_marks

FloatArray = NDArray[np.float64]

REQUIRED = ("time_s", "inlet_sp_c", "moisture_pct_wb")
OPTIONAL = ("inlet_c", "outlet_c", "product_c", "cake_pct_wb", "feed_kg_h", "ambient_c", "ambient_rh_pct")
SIGNALS = (*REQUIRED[1:], *OPTIONAL)
BELIEVABLE = {
    "inlet_sp_c": (0.0, 350.0),
    "inlet_c": (-40.0, 350.0),
    "outlet_c": (-40.0, 300.0),
    "product_c": (-40.0, 200.0),
    "moisture_pct_wb": (0.0, 60.0),
    "cake_pct_wb": (5.0, 80.0),
    "feed_kg_h": (0.0, 1e6),
    "ambient_c": (-40.0, 60.0),
    "ambient_rh_pct": (0.0, 100.0),
}
WORST_GAP_S = 60.0  # a longer hole in a signal is not bridged
LEAST_GOOD = 0.7  # share of a signal's samples
LEAST_HOURS = 0.75


class CannotCommission(ValueError):
    """The record cannot tell what the controller must know.

    Attributes:
        code: "record", "time", "missing", "short", "no-step", "step-unseen", "small-step", "no-drying", "no-fit",
            "columns", "wrong-sign", "unsure".
        reason: what is wrong, with the value, and what would do.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


@dataclass(frozen=True, slots=True)
class MoistureRecord:
    """A dryer on an even time grid.

    Attributes:
        period_s: of the grid [s].
        signals: name to values, NaN where nothing good was measured for long. Names and units as in ``SIGNALS``.
        good_share: of each signal's samples, 0 to 1. usual: median of what each signal's source gave, good or not.
        raw_period_s: usual sample time of the record itself [s].
        repeat_share: how often the moisture meter's next value was exactly its last one, 0 to 1.
        refresh_s: from one value of that meter to the next where it is read more often [s]; 0 = each reading is one.
    """

    period_s: float
    signals: dict[str, FloatArray]
    good_share: dict[str, float]
    raw_period_s: float
    repeat_share: float = 0.0
    usual: Mapping[str, float] = field(default_factory=dict)
    refresh_s: float = 0.0

    def __len__(self) -> int:
        return len(self.signals["inlet_sp_c"])

    @property
    def hours(self) -> float:
        """Length [h]."""
        return len(self) * self.period_s / 3600.0

    def has(self, name: str) -> bool:
        """Whether this signal is there, mostly good, and says anything."""
        return name in self.signals and self.good_share[name] >= LEAST_GOOD

    def why_not(self, name: str) -> str:
        """Why a signal is not there: it was not recorded, is seldom good, or is not in its unit."""
        if name not in self.signals:
            return f"{name} was not measured"
        usual, (low, high) = self.usual.get(name, math.nan), BELIEVABLE[name]
        if math.isfinite(usual) and not low <= usual <= high:
            return f"{name} is mostly about {usual:.4g}, which is not in its unit (accepted: {low:g} to {high:g})"
        return f"only {100.0 * self.good_share[name]:.0f} % of {name} is good (accepted: {100.0 * LEAST_GOOD:.0f} %)"


def read_csv(path: Path | str) -> dict[str, list[float] | list[str]]:
    """The columns of a CSV file, numbers; empty, "nan" or "bad" cells are NaN.

    A column ``<signal>_quality`` beside a signal makes its values missing where it does not say good (see
    ``quality_marks``; an empty cell says nothing against it). Raises CannotCommission naming file, line and column.
    """
    columns: dict[str, Any] = {}
    with Path(path).open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        names = [name for name in (reader.fieldnames or []) if name]
        for name in ("time_s", "inlet_sp_c", "moisture_pct_wb"):
            if name not in names:
                raise CannotCommission(
                    "missing",
                    f"{path}: column {name} is missing (accepted columns: {', '.join((*REQUIRED, *OPTIONAL))},"
                    " each with an optional <name>_quality)",
                )
        for name in names:
            columns[name] = []
        for row in reader:
            for name in names:
                text = row.get(name) or ""
                marks = name.endswith("_quality")
                columns[name].append(text if marks else _cell(text, name, f"{path}, line {reader.line_num}"))
    return columns


def _cell(text: str, name: str, where: str) -> float:
    word = text.strip().lower()
    if word in ("", "nan", "bad", "null", "none"):
        return math.nan
    try:
        return float(word)
    except ValueError:
        raise CannotCommission("record", f"{where}, column {name}: {text!r} is not a number") from None


def read_record(
    source: Mapping[str, ArrayLike] | Path | str,
    *,
    qualities: Mapping[str, ArrayLike] | None = None,
    period_s: float | None = None,
    shortest_period_s: float = 2.0,
) -> MoistureRecord:
    """A record from arrays by name, or from a CSV file.

    Args:
        source: ``time_s`` [s, rising, or dates], ``inlet_sp_c`` and ``moisture_pct_wb``, and as many of the others as
            there are. Of rows with one time the last counts, rows without a time do not.
        qualities: signal to its marks (see ``quality_marks``); NaN counts as not good anyway.
        period_s: grid [s]; None = the record's own sample time, or ``shortest_period_s`` where that is shorter.

    Raises:
        CannotCommission: what is missing or not usable.
    """
    columns: Mapping[str, ArrayLike] = read_csv(source) if isinstance(source, (str, Path)) else source
    for name in REQUIRED:
        if name not in columns:
            raise CannotCommission(
                "missing", f"the record has no {name} (accepted: {', '.join((*REQUIRED, *OPTIONAL))})"
            )
    t, rows = _times(columns["time_s"])
    raw = float(np.median(np.diff(t)))
    period = max(raw, shortest_period_s) if period_s is None else period_s
    hours = float(t[-1] - t[0]) / 3600.0
    if hours < LEAST_HOURS:
        raise CannotCommission(
            "short", f"the record is {hours:.2f} h long (accepted: at least {LEAST_HOURS:g} h; three or more do better)"
        )
    grid = np.arange(t[0], t[-1] + 1e-9, period)
    signals, shares, usual = {}, {}, {}
    for name in SIGNALS:
        if name not in columns:
            continue
        values, good = _column(name, columns[name], len(rows)), np.ones(len(rows), dtype=bool)
        for marks in ((qualities or {}).get(name), columns.get(f"{name}_quality")):
            if marks is not None:
                good &= _marked(name, marks, len(rows))
        low, high = BELIEVABLE[name]
        values, good = values[rows], good[rows]
        known = good & np.isfinite(values)
        usual[name] = float(np.median(values[known])) if np.any(known) else math.nan
        with np.errstate(invalid="ignore"):
            good = known & (values >= low) & (values <= high)
        shares[name] = float(np.mean(good))
        signals[name] = _on_grid(t, values, good, grid, hold=name == "inlet_sp_c")
    each, repeats = renewal(_column("moisture_pct_wb", columns["moisture_pct_wb"], len(rows))[rows])
    record = MoistureRecord(period, signals, shares, raw, repeats, usual, each * raw if each > 1.0 else 0.0)
    for name in REQUIRED[1:]:
        if not record.has(name):
            raise CannotCommission("missing", record.why_not(name))
    return record


def _times(column: ArrayLike) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Rising times [s], and which rows they belong to."""
    moments = np.asarray(column)
    if moments.dtype.kind == "O" and moments.ndim == 1 and len(moments) and isinstance(moments[0], datetime):
        moments = np.array([(moment - moments[0]).total_seconds() for moment in moments])
    if moments.dtype.kind == "M":
        lost = np.isnat(moments)
        moments = (moments - moments[~lost][:1]) / np.timedelta64(1, "s") if np.any(~lost) else moments.astype(float)
    elif moments.dtype.kind == "m":
        moments = moments / np.timedelta64(1, "s")
    try:
        t = np.asarray(moments, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise CannotCommission("time", f"time_s is neither numbers [s] nor dates: {error}") from None
    rows = np.isfinite(t) if t.ndim == 1 else np.zeros(0, dtype=bool)
    if np.count_nonzero(rows) < max(100.0, LEAST_GOOD * t.size):
        raise CannotCommission(
            "time",
            f"time_s has {t.size} values, {np.count_nonzero(rows)} of them times (accepted: one row of at least 100,"
            f" {100.0 * LEAST_GOOD:.0f} % of them finite)",
        )
    known = np.flatnonzero(rows)
    rows[known[:-1][np.diff(t[known]) == 0.0]] = False  # a row that the next one replaces
    known = np.flatnonzero(rows)
    back = np.diff(t[known]) < 0.0
    if np.any(back):
        at = int(np.argmax(back)) + 1
        raise CannotCommission(
            "time", f"time_s does not rise at sample {known[at]} ({t[known[at - 1]]:g} then {t[known[at]]:g} s)"
        )
    return t[known], rows


def _column(name: str, column: ArrayLike, length: int) -> FloatArray:
    try:
        values = np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise CannotCommission("record", f"{name} has a value that is not a number: {error}") from None
    if values.shape != (length,):
        raise CannotCommission("record", f"{name} has {values.size} values, time_s {length}")
    return values


def _marked(name: str, marks: ArrayLike, length: int) -> NDArray[np.bool_]:
    try:
        good = good_marks(marks, blank=True)
    except ValueError as error:
        raise CannotCommission("record", f"quality of {name}: {error}") from None
    if good.shape != (length,):
        raise CannotCommission("record", f"{name} has {good.size} qualities, time_s {length} values")
    return good


def _on_grid(t: FloatArray, values: FloatArray, good: NDArray[np.bool_], grid: FloatArray, *, hold: bool) -> FloatArray:
    """Means over each grid period (or the held value), NaN in holes longer than ``WORST_GAP_S``."""
    if not np.any(good):
        return np.full(len(grid), math.nan)
    tg, vg = t[good], values[good]
    at = np.searchsorted(tg, grid, side="right") - 1
    if hold:
        result = vg[np.maximum(at, 0)]
    else:
        period = grid[1] - grid[0]
        total = np.concatenate([[0.0], np.cumsum(vg)])
        end, start = at + 1, np.searchsorted(tg, grid - period, side="right")
        count = end - start
        mean = (total[end] - total[np.minimum(start, end)]) / np.maximum(count, 1)
        result = np.where(count > 0, mean, np.interp(grid, tg, vg))
    after = np.searchsorted(tg, grid, side="left")
    since = grid - tg[np.maximum(at, 0)]
    until = tg[np.minimum(after, len(tg) - 1)] - grid
    hole = np.where(at < 0, until, np.where(after >= len(tg), since, np.minimum(since, WORST_GAP_S) + until))
    return np.where(np.abs(hole) > WORST_GAP_S, math.nan, result)


def absolute_humidity(ambient_c: float, rh_pct: float) -> float:
    """Water in the ambient air [g/kg dry air] at 101.325 kPa; Magnus' vapour pressure, within 0.4 % over -20..50 °C.

    NaN for NaN. Accepted: believable temperatures (``BELIEVABLE``); a humidity beyond 0..100 % is taken for that.
    """
    saturated = 610.94 * math.exp(17.625 * ambient_c / (243.04 + ambient_c))
    vapour = saturated * min(max(rh_pct, 0.0), 100.0) / 100.0
    return 622.0 * vapour / (101_325.0 - vapour)
