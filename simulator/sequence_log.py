"""Writes every value of every station's sequence counter to a file, so that an outsider can count lost samples.

Columns: ``station,seq,check,plant_time,real_utc`` (plant seconds since the start; ISO 8601 UTC). Line buffered: a row
is in the file as soon as the counter moved, whatever happens to the process next.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType

from simulator.plc import Plc


class SequenceLog:
    """Use as a context manager; an existing file is continued."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8", newline="", buffering=1)
        self._rows = csv.writer(self._file, lineterminator="\n")
        if self._file.tell() == 0:
            self._rows.writerow(("station", "seq", "check", "plant_time", "real_utc"))

    def note(self, moved: Mapping[str, Plc], plant_time_s: float, real_utc: datetime) -> None:
        """Write one row for each of these stations, whose counter has just moved."""
        stamp = real_utc.isoformat(timespec="milliseconds")
        for station, plc in moved.items():
            self._rows.writerow((station, plc.sequence, plc.check, f"{plant_time_s:.2f}", stamp))

    def __enter__(self) -> SequenceLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
