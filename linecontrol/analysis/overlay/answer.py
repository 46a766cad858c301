"""Runs of a history laid over each other, with band and deviations, as the API and the command line answer it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from linecontrol.analysis.overlay.align import HOWS, How, Overlay, overlay
from linecontrol.analysis.overlay.band import Band, deviations, golden_band
from linecontrol.analysis.overlay.read import read_traces
from linecontrol.analysis.overlay.trace import RunTraces
from linecontrol.analysis.records import find_records
from linecontrol.analysis.told import told
from linecontrol.core.errors import ConfigError, Problem
from linecontrol.history.reader import HistoryReader

MOST_OVERLAID = 60


def asked_overlay(
    reader: HistoryReader,
    run_ids: Sequence[str] = (),
    signals: Sequence[str] = (),
    how: How = "start",
    golden: Sequence[str] = (),
    golden_where: str = "",
    points: int = 400,
) -> dict[str, Any]:
    """Signals of runs on a common time. ``golden``, ``golden_where``: runs that make the band; they are drawn too.

    Raises ConfigError for what is not there, fewer than three golden runs, or too many runs.
    """
    if how not in HOWS:
        raise ConfigError([Problem("", None, "align", f"{how!r} is no way to align runs", ", ".join(HOWS))])
    chosen = find_records(reader, "", run_ids) if run_ids else []
    best = find_records(reader, golden_where, golden) if golden or golden_where else []
    records = list({str(row["run_id"]): row for row in [*chosen, *best]}.values())
    if not records or len(records) > MOST_OVERLAID:
        message = f"{len(records)} runs are laid over each other"
        raise ConfigError([Problem("", None, "run", message, f"1 to {MOST_OVERLAID}")])
    traces = read_traces(reader, records, signals)
    return laid(traces, how, [str(row["run_id"]) for row in best], points)


def laid(traces: Sequence[RunTraces], how: How, golden: Sequence[str] = (), points: int = 400) -> dict[str, Any]:
    """The answer from traces. Pure."""
    answer: dict[str, Any] = {"align": how, "golden": list(golden), "signals": [], "deviations": []}
    for tag in dict.fromkeys(tag for run in traces for tag in run.signals):
        with told("align"):
            found = overlay(traces, tag, how, points)
        band = None
        if golden:
            with told("golden"):
                band = golden_band(found, golden)
                answer["deviations"] += [row.to_dict() for row in deviations(found, golden)]
        answer["signals"].append(_signal(found, band))
    answer["deviations"].sort(key=lambda row: -row["score"])
    return answer


def _signal(found: Overlay, band: Band | None) -> dict[str, Any]:
    rows = {run: _plain(values) for run, values in zip(found.runs, found.values, strict=True)}
    answer: dict[str, Any] = {
        "tag": found.tag,
        "unit": found.unit,
        "axis_s": [round(float(t), 3) for t in found.axis_s],
        "runs": rows,
        "phases": [
            {
                "unit": p.unit,
                "name": p.name,
                "title": None if p.title is None else asdict(p.title),
                "begin_s": round(p.begin_s, 1),
                "end_s": round(p.end_s, 1),
            }
            for p in found.phases
        ],
    }
    if band is not None:
        answer["band"] = {
            "centre": _plain(band.centre),
            "low": _plain(band.centre - band.half),
            "high": _plain(band.centre + band.half),
        }
    return answer


def _plain(values: Any) -> list[float | None]:
    return [round(float(v), 6) if np.isfinite(v) else None for v in values]
