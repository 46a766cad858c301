"""Samples as Parquet files, for archives and for other programs: one row for each sample, units beside them.

Columns: tag, time (UTC), value, text, quality, status (OPC UA code), unit. Needs the extra ``research`` (pyarrow).
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from linecontrol.core.errors import StorageError
from linecontrol.history.durable import sync_folder
from linecontrol.history.rows import decode
from linecontrol.history.series import Series

_QUALITIES = np.array(["GOOD", "UNCERTAIN", "BAD", "BAD"])


def pyarrow() -> Any:
    """The library, or StorageError with how to get it."""
    try:
        import pyarrow as pa  # type: ignore[import-untyped]
        import pyarrow.parquet  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise StorageError(
            "Parquet files need pyarrow; install it with: pip install 'linecontrol[research]'"
        ) from error
    return pa


def schema() -> Any:
    pa = pyarrow()
    return pa.schema(
        [
            ("tag", pa.dictionary(pa.int32(), pa.string())),
            ("time", pa.timestamp("us", tz="UTC")),
            ("value", pa.float64()),
            ("text", pa.string()),
            ("quality", pa.dictionary(pa.int32(), pa.string())),
            ("status", pa.uint32()),
            ("unit", pa.dictionary(pa.int32(), pa.string())),
        ]
    )


def table(tag: str, unit: str, series: Series) -> Any:
    """One tag's samples; a value that is no number is null. An integer that no float holds stands as a text."""
    pa = pyarrow()
    texts, missing = pa.nulls(len(series), pa.string()), np.isnan(series.values)
    if series.texts:
        said = {at: decode(None, text) for at, text in series.texts.items()}
        missing[[at for at, value in said.items() if isinstance(value, float)]] = False  # a reading that is NaN
        words = {at: str(value) for at, value in said.items() if not isinstance(value, float)}
        texts = [words.get(at) for at in range(len(series))]
    qualities = pa.array(_QUALITIES[(series.statuses >> 30).astype(np.int64)]).dictionary_encode()
    repeated = np.zeros(len(series), np.int32)
    columns = [
        pa.DictionaryArray.from_arrays(repeated, [tag]),
        pa.array(series.times, pa.timestamp("us", tz="UTC")),
        pa.array(series.values, pa.float64(), mask=missing),
        texts,
        qualities,
        pa.array(series.statuses.astype(np.uint32)),
        pa.DictionaryArray.from_arrays(repeated, [unit]),
    ]
    return pa.table(columns, schema=schema())


class DayFile:
    """A file that is there whole, or not at all. Use it as a context; ``add`` what belongs into it.

    Its name says the day and the blocks: ``2026-03-01.12-36.parquet``, in a folder named after the line.
    """

    def __init__(self, folder: Path, line: str, blocks: list[int]) -> None:
        self._folder = folder / (re.sub(r"[^\w.-]+", "_", line) or "_")
        self._blocks = f"{min(blocks)}-{max(blocks)}"
        self._begun: Any = None
        self._fresh = self._folder / f".{self._blocks}.new"
        self.path = self._fresh

    def __enter__(self) -> DayFile:
        pa = pyarrow()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._begun = pa.parquet.ParquetWriter(self._fresh, schema(), compression="zstd")
        except OSError as error:
            raise StorageError(f"the archive {self._folder} cannot be written: {error}") from error
        return self

    def add(self, tag: str, unit: str, series: Series) -> None:
        """Raises StorageError when the disk is full."""
        if self.path == self._fresh:
            day = datetime.fromtimestamp(int(series.times[0]) / 1e6, UTC).strftime("%Y-%m-%d")
            self.path = self._folder / f"{day}.{self._blocks}.parquet"
        try:
            self._begun.write_table(table(tag, unit, series))
        except OSError as error:
            raise StorageError(f"the archive {self._folder} cannot be written: {error}") from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._begun.close()
        if kind is not None:
            self._fresh.unlink(missing_ok=True)
            return
        with self._fresh.open("rb+") as file:
            os.fsync(file.fileno())
        self._fresh.replace(self.path)
        sync_folder(self._folder)  # what is in it is deleted from the history next


def write_file(path: Path, found: dict[str, tuple[str, Series]]) -> None:
    """Samples (unit and series by tag) as one file. Raises StorageError."""
    pa = pyarrow()
    try:
        with pa.parquet.ParquetWriter(path, schema(), compression="zstd") as file:
            for tag, (unit, series) in found.items():
                file.write_table(table(tag, unit, series))
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error}") from error
