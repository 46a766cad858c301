"""What a campaign says: means over its trials with their 95 % intervals, one group beside the other. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of the table: what is averaged over the trials of a group. ``value`` gives None where there is none."""

    key: str
    title: str
    unit: str
    digits: int
    value: Callable[[Row], float | None]


def _record(key: str) -> Callable[[Row], float | None]:
    return lambda row: row["record"].get(key)


def _truth(key: str) -> Callable[[Row], float | None]:
    return lambda row: row["truth"].get(key)


def _per(top: Callable[[Row], float | None], bottom: Callable[[Row], float | None], factor: float = 1.0) -> Any:
    def value(row: Row) -> float | None:
        over, under = top(row), bottom(row)
        return None if over is None or not under else factor * over / under

    return value


def _one(_row: Row) -> float:
    return 1.0


def _covered_pct(row: Row) -> float | None:
    """100 when the measured yield lies within two standard uncertainties of the true one, else 0."""
    found, spread = row["record"].get("extraction_yield"), row["record"].get("extraction_yield_u")
    true = row["truth"].get("extraction_yield")
    if found is None or spread is None or true is None:
        return None
    return 100.0 if abs(found - true) <= 2.0 * spread else 0.0


def _made_kg(row: Row) -> float | None:
    good, off = row["truth"].get("good_kg"), row["truth"].get("out_of_spec_kg")
    return None if good is None or off is None else good + off - (row["truth"].get("wet_in_good_kg") or 0.0)


MEASURES = (
    Measure("extraction_yield", "Extraction yield, measured", "%", 2, _per(_record("extraction_yield"), _one, 100)),
    Measure("true_yield", "Extraction yield, true", "%", 2, _per(_truth("extraction_yield"), _one, 100)),
    Measure("covered_pct", "Measured within 2 u of true", "%", 0, _covered_pct),
    Measure("powder_kg", "Good powder", "kg", 2, _truth("good_kg")),
    Measure("moisture_mean_pct_wb", "Moisture in good bags", "% wb", 2, _truth("moisture_mean_pct_wb")),
    Measure("moisture_sd_pct_wb", "Its standard deviation in a run", "% wb", 2, _truth("moisture_sd_pct_wb")),
    Measure("out_of_spec_pct", "Powder out of specification", "%", 2, _per(_truth("out_of_spec_kg"), _made_kg, 100)),
    Measure("wet_in_good_kg", "Too wet powder in good bags", "kg", 3, _truth("wet_in_good_kg")),
    Measure("bad_bags_pct", "Bad bags", "%", 1, _per(_truth("bad_bags"), _truth("bags"), 100)),
    Measure("energy_kwh_kg", "Energy per kg of good powder", "kWh", 3, _per(_record("energy_kwh"), _truth("good_kg"))),
    Measure("water_l_kg", "Water per kg of good powder", "l", 1, _per(_record("water_m3"), _truth("good_kg"), 1000)),
    Measure("alarms", "Alarms", "", 1, _record("alarms")),
    Measure("hours", "Length of a run", "h", 2, lambda row: row["line_s"] / 3600.0),
)


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean and its half 95 % interval over trials (Student's t); ``half`` is None for fewer than two."""

    mean: float | None
    half: float | None
    n: int


def mean_of(values: Iterable[float | None]) -> Mean:
    """Mean with its interval; values that are missing do not count."""
    found = [value for value in values if value is not None and math.isfinite(value)]
    n = len(found)
    if n == 0:
        return Mean(None, None, 0)
    mean = math.fsum(found) / n
    if n == 1:
        return Mean(mean, None, 1)
    variance = math.fsum((value - mean) ** 2 for value in found) / (n - 1)
    return Mean(mean, _t975(n - 1) * math.sqrt(variance / n), n)


def _t975(freedom: int) -> float:
    from scipy.special import stdtrit  # slow to import, and only a summary needs it

    return float(stdtrit(freedom, 0.975))


def summary(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One entry per group of trials that differ only in their seed, in the order in which groups come.

    Each: ``policy``, ``values``, ``plant``, ``trials``, ``complete``, ``errors``, ``breaches`` and, for every measure,
    ``mean``, ``half_95`` and ``n``.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        trial = row["trial"]
        groups.setdefault(repr((trial["policy"], trial["values"], trial["plant"])), []).append(row)
    return [_group(found) for found in groups.values()]


def _group(asked: Sequence[Row]) -> dict[str, Any]:
    trial = asked[0]["trial"]
    rows = [row for row in asked if "error" not in row]
    found: dict[str, Any] = {
        "policy": trial["policy"],
        "values": trial["values"],
        "plant": trial["plant"],
        "trials": len(asked),
        "errors": len(asked) - len(rows),
        "complete": sum(row["record"]["state"] == "Complete" for row in rows),
        "breaches": sum(len(row["breaches"]) for row in rows),
        "measures": {},
    }
    for measure in MEASURES:
        mean = mean_of(measure.value(row) for row in rows)
        found["measures"][measure.key] = {"mean": mean.mean, "half_95": mean.half, "n": mean.n, "unit": measure.unit}
    return found
