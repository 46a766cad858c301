"""Runs compared by the figures of their records: side by side, or as groups with effect size, interval and lots.

``compare_records`` is pure; ``asked_compare`` takes the records from a history.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from linecontrol.analysis.metrics import Metric, Record, check_place, metric_named, word
from linecontrol.analysis.records import find_records
from linecontrol.analysis.statistics.groups import (
    Adjust,
    Difference,
    Group,
    Method,
    adjusted,
    compare_groups,
    group_of,
    plain,
)
from linecontrol.analysis.statistics.lots import LotModel, compare_with_lots
from linecontrol.analysis.told import told
from linecontrol.core.errors import ConfigError
from linecontrol.history.reader import HistoryReader

Lots = Literal["auto", "yes", "no"]
SIDE_BY_SIDE = ("yield", "moisture", "moisture_sd", "energy", "water", "powder", "diverted", "alarms", "hours")
COMPLETE = 'state == "Complete"'


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure over the groups.

    Attributes:
        differences: of every pair, by ``lots`` where that model could be made, otherwise by ``runs``.
        runs: the same without looking at lots. lots: the mixed model, None where it was not asked for or not possible;
            ``why_no_lots`` then says why not.
    """

    metric: Metric
    groups: tuple[Group, ...]
    differences: tuple[Difference, ...]
    runs: tuple[Difference, ...]
    lots: LotModel | None
    why_no_lots: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "metric": self.metric.name,
            "unit": self.metric.unit,
            "title": {"en": self.metric.title.en, "zh": self.metric.title.zh},
            "groups": [{"name": g.name, "n": g.n, "mean": plain(g.mean), "sd": plain(g.sd)} for g in self.groups],
            "differences": [row.to_dict() for row in self.differences],
            "without_lots": [row.to_dict() for row in self.runs],
            "lots": None if self.lots is None else self.lots.to_dict(),
            "why_no_lots": self.why_no_lots,
            "statements": [statement(self.metric, row) for row in self.differences],
        }


def compare_records(
    records: Sequence[Record],
    by: str,
    metrics: Sequence[str] = ("yield",),
    *,
    method: Method = "t",
    adjust: Adjust = "holm",
    lots: Lots = "auto",
    confidence: float = 0.95,
) -> list[Compared]:
    """Groups of runs, by a word of their records (``recipe``, ``lot``, ``values.moisture_sp`` ...).

    Groups come in the order of their names. p-values are adjusted over every pair and figure asked for. Raises
    ConfigError naming what is wrong: no such figure or word, too few groups, runs or lots.
    """
    check_place(by)
    named = [metric_named(name) for name in dict.fromkeys(metrics)]
    grouped: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        grouped[word(record, by)].append(record)
    grouped.pop("", None)
    order = sorted(grouped, key=_natural)
    found = [_compared(metric, {g: grouped[g] for g in order}, by, method, lots, confidence) for metric in named]
    rows = adjusted([row for one in found for row in one.differences], adjust)
    also = adjusted([row for one in found for row in one.runs], adjust)
    answer, at, at_runs = [], 0, 0
    for one in found:
        end, end_runs = at + len(one.differences), at_runs + len(one.runs)
        answer.append(replace(one, differences=tuple(rows[at:end]), runs=tuple(also[at_runs:end_runs])))
        at, at_runs = end, end_runs
    return answer


def _compared(
    metric: Metric, grouped: Mapping[str, Sequence[Record]], by: str, method: Method, lots: Lots, confidence: float
) -> Compared:
    values = {name: [metric.of(record) for record in rows] for name, rows in grouped.items()}
    with told(metric.name):
        runs = compare_groups(values, method=method, adjust="none", confidence=confidence)
    model, why = None, ""
    if lots != "no" and by != "lot":
        flat = [(v, name, word(r, "lot")) for name in grouped for v, r in zip(values[name], grouped[name], strict=True)]
        try:
            with told("lots"):
                model = compare_with_lots(
                    [v for v, _, _ in flat], [g for _, g, _ in flat], [lot for _, _, lot in flat], adjust="none",
                    confidence=confidence,
                )  # fmt: skip
        except ConfigError as error:
            if lots == "yes":
                raise
            why = error.problems[0].message
    groups = tuple(group_of(name, rows) for name, rows in values.items())
    return Compared(metric, groups, model.differences if model else tuple(runs), tuple(runs), model, why)


def _natural(name: str) -> tuple[int, float, str]:
    """Numbers by their size, before words."""
    try:
        return (0, float(name), name)
    except ValueError:
        return (1, 0.0, name)


def statement(metric: Metric, row: Difference) -> str:
    """One comparison as a sentence."""
    unit, digits = metric.apart_unit, metric.digits
    span = f"{100 * row.confidence:g} %: {row.low:+.{digits}f} to {row.high:+.{digits}f}"
    share = "" if not math.isfinite(row.relative) else f", {100 * row.relative:+.2f} % of it"
    said = f"{metric.title.en}: {row.b} less {row.a} is {row.difference:+.{digits}f} {unit} ({span}{share})"
    if row.is_found:
        return f"{said}: a difference (p = {row.p_adjusted:.2g})"
    return (
        f"{said}: none was found (p = {row.p_adjusted:.2g}); these runs would show one of "
        f"{row.seen_with():.{digits}f} {unit} four times in five"
    )


def side_by_side(records: Sequence[Record], metrics: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Every figure of every run, and by how much it differs from the first run's."""
    named = [metric_named(name) for name in (metrics or SIDE_BY_SIDE)]
    rows = []
    for metric in named:
        values = [metric.of(record) for record in records]
        rows.append(
            {
                "metric": metric.name,
                "unit": metric.unit,
                "title": {"en": metric.title.en, "zh": metric.title.zh},
                "digits": metric.digits,
                "values": [plain(v) for v in values],
                "apart": [plain(v - values[0]) for v in values],
            }
        )
    return rows


def asked_compare(
    reader: HistoryReader,
    run_ids: Sequence[str] = (),
    where: str = "",
    by: str = "",
    metrics: Sequence[str] = (),
    method: Method = "t",
    adjust: Adjust = "holm",
    lots: Lots = "auto",
) -> dict[str, Any]:
    """What the API and the command line answer. Without runs and condition, the complete runs."""
    records = find_records(reader, where or ("" if run_ids else COMPLETE), run_ids)
    runs: list[dict[str, Any]] = [
        {name: record.get(name) for name in ("run_id", "recipe", "state", "started_at", "lot", "species", "season")}
        | ({"group": word(record, by)} if by else {})
        for record in records
    ]
    answer: dict[str, Any] = {"runs": runs, "by": by or None}
    if not by:
        return answer | {"figures": side_by_side(records, metrics)}
    names = metrics or ("yield",)
    found = compare_records(records, by, names, method=method, adjust=adjust, lots=lots)
    for name, one in zip(dict.fromkeys(names), found, strict=True):
        for run, record in zip(runs, records, strict=True):
            run.setdefault("values", {})[name] = plain(one.metric.of(record))
    return answer | {"compared": [one.to_dict() for one in found], "method": method, "adjust": adjust}
