"""The figures by which runs are compared: their names, units, and how they follow from a batch record. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from linecontrol.core.errors import ConfigError, Problem
from linecontrol.core.model import Text

Record = Mapping[str, Any]
TRIAL_PLACES = ("policy", "line_type")
"""Words that only runs on the twin have: who kept the moisture, and the kind of line."""
PLACES = ("lot", "species", "season", "recipe", "recipe_version", "recipe_hash", "state", "mode", "line", *TRIAL_PLACES)
"""Words of a record by which runs are grouped and found."""
RUN_DATA = ("lot", "species", "season")
"""What a person says about the roots when a run is started."""
TRIAL_DATA = (*TRIAL_PLACES, "plant")
"""What a run on the twin was made with, beside its recipe; ``plant``: parameters of the simulated plant by name."""
MAPPINGS = ("values", "plant")
"""Keys of a record under which there are numbers by name, as ``values.moisture_sp`` or ``plant.rasp.size_um``."""
NAMED = "values.NAME, plant.NAME"


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a run.

    Attributes:
        of: its value from a batch record in ``unit``; NaN where the record does not say.
        digits: that are worth showing. is_share: in percent of something, so that differences are points.
    """

    name: str
    unit: str
    title: Text
    of: Callable[[Record], float]
    digits: int = 2
    is_share: bool = False

    @property
    def apart_unit(self) -> str:
        """Unit of a difference: percent of the same thing differ by points."""
        return "points" if self.is_share else self.unit


def number(value: Any) -> float:
    """A number of a record as float; NaN for whatever is none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def _key(name: str, factor: float = 1.0) -> Callable[[Record], float]:
    return lambda record: number(record.get(name)) * factor


def _per_powder(name: str, factor: float = 1.0) -> Callable[[Record], float]:
    def of(record: Record) -> float:
        powder = number(record.get("powder_kg"))
        return number(record.get(name)) * factor / powder if powder > 0.0 else math.nan

    return of


def _hours(record: Record) -> float:
    began, ended = record.get("started_at"), record.get("ended_at")
    if not began or not ended:
        return math.nan
    return (datetime.fromisoformat(str(ended)) - datetime.fromisoformat(str(began))).total_seconds() / 3600.0


def _made(record: Record) -> float:
    return number(record.get("powder_kg")) + number(record.get("diverted_kg"))


def _diverted(record: Record) -> float:
    made = _made(record)
    return 100.0 * number(record.get("diverted_kg")) / made if made > 0.0 else math.nan


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("yield", "%", Text("Extraction yield", "提取率"), _key("extraction_yield", 100.0), 2, is_share=True),
        Metric(
            *("yield_reconciled", "%", Text("Reconciled yield", "协调后提取率")),
            *(_key("extraction_yield_reconciled", 100.0), 2),
            is_share=True,
        ),
        Metric("moisture", "% wb", Text("Mean moisture", "平均水分"), _key("moisture_mean_pct_wb")),
        Metric("moisture_sd", "% wb", Text("Spread of moisture", "水分波动"), _key("moisture_sd_pct_wb"), 3),
        Metric("energy", "kWh/kg", Text("Energy per kg of powder", "单位能耗"), _per_powder("energy_kwh"), 3),
        Metric("water", "l/kg", Text("Water per kg of powder", "单位水耗"), _per_powder("water_m3", 1000.0), 2),
        Metric("powder", "kg", Text("Good powder", "合格粉"), _key("powder_kg")),
        Metric("roots", "kg", Text("Roots", "鲜葛根"), _key("root_kg"), 1),
        Metric("diverted", "%", Text("Diverted", "转出比例"), _diverted, 2, is_share=True),
        Metric("out_of_band", "s", Text("Out of the moisture band", "水分超带时间"), _key("out_of_band_s"), 0),
        Metric("alarms", "1", Text("Alarms", "报警数"), _key("alarms"), 0),
        Metric("hours", "h", Text("Length", "时长"), _hours, 3),
    )
}


def metric_named(name: str) -> Metric:
    """A metric, or one made of a recipe value (``values.moisture_sp``). Raises ConfigError naming what there is."""
    if name in METRICS:
        return METRICS[name]
    if is_named(name):
        return Metric(name, "", Text(*(2 * (name.partition(".")[2],))), lambda record: number(named(record, name)))
    accepted = ", ".join(METRICS) + ", " + NAMED
    raise ConfigError([Problem("", None, "metric", f"{name!r} is not a figure of a run", accepted)])


def is_named(name: str) -> bool:
    """Whether a name is one of ``MAPPINGS`` with something behind its dot."""
    head, _, rest = name.partition(".")
    return head in MAPPINGS and bool(rest)


def named(record: Record, name: str) -> Any:
    """What a record has under a name for which ``is_named``; None when it does not say."""
    head, _, rest = name.partition(".")
    return (record.get(head) or {}).get(rest)


def word(record: Record, name: str) -> str:
    """A word of a record, as ``lot`` or ``values.moisture_sp``; empty when it does not say."""
    if is_named(name):
        found = named(record, name)
        return "" if found is None else f"{found:g}" if isinstance(found, float) else str(found)
    found = record.get(name)
    return "" if found is None else str(found)


def check_place(name: str) -> str:
    """``name`` when runs can be grouped by it. Raises ConfigError."""
    if name in PLACES or is_named(name):
        return name
    problem = Problem("", None, "by", f"runs are not grouped by {name!r}", ", ".join(PLACES) + ", " + NAMED)
    raise ConfigError([problem])
