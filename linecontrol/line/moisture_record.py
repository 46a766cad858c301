"""A run's history as a record for commissioning the dryer's model: columns by the names of ``control.moisture``.

Pure but for the questions to the history.
"""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Mapping
from pathlib import Path

from linecontrol.config import LineConfig
from linecontrol.config.line import Loop, Moisture
from linecontrol.core.errors import ConfigError, Problem
from linecontrol.history.reader import HistoryReader
from linecontrol.line.sp_advice import MOST_ROWS, Looked

GRID_S = 5.0
USUAL_FEED = 0.6  # of the median: less is start-up or run-out
START_UP_S, RUN_OUT_S = 300.0, 60.0  # of feeding as usual, left out at either end
SIGNALS = {
    "inlet_c": "inlet",
    "outlet_c": "outlet",
    "product_c": "product",
    "moisture_pct_wb": "nir",
    "cake_pct_wb": "cake",
    "feed_kg_h": "feed",
    "ambient_c": "ambient",
    "ambient_rh_pct": "humidity",
}
"""Column of the record: key of the loop's section ``moisture``."""


def moisture_loop(config: LineConfig) -> tuple[Loop, Moisture]:
    """The loop with a section ``moisture``. Raises ConfigError when the line has none."""
    for loop in config.line.loops:
        if loop.moisture is not None:
            return loop, loop.moisture
    message = "no loop has a section moisture, which says which tag is the inlet air, the cake's moisture and so on"
    raise ConfigError([Problem(str(config.path), None, "loops", message, "see docs/moisture.md")])


def run_columns(reader: HistoryReader, config: LineConfig, run_id: str) -> dict[str, list[float]]:
    """The dryer during a run, while it was fed as usual, on an even grid; NaN where nothing was GOOD.

    The first minutes of feeding and the run-out are left out: they are not how the dryer works, and would be taken for
    what its load does by itself.

    ``time_s`` from 0 [s], ``inlet_sp_c`` [°C] and the columns of ``SIGNALS``. Signals that are not recorded are left
    out. Raises ConfigError for a run that is not on record or made no powder.
    """
    loop, rows = moisture_loop(config)
    run = reader.run(run_id)
    if run is None or run.started_at is None:
        known = ", ".join(row.run_id for row in reader.runs(3)) or "no run is on record"
        raise ConfigError([Problem("", None, "run", f"there is no run {run_id!r}", known)])
    wanted = {column: str(getattr(rows, key)) for column, key in SIGNALS.items()}
    wanted["inlet_sp_c"] = f"{loop.op.removesuffix('.SP')}.WSP"
    flow, least = (loop.needs.tag, loop.needs.min) if loop.needs is not None else (rows.nir, -math.inf)
    recorded = reader.tags()
    names = {name for name in (*wanted.values(), flow) if name in recorded}
    found = {name: reader.samples([name], run.started_at, run.ended_at, MOST_ROWS)[name] for name in names}
    end = run.ended_at or max((samples[-1].time for samples in found.values() if samples), default=run.started_at)
    look = Looked(found)
    times = [run.started_at + GRID_S * n for n in range(int((end - run.started_at) / GRID_S) + 1)]
    flowing = [t for t in times if look.number(flow, t) >= least]
    if not flowing:
        raise ConfigError([Problem("", None, "run", f"run {run_id!r} made no powder", "a run that did")])
    fed = [t for t in flowing if look.number(rows.feed, t) > 0.0] if rows.feed in names else []
    if fed:
        usual = USUAL_FEED * statistics.median(look.number(rows.feed, t) for t in fed)
        flowing = [t for t in fed if look.number(rows.feed, t) >= usual]
    start, end = flowing[0] + START_UP_S, flowing[-1] - RUN_OUT_S
    times = [t for t in times if start <= t <= end]
    if not times:
        raise ConfigError([Problem("", None, "run", f"run {run_id!r} was too short for a record", "some hours")])
    columns = {"time_s": [t - times[0] for t in times]}
    for column, name in wanted.items():
        if name in names:
            columns[column] = [look.number(name, t) for t in times]
    return columns


def write_csv(path: Path, columns: Mapping[str, list[float]]) -> None:
    """A record as a file that ``linecontrol moisture commission --csv`` reads; empty cells where nothing was GOOD."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow(["" if math.isnan(value) else f"{value:.6g}" for value in row])
