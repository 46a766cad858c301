"""Batch records looked up in a history. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from linecontrol.analysis.where import parse_where
from linecontrol.core.errors import ConfigError, Problem
from linecontrol.history.reader import HistoryReader

MOST_RUNS = 20_000


def find_records(
    reader: HistoryReader, where: str = "", run_ids: Sequence[str] = (), limit: int = MOST_RUNS
) -> list[dict[str, Any]]:
    """Records of the runs named, or of those that fit, newest first.

    With both, those named that fit. Raises ConfigError for a run that is not on record, or a condition that is none.
    """
    condition = parse_where(where) if where.strip() else None
    found = reader.records(MOST_RUNS)
    if run_ids:
        by_id = {row.get("run_id"): row for row in found}
        if "last" in run_ids and found:
            by_id["last"] = found[0]
        missing = [run for run in run_ids if run not in by_id]
        if missing:
            known = ", ".join(str(row.get("run_id")) for row in found[:3]) or "no run is on record"
            raise ConfigError([Problem("", None, "run", f"there is no run {missing[0]!r} on record", f"{known}, ...")])
        found = [by_id[run] for run in dict.fromkeys(run_ids)]
    return [row for row in found if condition is None or condition.holds(row)][:limit]
