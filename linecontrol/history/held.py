"""Blocks that were decoded lately and are held so, for who asks for all signals of a while, and then of the next.

Decoding is most of what such a question costs, and whoever looks at ten minutes usually stays within the hour. A block
is held from the second question for at least half of its tags on: to decode all of it takes twice as long as to find
what one question needs.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from linecontrol.history.decode import WHOLE, Piece, Stretch, all_of, room_for, rows_of
from linecontrol.history.numbers import Floats, Ints
from linecontrol.history.series import Series, all_good, joined

MOST_BYTES = 32 * 2**20
"""What one reader holds at most; an hour of 120 lively signals takes 5 MB."""

MOST_ROLLUPS = 20_000
"""Roll-ups of a tag in a block that one reader holds at most; each takes half a kilobyte."""

MOST_CHUNK_BYTES = 16 * 2**20
"""The same of single chunks, for who looks at few tags over many hours; an hour of a lively tag takes 58 KB."""

_MOST_SEEN = 4000

Key = tuple[int, int, int, int]
"""Id, start, end and rows of a block: another number of rows means that late ones were put into it."""

ChunkKey = tuple[int, int, int, int, int]
"""See ``chunks.key_of``."""


@dataclass(frozen=True, slots=True)
class HeldBlock:
    """A block's columns, tag after tag; never changed.

    Attributes:
        tags: position of each tag. borders: where its rows begin; one more at the end.
        keys: times since ``start_us``, and ``span_us`` more for every tag: one rising column for all of them.
        odd: tags with texts, statuses or gaps, as they are.
    """

    start_us: int
    span_us: int
    tags: Mapping[int, int]
    borders: Ints
    keys: Ints
    times: Ints
    values: Floats
    odd: Mapping[int, Series]

    @property
    def size(self) -> int:
        """About how much memory this takes [bytes]."""
        return self.keys.nbytes * 3 + sum(24 * len(series) for series in self.odd.values())

    def rows_of(self, wanted: Collection[int], stretch: Stretch) -> dict[int, Series]:
        """The rows of each tag in a stretch of time; no tag that has none. They share this block's memory."""
        found: dict[int, Series] = {}
        if len(self.keys):
            first, last = (column.tolist() for column in self.found(stretch))
            for tag in wanted:
                at = self.tags.get(tag)
                if at is not None and first[at] < last[at]:
                    start, end = first[at], last[at]
                    found[tag] = Series(self.times[start:end], self.values[start:end], all_good(end - start))
        for tag, series in self.odd.items():
            if tag in wanted and len(part := series.between(stretch.start_us, stretch.end_us, hold=stretch.hold)):
                found[tag] = part
        return found

    def found(self, stretch: Stretch) -> tuple[Ints, Ints]:
        """Where the rows of each tag begin and end: all of them in two searches."""
        base = np.arange(len(self.borders) - 1, dtype=np.int64) * self.span_us
        start = base + min(max(stretch.start_us - self.start_us, 0), self.span_us)
        first = self.keys.searchsorted(start)
        last = self.keys.searchsorted(base + min(max(stretch.end_us - self.start_us, 0), self.span_us))
        if stretch.hold and stretch.start_us > self.start_us:
            is_exact = (first < self.borders[1:]) & (self.keys[np.minimum(first, len(self.keys) - 1)] == start)
            first -= (first > self.borders[:-1]) & ~is_exact
        return first, np.maximum(first, last)


def hold(start_us: int, end_us: int, pieces: Sequence[tuple[int, Piece]]) -> HeldBlock:
    """All chunks of a block, each with its tag."""
    plain = [(tag, piece) for tag, piece in pieces if piece.packed.notes is None]
    odd = {tag: rows_of([piece], WHOLE) for tag, piece in pieces if piece.packed.notes is not None}
    span_us = end_us - start_us + 1
    counts = [piece.length for _, piece in plain]
    times, values = all_of([piece for _, piece in plain])
    keys = times - start_us + np.repeat(np.arange(len(plain), dtype=np.int64) * span_us, counts)
    for column in (times, values):
        column.flags.writeable = False  # parts of it are given away
    places = {tag: at for at, (tag, _) in enumerate(plain)}
    return HeldBlock(start_us, span_us, places, np.cumsum([0, *counts]), keys, times, values, odd)


