"""Signals and phases of runs, from a history. Reads only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from linecontrol.analysis.overlay.trace import Phase, RunTraces, Trace
from linecontrol.core.errors import ConfigError, Problem
from linecontrol.core.model import Text
from linecontrol.history.reader import HistoryReader

MOST_ROWS = 1_000_000  # of one signal in one run
MOST_EVENTS = 100_000
USUAL = (
    "drying.powder_moisture", "drying.inlet_air_temp", "drying.outlet_air_temp", "drying.product_temp",
    "screening.root_rate", "drying.powder_rate",
)  # fmt: skip
"""Signals that are looked at when none is named, by alias."""


def tags_meant(known: dict[str, dict[str, str]], names: Sequence[str]) -> list[str]:
    """Tags by name or alias; without names the usual ones. Raises ConfigError for one that is not recorded."""
    by_alias = {row["alias"]: name for name, row in known.items() if row["alias"]}
    if not names:
        return [by_alias[alias] for alias in USUAL if alias in by_alias]
    found = []
    for name in names:
        tag = name if name in known else by_alias.get(name)
        if tag is None:
            near = sorted(tag for tag in known if tag[:2].lower() == name[:2].lower())[:8] or sorted(known)[:8]
            raise ConfigError([Problem("", None, "signal", f"{name!r} is not recorded", ", ".join(near) + ", ...")])
        found.append(tag)
    return list(dict.fromkeys(found))


def seconds_of(text: Any) -> float:
    """Line time of an instant of a record; NaN when it has none."""
    return datetime.fromisoformat(str(text)).timestamp() if text else math.nan


def read_traces(reader: HistoryReader, records: Sequence[dict[str, Any]], names: Sequence[str] = ()) -> list[RunTraces]:
    """The signals of runs by their batch records. Runs that never began are left out."""
    known = reader.tags_by_name()
    tags = tags_meant(known, names)
    found = []
    for record in records:
        began, ended = seconds_of(record.get("started_at")), seconds_of(record.get("ended_at"))
        if math.isnan(began):
            continue
        samples = reader.samples(tags, began, None if math.isnan(ended) else ended + 1e-6, MOST_ROWS)
        if math.isnan(ended):
            ended = max((rows[-1].time for rows in samples.values() if rows), default=began)
        signals = {}
        for tag, rows in samples.items():
            if not rows:
                continue
            t = np.array([sample.time - began for sample in rows])
            values = np.array([sample.number for sample in rows])
            row = known[tag]
            signals[tag] = Trace(t, values, row["unit"], row["station"], row["alias"])
        phases = read_phases(reader, str(record["run_id"]), began, ended)
        found.append(RunTraces(str(record["run_id"]), ended - began, signals, tuple(phases)))
    return found


def read_phases(reader: HistoryReader, run_id: str, began: float, ended: float) -> list[Phase]:
    """Phases of a run as its events tell of them; one that did not end lasts until the run does."""
    events = reader.events(began - 1.0, ended + 1.0, MOST_EVENTS, ["run.phase"], run_id)
    begun: dict[tuple[str, str], float] = {}
    done: dict[tuple[str, str], float] = {}
    titles: dict[tuple[str, str], Text | None] = {}
    for event in events:
        key = (str(event.data.get("unit", "")), str(event.data.get("phase", "")))
        if event.data.get("to") == "begun":
            begun.setdefault(key, event.time - began)
            titles.setdefault(key, _title(event.data.get("title")))
        elif event.data.get("to") == "done":
            done[key] = event.time - began
    found = [Phase(*key, at, done.get(key, ended - began), titles[key]) for key, at in begun.items()]
    return sorted(found, key=lambda phase: (phase.begin_s, phase.end_s))


def _title(told: Any) -> Text | None:
    return Text(str(told["en"]), str(told["zh"])) if isinstance(told, Mapping) and {"en", "zh"} <= set(told) else None
