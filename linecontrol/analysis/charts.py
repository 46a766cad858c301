"""Control charts over the runs of a history, in order of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from linecontrol.analysis.compare import COMPLETE
from linecontrol.analysis.metrics import Record, metric_named
from linecontrol.analysis.records import find_records
from linecontrol.analysis.statistics.groups import plain
from linecontrol.analysis.statistics.spc import DEFAULT_RULES, control_charts
from linecontrol.analysis.told import told
from linecontrol.history.reader import HistoryReader

USUAL = ("yield", "moisture", "energy")


def charts_of(
    records: Sequence[Record], metric: str, baseline: int | None = None, rules: Sequence[str] = DEFAULT_RULES
) -> dict[str, Any]:
    """Charts of one figure over runs, oldest first. Raises ConfigError where there are too few runs. Pure."""
    named = metric_named(metric)
    rows = sorted(records, key=lambda row: str(row.get("started_at")))
    values = [named.of(row) for row in rows]
    with told(metric):
        found = control_charts(values, baseline=baseline, rules=rules)
    return {
        "metric": named.name,
        "unit": named.unit,
        "title": {"en": named.title.en, "zh": named.title.zh},
        "digits": named.digits,
        "runs": [{"run_id": row.get("run_id"), "started_at": row.get("started_at")} for row in rows],
        "values": [plain(v) for v in values],
        "rules": list(rules),
        **found.to_dict(),
    }


def asked_charts(
    reader: HistoryReader,
    metrics: Sequence[str] = USUAL,
    where: str = "",
    run_ids: Sequence[str] = (),
    baseline: int | None = None,
    rules: Sequence[str] = DEFAULT_RULES,
) -> list[dict[str, Any]]:
    """Charts of each figure over the runs that fit; without a condition, over the complete ones."""
    records = find_records(reader, where or ("" if run_ids else COMPLETE), run_ids)
    return [charts_of(records, metric, baseline, rules) for metric in metrics]
