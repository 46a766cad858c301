"""How many runs it takes to see a difference, with the spread that the runs on record have."""

from __future__ import annotations

import math
from typing import Any

from linecontrol.analysis.compare import COMPLETE
from linecontrol.analysis.metrics import metric_named, word
from linecontrol.analysis.records import find_records
from linecontrol.analysis.statistics.groups import group_of, plain
from linecontrol.analysis.statistics.power import detectable, runs_needed
from linecontrol.analysis.told import told
from linecontrol.core.errors import ConfigError, Problem
from linecontrol.history.reader import HistoryReader

_TABLE = (3, 5, 10, 20, 50, 100)


def difference_meant(see: str, mean: float | None) -> float:
    """``1%`` of the mean, or a number in the figure's unit. Raises ConfigError."""
    text = see.strip()
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value == 0.0:
        raise ConfigError([Problem("", None, "see", f"{see!r} is no difference", "1% of the mean, or e.g. 0.8")])
    if not text.endswith("%"):
        return abs(value)
    if mean is None or not math.isfinite(mean) or mean == 0.0:
        raise ConfigError([Problem("", None, "see", f"{see}: of which mean?", "a mean, or a difference in its unit")])
    return abs(value / 100.0 * mean)


def power_answer(
    see: str,
    sd: float,
    mean: float | None,
    metric: str = "yield",
    *,
    paired: bool = False,
    power: float = 0.8,
    sd_df: int | None = None,
) -> dict[str, Any]:
    """Runs needed, and what fewer or more would show. Raises ConfigError for what makes no sense. Pure."""
    named = metric_named(metric)
    difference = difference_meant(see, mean)
    if not (math.isfinite(sd) and sd > 0.0):
        raise ConfigError([Problem("", None, "sd", f"{sd:g} is no spread", "above 0")])
    with told("power"):
        needed = runs_needed(difference, sd, power=power, paired=paired, sd_df=sd_df)
        table = [{"each": n, "shows": plain(detectable(sd, n, power=power, paired=paired))} for n in _TABLE]
    what = f"{needed.each} lots, each run both ways," if paired else f"{needed.each} runs of each way"
    spread = f"{sd:.{named.digits + 1}f} {named.apart_unit}"
    of = f", {100 * difference / abs(mean):.2g} % of the mean {mean:.{named.digits}f}" if mean else ""
    open_ = (
        "" if needed.low == needed.high else f" (the spread itself is known only so far: {needed.low} to {needed.high})"
    )
    said = [
        f"To see {difference:.3g} {named.apart_unit}{of} with a chance of {100 * power:g} %, at a spread of {spread}"
        f"{' of differences within a lot' if paired else ' from run to run'}: {what}{open_}.",
        "With so many of each, this can be seen: "
        + ", ".join(f"{row['each']}: {row['shows']:.{named.digits}f}" for row in table)
        + f" {named.apart_unit}.",
    ]
    return {
        "metric": named.name, "unit": named.unit, "difference": plain(difference), "mean": plain(mean), "sd": sd,
        "paired": paired, "power": power, "needed": needed.to_dict(), "shows": table, "statements": said,
    }  # fmt: skip


def asked_power(
    reader: HistoryReader, see: str, metric: str = "yield", where: str = "", paired: bool = False, power: float = 0.8
) -> dict[str, Any]:
    """With mean and spread of runs on record: of one recipe, within which they are pooled.

    ``paired``: the spread of differences within a lot, sqrt(2) times that of runs within their lots.
    """
    records = find_records(reader, where or COMPLETE)
    named = metric_named(metric)
    if paired:
        sd, df = _within_lots(records, metric)
    else:
        groups: dict[tuple[str, str], list[float]] = {}
        for record in records:
            groups.setdefault((word(record, "recipe"), repr(record.get("values"))), []).append(named.of(record))
        found = [group_of("", values) for values in groups.values()]
        df = sum(g.n - 1 for g in found if g.n > 1)
        sd = math.sqrt(sum((g.n - 1) * g.sd**2 for g in found if g.n > 1) / df) if df else math.nan
    if df < 2:
        message = f"the spread is not known from these {len(records)} runs"
        accepted = "three runs of one recipe with equal values (--paired: three lots run in two ways), or --sd"
        raise ConfigError([Problem("", None, "sd", message, accepted)])
    mean = group_of("", [named.of(record) for record in records]).mean
    return power_answer(see, sd, mean, metric, paired=paired, power=power, sd_df=df)


def _within_lots(records: list[dict[str, Any]], metric: str) -> tuple[float, int]:
    """Standard deviation of differences between two ways within a lot, and its degrees of freedom."""
    import numpy as np

    named = metric_named(metric)
    rows = [
        (named.of(r), repr((word(r, "recipe"), r.get("values"))), word(r, "lot")) for r in records if word(r, "lot")
    ]
    rows = [row for row in rows if math.isfinite(row[0])]
    ways, lots = sorted({w for _, w, _ in rows}), sorted({lot for _, _, lot in rows})
    if len(ways) < 2 or len(lots) < 2:
        return math.nan, 0
    design = np.array([[float(w == way) for way in ways] + [float(lot == one) for one in lots] for _, w, lot in rows])
    y = np.array([v for v, _, _ in rows])
    beta, _, rank, _ = np.linalg.lstsq(design, y, rcond=None)
    df = len(y) - int(rank)
    rest = y - design @ beta
    return (math.sqrt(2.0 * float(rest @ rest) / df), df) if df > 0 else (math.nan, 0)
