"""Runs as pandas tables, for notebooks beside the history. Needs the extra ``research``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from linecontrol.analysis.export.table import Table, table_of
from linecontrol.analysis.needs import needed
from linecontrol.history.reader import HistoryReader

if TYPE_CHECKING:
    import pandas as pd


def runs_frame(reader: HistoryReader, records: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """One row a run, by run id: words of the record, every figure, recipe values. Units in ``attrs["units"]``."""
    return _frame(table_of(reader, records, "runs")).set_index("run_id")


def samples_frame(
    reader: HistoryReader, records: Sequence[dict[str, Any]], signals: Sequence[str] = (), every_s: float | None = None
) -> pd.DataFrame:
    """One row a recorded value, or with ``every_s`` the one that holds at each multiple of it. See ``table_of``."""
    return _frame(table_of(reader, records, "samples", signals, every_s))


def _frame(table: Table) -> pd.DataFrame:
    pandas = needed("pandas", "a table")
    rows = [row for piece in table.pieces for row in piece]
    found: pd.DataFrame = pandas.DataFrame(rows, columns=[column.name for column in table.columns])
    found.attrs["units"] = {column.name: column.unit for column in table.columns if column.unit}
    return found
