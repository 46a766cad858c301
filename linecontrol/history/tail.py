"""Fresh samples, packed: what one commit adds is one row of the table ``tail``. Pure: no I/O, no clock.

A sample is 24 bytes (tag, status, time, value), so that a thousand rows are read as one array. Texts stand beside it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from linecontrol.history.rows import Row
from linecontrol.history.series import Series, joined

RECORD = np.dtype([("tag", "<u4"), ("status", "<u4"), ("time", "<i8"), ("value", "<f8")])
_NONE = float("nan")


class Packed(NamedTuple):
    """One row of the tail."""

    start_us: int
    end_us: int
    rows: int
    samples: bytes
    texts: str | None


def pack(rows: Sequence[Row], ids: Mapping[str, int]) -> Packed:
    """Sample rows, not empty. Raises ValueError when one of them fits no record."""
    cells: list[float | int] = []
    texts: dict[int, str] = {}
    add = cells.extend
    for tag, time_us, value, text, status in rows:
        add((ids[tag], status, time_us, _NONE if value is None else value))
        if text is not None:
            texts[len(cells) // 4 - 1] = storable(text)
    times = cells[2::4]
    try:
        samples = struct.pack("<" + "IIqd" * len(rows), *cells)
    except struct.error as error:
        raise ValueError(f"a status or a time is too large to be stored: {error}") from error
    return Packed(
        int(min(times)), int(max(times)), len(rows), samples, json.dumps(texts, ensure_ascii=False) if texts else None
    )


def storable(text: str) -> str:
    """Raises ValueError for what no database takes: half a surrogate pair, NUL."""
    text.encode("utf-8")
    if "\x00" in text:
        raise ValueError("a text holds a NUL character")
    return text


def unpack(rows: Iterable[tuple[bytes, str | None]]) -> tuple[npt.NDArray[np.void], dict[int, str]]:
    """All samples of these rows (samples, texts) in their order, and the texts by position."""
    parts: list[bytes] = []
    texts: dict[int, str] = {}
    at = 0
    for samples, more in rows:
        parts.append(samples)
        if more is not None:
            texts |= {at + int(n): text for n, text in json.loads(more).items()}
        at += len(samples) // RECORD.itemsize
    return np.frombuffer(b"".join(parts), RECORD), texts


def by_tag(records: npt.NDArray[np.void], texts: Mapping[int, str]) -> dict[int, Series]:
    """One series of each tag, in the order of time."""
    order = np.argsort(records["tag"], kind="stable")
    tags = records["tag"][order]
    borders = np.flatnonzero(np.diff(tags)) + 1
    return {
        int(records["tag"][rows[0]]): _series(records, texts, rows) for rows in np.split(order, borders) if len(rows)
    }


def of_tag(records: npt.NDArray[np.void], texts: Mapping[int, str], tag: int) -> Series:
    return _series(records, texts, np.flatnonzero(records["tag"] == tag))


def _series(records: npt.NDArray[np.void], texts: Mapping[int, str], rows: npt.NDArray[np.int64]) -> Series:
    mine = records[rows]
    beside = {n: texts[at] for n, at in enumerate(rows.tolist()) if at in texts} if texts else {}
    series = Series(
        mine["time"].astype(np.int64), mine["value"].astype(np.float64), mine["status"].astype(np.int64), beside
    )
    return joined([series])
