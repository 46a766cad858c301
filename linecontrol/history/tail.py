"""Fresh samples, packed: what one commit adds is one row of the table ``tail``. Pure: no I/O, no clock.

A row is one frame after another: a head (how many samples, their status, their time) and the samples. A whole scan
shares status and time, so only tags and values follow: 10 bytes a sample. Samples that share nothing are records of 24
bytes (tag, status, time, value). Texts stand beside them all, by position.
"""

from __future__ import annotations

import itertools
import json
import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from linecontrol.history.numbers import Floats, Ints
from linecontrol.history.rows import Row
from linecontrol.history.scanrows import Pieces, ScanRows
from linecontrol.history.series import Series, all_good, joined

_NONE = float("nan")
_HEAD = struct.Struct("<IIq")
_RECORD = np.dtype([("tag", "<u4"), ("status", "<u4"), ("time", "<i8"), ("value", "<f8")])
_HEADS = np.dtype([("count", "<u4"), ("status", "<u4"), ("time", "<i8")])  # the same, of many rows
_RECORDS = 1 << 31  # in a head: that many records follow
_SMALL = 1 << 16  # tags of a scan are shorter than this


class Packed(NamedTuple):
    """One row of the tail."""

    start_us: int
    end_us: int
    rows: int
    samples: bytes
    texts: str | None


class Columns(NamedTuple):
    """Samples in the order they were committed; ``texts`` by position."""

    tags: npt.NDArray[np.unsignedinteger]
    times: Ints
    values: Floats
    statuses: npt.NDArray[np.uint32]
    texts: Mapping[int, str]


def pack(rows: Sequence[Row], ids: Mapping[str, int]) -> Packed:
    """Sample rows, not empty. Raises ValueError when one of them fits no record, KeyError for a tag without id."""
    if isinstance(rows, ScanRows):
        tags = rows.names.numbers(ids)
        if rows.names.largest < _SMALL:
            return Packed(rows.time_us, rows.time_us, len(rows), _scan(rows, tags), None)
    elif isinstance(rows, Pieces):
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
        samples = _HEAD.pack(_RECORDS | len(rows), 0, 0) + struct.pack("<" + "IIqd" * len(rows), *cells)
    except struct.error as error:
        raise _too_large(error) from error
    return Packed(int(min(times)), int(max(times)), len(rows), samples, _as_json(texts))


def _scan(rows: ScanRows, tags: npt.NDArray[np.uint16]) -> bytes:
    try:
        head = _HEAD.pack(len(rows), rows.status, rows.time_us)
    except struct.error as error:
        raise _too_large(error) from error
    return b"".join((head, tags[rows.at].tobytes(), rows.values.tobytes()))


def _too_large(error: struct.error) -> ValueError:
    return ValueError(f"a status or a time is too large to be stored: {error}")


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


# -- reading


class _Scans:
    """Frames of scans that follow one another: their columns are joined as bytes, which is much the quickest."""

    def __init__(self) -> None:
        self.counts: list[int] = []
        self.statuses: list[int] = []
        self.times: list[int] = []
        self.tags: list[bytes] = []
        self.values: list[bytes] = []

    def columns(self) -> Columns:
        counts = np.array(self.counts, np.int64)
        return Columns(
            np.frombuffer(b"".join(self.tags), "<u2"),
            np.array(self.times, np.int64).repeat(counts),
            np.frombuffer(b"".join(self.values), "<f8"),
            np.array(self.statuses, np.uint32).repeat(counts),
            {},
        )


_DAMAGED = "a row of fresh samples is damaged, or was written by another version"


