"""The chunks of a tag as one series, of just the rows that are asked for. Pure: no I/O, no clock.

Everything goes straight into columns of the length they will have; what lies outside of the stretch asked for is not
looked at more than it takes to find its border.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from linecontrol.history.numbers import Floats, Ints, unpack_even, unpack_floats_into, unpack_ints, unpack_rows
from linecontrol.history.series import EMPTY, Packed, Series, all_good, joined, unpack


class Stretch(NamedTuple):
    """Rows in [start_us, end_us); with ``hold`` the last one before too, unless one stands at ``start_us``."""

    start_us: int
    end_us: int
    hold: bool


WHOLE = Stretch(-(2**62), 2**62, hold=False)


class SharedTimes:
    """Times that several tags share, and where in them the stretch asked for begins and ends.

    Evenly spaced ones, as most are, are reckoned where they are wanted and not written out at all.
    """

    __slots__ = ("_even", "_found", "_packed", "_times")

    def __init__(self, packed: bytes) -> None:
        self._packed = packed
        self._even = unpack_even(packed)
        self._times: Ints | None = None
        self._found: tuple[tuple[int, int], bool] | None = None

    @property
    def times(self) -> Ints:
        """All of them [us]."""
        if self._times is None:
            self._times = unpack_ints(self._packed)
        return self._times

    def put(self, rows: Ints | slice, start: int, end: int, room: Ints) -> None:
        """Write down the times of ``rows`` [start, end) in a room of that length."""
        even = self._even
        if end <= start:
            return
        if isinstance(rows, slice):
            first, last = rows.start + start * rows.step, rows.start + (end - 1) * rows.step
        else:
            first, last = int(rows[start]), int(rows[end - 1])
        if not 0 <= first <= last < (len(self.times) if even is None else len(even)):
            raise ValueError("rows of a chunk lie outside of the times they share with others")
        if isinstance(rows, slice):
            if even is None:
                room[:] = self.times[first : last + 1 : rows.step]
            else:
                step = even.step * rows.step
                room[:] = np.arange(even[first], even[last] + step, step)
        elif even is None:
            self.times.take(rows[start:end], None, room, "clip")  # "raise" would make a copy first
        else:
            np.multiply(rows[start:end], even.step, out=room)
            np.add(room, even.start, out=room)

    def borders(self, stretch: Stretch) -> tuple[tuple[int, int], bool]:
        """Positions of the first time at or after the start, and at or after the end; is one just at the start?

        Asked about one stretch only, and looked up once.
        """
        if self._found is None:
            even = self._even
            if even is None:
                first, last = self.times.searchsorted((stretch.start_us, stretch.end_us)).tolist()
                is_exact = first < len(self.times) and int(self.times[first]) == stretch.start_us
            else:
                first, last = (len(range(even.start, min(border, even.stop), even.step)) for border in stretch[:2])
                is_exact = first < len(even) and even[first] == stretch.start_us
            self._found = (first, last), is_exact
        return self._found


class Piece(NamedTuple):
    """A chunk; ``axis`` None = its times are its own."""

    packed: Packed
    axis: SharedTimes | None
    start_us: int
    end_us: int
    length: int


_Cut = tuple[Piece, int, int, Ints | slice | None]
"""Rows [start, end) of a piece; its numbers where they are known already."""


def rows_of(pieces: Sequence[Piece], stretch: Stretch) -> Series:
    """Rows of the stretch out of a tag's chunks, which are in the order of time and do not overlap."""
    return rows_of_each({0: pieces}, stretch)[0]


def rows_of_each(pieces: Mapping[int, Sequence[Piece]], stretch: Stretch) -> dict[int, Series]:
    """The same for each of several tags. Their columns lie in one piece of memory, which costs much less to get."""
    found: dict[int, Series] = {}
    plain: list[tuple[int, list[_Cut]]] = []
    count = 0
    for tag, mine in pieces.items():
        cuts, rows, has_notes = _cuts(mine, stretch)
        if has_notes:
            found[tag] = joined([_with_notes(cut) for cut in cuts])
        else:
            plain.append((tag, cuts))
            count += rows
    times, values = room_for(count)
    at = 0
    for tag, cuts in plain:
        start = at
        for cut in cuts:
            to = at + cut[2] - cut[1]
            _fill(cut, times[at:to], values[at:to])
            at = to
        found[tag] = Series(times[start:at], values[start:at], all_good(at - start)) if at > start else EMPTY
    return found


def _cuts(pieces: Sequence[Piece], stretch: Stretch) -> tuple[list[_Cut], int, bool]:
    """What is wanted of each piece, how many rows that is, and whether any of them has notes."""
    start_us, end_us, hold = stretch
    cuts: list[_Cut] = []
    for piece in pieces:
        if piece.start_us >= start_us and piece.end_us < end_us:
            cuts.append((piece, 0, piece.length, None))
        else:
            cut = _cut(piece, stretch)
            if cut[2] > cut[1]:
                cuts.append(cut)
    if hold:  # of several rows before the start only the last holds
        while len(cuts) > 1 and cuts[1][0].start_us <= start_us:
            del cuts[0]
    count, has_notes = 0, False
    for piece, start, end, _ in cuts:
        count += end - start
        has_notes = has_notes or piece.packed.notes is not None
    return cuts, count, has_notes


def _cut(piece: Piece, stretch: Stretch) -> _Cut:
    axis = piece.axis
    if axis is None:
        rows: Ints | slice = unpack_ints(piece.packed.times)
        borders, is_exact = (stretch.start_us, stretch.end_us), True
    else:
        rows = unpack_rows(piece.packed.times)
        borders, is_exact = axis.borders(stretch)
    if isinstance(rows, slice):
        start, stop, step = rows.start, rows.stop, rows.step
        first, last = (len(range(start, min(border, stop), step)) for border in borders)
        is_exact = is_exact and first < piece.length and start + step * first == borders[0]
    else:
        first, last = rows.searchsorted(borders).tolist()
        is_exact = is_exact and first < len(rows) and rows[first] == borders[0]
    if stretch.hold and first and not is_exact:
        first -= 1
    return piece, first, last, rows


def room_for(count: int) -> tuple[Ints, Floats]:
    """For times and values: of a few megabytes, numpy asks for large pages, which the system hands out much sooner."""
    both = np.empty(2 * count, np.int64)
    return both[:count], both[count:].view(np.float64)


def _fill(cut: _Cut, times: Ints, values: Floats) -> None:
    piece, start, end, rows = cut
    packed, axis = piece.packed, piece.axis
    if axis is None:
        times[:] = unpack_ints(packed.times)[start:end]
    else:
        axis.put(unpack_rows(packed.times) if rows is None else rows, start, end, times)
    unpack_floats_into(packed.data, values, start, end)


def all_of(pieces: Sequence[Piece]) -> tuple[Ints, Floats]:
    """Times and values of pieces without notes, one after another as they are given."""
    count = sum(piece.length for piece in pieces)
    times, values = room_for(count)
    at = 0
    for piece in pieces:
        to = at + piece.length
        _fill((piece, 0, piece.length, None), times[at:to], values[at:to])
        at = to
    return times, values


def _with_notes(cut: _Cut) -> Series:
    piece, start, end, _ = cut
    return unpack(piece.packed, None if piece.axis is None else piece.axis.times).part(start, end)
