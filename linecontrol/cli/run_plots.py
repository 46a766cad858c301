"""Charts of runs as they are listed and exported, as files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from linecontrol.cli.charts import new_figure, save
from linecontrol.cli.compare_plot import INKS, MINUTE_S
from linecontrol.core.errors import ConfigError, Problem

if TYPE_CHECKING:
    from linecontrol.history import HistoryReader

MOST_SIGNALS = 12
POINTS = 1000  # of a curve
_LONGEST_S = 1e7  # of a run that has not ended
_MOST_NAMED = 8  # in a legend


def has_yield(row: dict[str, Any]) -> bool:
    return row.get("extraction_yield") is not None and bool(row.get("started_at"))


def draw_yields(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """The yield of each run that has one at the time it began, with its 95 % interval; a colour for each recipe."""
    rows = sorted(filter(has_yield, rows), key=lambda row: str(row["started_at"]))
    figure, axes = new_figure(1)
    axis = axes[0][0]
    for n, recipe in enumerate(dict.fromkeys(str(row["recipe"]) for row in rows)):
        mine = [row for row in rows if str(row["recipe"]) == recipe]
        best = ["_reconciled" if row.get("extraction_yield_reconciled") is not None else "" for row in mine]
        values = [100.0 * row[f"extraction_yield{word}"] for row, word in zip(mine, best, strict=True)]
        spans = [196.0 * (row.get(f"extraction_yield{word}_u") or 0.0) for row, word in zip(mine, best, strict=True)]
        at = [datetime.fromisoformat(str(row["started_at"])) for row in mine]
        label = recipe if n < _MOST_NAMED else "_"
        axis.errorbar(at, values, yerr=spans, fmt="o", ms=4, lw=1.0, capsize=2, color=INKS[n % len(INKS)], label=label)
    axis.set_ylabel("extraction yield [%], 95 %")
    axis.legend(fontsize=7)
    axis.tick_params(axis="x", labelrotation=20, labelsize=8)
    save(figure, path)


def curves_of(
    reader: HistoryReader, run_ids: Sequence[str], where: str, signals: Sequence[str]
) -> list[dict[str, Any]]:
    """Of each signal: tag, unit, and its curve in each run, from the run's beginning on [s].

    Raises ConfigError for a signal or run that is not there, and for more signals than fit into one chart.
    """
    from linecontrol.analysis.overlay.read import seconds_of, tags_meant
    from linecontrol.analysis.records import find_records

    known = reader.tags_by_name()
    tags = tags_meant(known, signals) if signals else list(known)
    if len(tags) > MOST_SIGNALS:
        accepted = f"up to {MOST_SIGNALS} of them, each named by --signal"
        raise ConfigError([Problem("", None, "plot", f"{len(tags)} signals in one chart", accepted)])
    found: list[dict[str, Any]] = [{"tag": tag, "unit": known[tag]["unit"], "runs": {}} for tag in tags]
    for record in find_records(reader, where, run_ids):
        began, ended = (seconds_of(record.get(name)) for name in ("started_at", "ended_at"))
        if not math.isnan(began):
            trends = reader.trend(tags, began, began + _LONGEST_S if math.isnan(ended) else ended, POINTS)
            for one in found:
                trend = trends[one["tag"]]
                one["runs"][str(record["run_id"])] = np.maximum(trend.times / 1e6 - began, 0.0), trend.values
    return found


def draw_curves(found: Sequence[dict[str, Any]], path: Path) -> None:
    """One row for each signal: its values in each run, as they held."""
    figure, axes = new_figure(len(found))
    for axis, signal in zip(axes[:, 0], found, strict=True):
        if axis is not axes[0, 0]:
            axis.sharex(axes[0, 0])
        for n, (run, (seconds, values)) in enumerate(signal["runs"].items()):
            axis.step(seconds / MINUTE_S, values, where="post", color=INKS[n % len(INKS)], lw=0.9, label=run)
        axis.set_ylabel(f"{signal['tag']} [{signal['unit']}]", fontsize=8)
        if 0 < len(signal["runs"]) <= _MOST_NAMED:
            axis.legend(loc="best", fontsize=7)
    axes[-1, 0].set_xlabel("time into the run [min]")
    save(figure, path)