def side_by_side(blocks: Sequence[HeldBlock], wanted: Collection[int], stretch: Stretch) -> dict[int, Series] | None:
    """The rows of each tag out of several blocks, all in one piece of memory; no tag that has none.

    Args:
        blocks: in the order of time.

    None where it must be done tag by tag: texts or statuses, blocks that overlap, several that reach before the start.
    """
    tags = [*wanted]
    cuts: list[tuple[HeldBlock, Ints, Ints]] = []
    newest = np.full(len(tags), np.iinfo(np.int64).min)
    for number, block in enumerate(blocks):
        is_before = number > 0 and stretch.hold and block.start_us <= stretch.start_us
        if is_before or not len(block.keys) or not block.odd.keys().isdisjoint(tags):
            return None
        at = np.array([block.tags.get(tag, -1) for tag in tags])
        first, last = (np.where(at < 0, 0, column[at]) for column in block.found(stretch))
        has_rows = last > first
        if (has_rows & (block.times[np.minimum(first, len(block.times) - 1)] <= newest)).any():
            return None
        newest = np.where(has_rows, block.times[last - 1], newest)
        cuts.append((block, first, last))
    counts = np.sum([last - first for _, first, last in cuts], axis=0)
    times, values = room_for(int(counts.sum()))
    rows = [(block.times, block.values, first.tolist(), last.tolist()) for block, first, last in cuts]
    found: dict[int, Series] = {}
    at_row = 0
    for n, (tag, count) in enumerate(zip(tags, counts.tolist(), strict=True)):
        if not count:
            continue
        begin = at_row
        for its_times, its_values, firsts, lasts in rows:
            start, end = firsts[n], lasts[n]
            to = at_row + end - start
            times[at_row:to] = its_times[start:end]
            values[at_row:to] = its_values[start:end]
            at_row = to
        found[tag] = Series(times[begin:at_row], values[begin:at_row], all_good(count))
    return found


def in_a_row(parts: Sequence[Series], stretch: Stretch) -> Series:
    """Of one tag, block after block; of several rows before the start only the last holds."""
    first = 0
    while stretch.hold and first + 1 < len(parts) and parts[first + 1].times[0] <= stretch.start_us:
        first += 1
    parts = parts[first:]
    if len(parts) == 1:
        return parts[0]
    if all(part.is_all_good and not part.texts for part in parts):
        times = np.concatenate([part.times for part in parts])
        return Series(times, np.concatenate([part.values for part in parts]), all_good(len(times)))
    return joined(parts)


Rollups = dict[int, tuple[Any, ...] | None]
"""Roll-ups of a block as they were read, by tag; None = the tag has no rows in it."""


class HeldBlocks:
    """The blocks and chunks used last and the roll-ups read last, up to these bytes and numbers. Thread-safe."""

    def __init__(
        self,
        most_bytes: int = MOST_BYTES,
        most_rollups: int = MOST_ROLLUPS,
        most_chunk_bytes: int = MOST_CHUNK_BYTES,
    ) -> None:
        self._most_chunk_bytes = most_chunk_bytes
        self._chunks: OrderedDict[ChunkKey, Series] = OrderedDict()
        self._chunk_bytes = 0
        self._most_rollups = most_rollups
        self._rollups: OrderedDict[Key, Rollups] = OrderedDict()
        self._rolled = 0
        self._most_bytes = most_bytes
        self._blocks: OrderedDict[Key, HeldBlock] = OrderedDict()
        self._bytes = 0
        self._seen: set[tuple[int, ...]] = set()
        self._lock = threading.Lock()

    def get(self, key: Key) -> HeldBlock | None:
        with self._lock:
            found = self._blocks.get(key)
            if found is not None:
                self._blocks.move_to_end(key)
            return found

    def is_worthwhile(self, key: Key | ChunkKey) -> bool:
        """Has this been asked before?"""
        with self._lock:
            if key in self._seen:
                return True
            if len(self._seen) >= _MOST_SEEN:
                self._seen.clear()
            self._seen.add(key)
            return False

    def put(self, key: Key, block: HeldBlock) -> None:
        """Hold it, and let go of those not used for longest."""
        with self._lock:
            if key not in self._blocks:
                self._blocks[key] = block
                self._bytes += block.size
            while self._bytes > self._most_bytes:
                self._bytes -= self._blocks.popitem(last=False)[1].size

    def rollups_of(self, key: Key) -> Rollups:
        """Those that were read of a block; not to be changed."""
        with self._lock:
            found = self._rollups.get(key)
            if found is None:
                return {}
            self._rollups.move_to_end(key)
            return found

    def put_rollups(self, key: Key, rollups: Rollups) -> None:
        """Hold all that is known of a block now, and let go of those not used for longest."""
        with self._lock:
            self._rolled += len(rollups) - len(self._rollups.pop(key, ()))
            self._rollups[key] = rollups
            while self._rolled > self._most_rollups:
                self._rolled -= len(self._rollups.popitem(last=False)[1])

    def chunk(self, key: ChunkKey) -> Series | None:
        """All of a chunk; its columns are shared."""
        with self._lock:
            found = self._chunks.get(key)
            if found is not None:
                self._chunks.move_to_end(key)
            return found

    def put_chunk(self, key: ChunkKey, series: Series) -> None:
        """Hold it, and let go of those not used for longest."""
        for column in (series.times, series.values):
            column.flags.writeable = False
        with self._lock:
            if key not in self._chunks:
                self._chunks[key] = series
                self._chunk_bytes += 24 * len(series)
            while self._chunk_bytes > self._most_chunk_bytes:
                self._chunk_bytes -= 24 * len(self._chunks.popitem(last=False)[1])

    def clear(self) -> None:
        with self._lock:
            self._chunks.clear()
            self._chunk_bytes = 0
            self._rollups.clear()
            self._rolled = 0
            self._blocks.clear()
            self._seen.clear()
            self._bytes = 0