def unpack(rows: Iterable[tuple[bytes, str | None]]) -> Columns:
    """All samples of these rows (samples, texts). Raises ValueError for a row that nobody has packed."""
    rows = [*rows]
    if (alike := _one_scan_each(rows)) is not None:
        return alike
    found: list[Columns] = []
    texts: dict[int, str] = {}
    scans = _Scans()
    count = 0
    for samples, more in rows:
        if more is not None:
            texts |= {count + int(n): text for n, text in json.loads(more).items()}
        at = 0
        while at < len(samples):
            if len(samples) - at < _HEAD.size:
                raise ValueError(_DAMAGED)
            length, status, time_us = _HEAD.unpack_from(samples, at)
            at += _HEAD.size
            size = (length ^ _RECORDS) * _RECORD.itemsize if length & _RECORDS else 10 * length
            if len(samples) - at < size:  # looked at before room is made for what it claims to hold
                raise ValueError(_DAMAGED)
            if length & _RECORDS:
                length ^= _RECORDS
                if scans.counts:
                    found.append(scans.columns())
                    scans = _Scans()
                found.append(_records(np.frombuffer(samples, _RECORD, length, at)))
                at += length * _RECORD.itemsize
            else:
                scans.counts.append(length)
                scans.statuses.append(status)
                scans.times.append(time_us)
                middle, end = at + 2 * length, at + 10 * length
                scans.tags.append(samples[at:middle])
                scans.values.append(samples[middle:end])
                at = end
            count += length
    if scans.counts or not found:
        found.append(scans.columns())
    if len(found) == 1:
        return found[0]._replace(texts=texts)
    tags, times, values, statuses, _ = zip(*found, strict=True)
    return Columns(np.concatenate(tags), np.concatenate(times), np.concatenate(values), np.concatenate(statuses), texts)


def _one_scan_each(rows: Sequence[tuple[bytes, str | None]]) -> Columns | None:
    """The same, of rows that hold one frame of a scan each, as most do; None where any is another."""
    frames = [samples for samples, texts in rows if texts is None and len(samples) > _HEAD.size]
    if not rows or len(frames) < len(rows):
        return None
    heads = np.frombuffer(b"".join([frame[: _HEAD.size] for frame in frames]), _HEADS)
    counts = heads["count"].astype(np.int64)
    if (np.fromiter(map(len, frames), np.int64, len(frames)) != _HEAD.size + 10 * counts).any():
        return None
    middles = (_HEAD.size + 2 * counts).tolist()
    pairs = [*zip(frames, middles, strict=True)]
    return Columns(
        np.frombuffer(b"".join([frame[_HEAD.size : middle] for frame, middle in pairs]), "<u2"),
        heads["time"].repeat(counts),
        np.frombuffer(b"".join([frame[middle:] for frame, middle in pairs]), "<f8"),
        heads["status"].repeat(counts),
        {},
    )


def _records(records: npt.NDArray[np.void]) -> Columns:
    return Columns(records["tag"], records["time"], records["value"], records["status"], {})


def by_tag(columns: Columns, wanted: Collection[int] | None = None) -> dict[int, Series]:
    """One series of each tag (``wanted``: of these alone), in the order of time; no tag without samples."""
    tags, mine = columns.tags, None
    if wanted is not None:
        mine = _is_among(tags, wanted).nonzero()[0]
        tags = tags[mine]
    if not len(tags):
        return {}
    if tags.dtype != np.uint16 and int(tags.max()) < _SMALL:
        tags = tags.astype(np.uint16)  # sorted by its digits, which is many times as fast
    order = np.argsort(tags, kind="stable")
    tags = tags[order]
    order = order if mine is None else mine[order]
    times, values = columns.times[order], columns.values[order]
    changes = tags[1:] != tags[:-1]
    borders = [0, *(np.flatnonzero(changes) + 1).tolist(), len(tags)]
    names = tags[borders[:-1]].tolist()
    stretches = zip(names, itertools.pairwise(borders), strict=True)
    if not columns.texts and not columns.statuses.any() and (changes | (times[1:] > times[:-1])).all():
        return {tag: Series(times[a:b], values[a:b], all_good(b - a)) for tag, (a, b) in stretches}
    statuses = columns.statuses[order].astype(np.int64)
    found: dict[int, Series] = {}
    for tag, (start, end) in stretches:
        texts = _texts(columns.texts, order[start:end])
        found[tag] = joined([Series(times[start:end], values[start:end], statuses[start:end], texts)])
    return found


def _is_among(tags: npt.NDArray[np.unsignedinteger], wanted: Collection[int]) -> npt.NDArray[np.bool_]:
    if tags.dtype != np.uint16:
        return np.isin(tags, [*wanted])
    table = np.zeros(_SMALL, np.bool_)
    table[[tag for tag in wanted if tag < _SMALL]] = True
    return np.asarray(table[tags])


def _texts(texts: Mapping[int, str], rows: npt.NDArray[np.int64]) -> dict[int, str]:
    return {n: texts[at] for n, at in enumerate(rows.tolist()) if at in texts} if texts else {}
