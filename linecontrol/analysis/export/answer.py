"""An exported table as the bytes of a file, as the API hands it out."""

from __future__ import annotations

import io
from typing import Any

from linecontrol.analysis.export.table import table_of
from linecontrol.analysis.export.write import csv_pieces, json_pieces, write_parquet
from linecontrol.analysis.records import find_records
from linecontrol.core.errors import ConfigError, Problem
from linecontrol.history.reader import HistoryReader

MOST_BYTES = 100_000_000


def exported(
    reader: HistoryReader,
    runs: list[str],
    where: str,
    what: Any,
    signals: list[str],
    every_s: float | None,
    form: str,
) -> bytes:
    """The table as a file. Raises ConfigError for what is not there, or a file that grows too large."""
    if not runs and not where.strip():
        raise ConfigError([Problem("", None, "run", "no runs are named", "run ids, or a condition as where")])
    table = table_of(reader, find_records(reader, where, runs), what, signals, every_s)
    out = io.BytesIO()
    if form == "parquet":
        write_parquet(table, out)
        return out.getvalue()
    if form == "csv":
        out.write(b"\xef\xbb\xbf")  # by it spreadsheets know UTF-8
    for piece in csv_pieces(table) if form == "csv" else json_pieces(table):
        out.write(piece.encode())
        if out.tell() > MOST_BYTES:
            message = f"this table is larger than {MOST_BYTES // 1_000_000} MB"
            accepted = "fewer signals or runs, a grid by every, or `linecontrol export` beside the history"
            raise ConfigError([Problem("", None, "run", message, accepted)])
    return out.getvalue()
