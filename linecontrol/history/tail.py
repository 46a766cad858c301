"""Fresh samples, packed: what one commit adds is one row of the table ``tail``. Pure: no I/O, no clock.

A sample is 24 bytes (tag, status, time, value), so that a thousand rows are read as one array. Texts stand beside it.
"""

from __future__ import annotations

import itertools
import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from linecontrol.history.rows import Row
from linecontrol.history.scanrows import RECORD, Pieces, ScanRows
from linecontrol.history.series import Series, all_good, joined

_NONE = float("nan")


class Packed(NamedTuple):
    """One row of the tail."""

    start_us: int
    end_us: int
    rows: int
    samples: bytes
    texts: str | None


def pack(rows: Sequence[Row], ids: Mapping[str, int]) -> Packed:
    """Sample rows, not empty. Raises ValueError when one of them fits no record, KeyError for a tag without id."""
    if isinstance(rows, ScanRows):
        return Packed(rows.time_us, rows.time_us, len(rows), rows.packed(ids), None)
    if isinstance(rows, Pieces):
        return _together([pack(part, ids) for part in rows.parts if part])
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
    return Packed(int(min(times)), int(max(times)), len(rows), samples, _as_json(texts))


def _together(parts: Sequence[Packed]) -> Packed:
    texts: dict[int, str] = {}
    count = 0
    for part in parts:
        if part.texts is not None:
            texts |= {count + int(at): text for at, text in json.loads(part.texts).items()}
        count += part.rows
    samples = b"".join(part.samples for part in parts)
    return Packed(
        min(part.start_us for part in parts), max(part.end_us for part in parts), count, samples, _as_json(texts)
    )


def _as_json(texts: Mapping[int, str]) -> str | None:
    return json.dumps(texts, ensure_ascii=False) if texts else None


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
    if not len(records):
        return {}
    tags = records["tag"]
    if int(tags.max()) < 2**16:
        tags = tags.astype(np.uint16)  # sorted by its digits, which is many times as fast
    order = np.argsort(tags, kind="stable")
    ordered, tags = records[order], tags[order]
    times, values = ordered["time"].astype(np.int64), ordered["value"].astype(np.float64)
    statuses = ordered["status"].astype(np.int64)
    changes = tags[1:] != tags[:-1]
    borders = [0, *(np.flatnonzero(changes) + 1).tolist(), len(tags)]
    if not texts and not statuses.any() and (changes | (times[1:] > times[:-1])).all():
        names = tags[borders[:-1]].tolist()
        cuts = zip(names, itertools.pairwise(borders), strict=True)
        return {tag: Series(times[a:b], values[a:b], all_good(b - a)) for tag, (a, b) in cuts}
    found: dict[int, Series] = {}
    for start, end in itertools.pairwise(borders):
        beside: dict[int, str] = {}
        if texts:
            beside = {n: texts[at] for n, at in enumerate(order[start:end].tolist()) if at in texts}
        series = Series(times[start:end], values[start:end], statuses[start:end], beside)
        found[int(tags[start])] = joined([series])
    return found


def of_tag(records: npt.NDArray[np.void], texts: Mapping[int, str], tag: int) -> Series:
    return _series(records, texts, np.flatnonzero(records["tag"] == tag))


def _series(records: npt.NDArray[np.void], texts: Mapping[int, str], rows: npt.NDArray[np.int64]) -> Series:
    mine = records[rows]
    beside = {n: texts[at] for n, at in enumerate(rows.tolist()) if at in texts} if texts else {}
    series = Series(
        mine["time"].astype(np.int64), mine["value"].astype(np.float64), mine["status"].astype(np.int64), beside
    )
    return joined([series])
