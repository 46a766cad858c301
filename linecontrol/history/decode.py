"""The chunks of a tag as one series, of just the rows that are asked for. Pure: no I/O, no clock.

Everything goes straight into columns of the length they will have; what lies outside of the stretch asked for is not
looked at more than it takes to find its border.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from linecontrol.history.numbers import Floats, Ints, unpack_floats, unpack_floats_into, unpack_ints
from linecontrol.history.series import EMPTY, Packed, Series, all_good, joined, unpack


class Stretch(NamedTuple):
    """Rows in [start_us, end_us); with ``hold`` the last one before too, unless one stands at ``start_us``."""

    start_us: int
    end_us: int
    hold: bool


WHOLE = Stretch(-(2**62), 2**62, hold=False)


class SharedTimes(NamedTuple):
    """Times that several tags share, and where in them a stretch begins and ends.

    Attributes:
        borders: positions of the first time at or after the start, and at or after the end.
        is_exact: does a time stand just at the start?
    """

    times: Ints
    borders: Ints
    is_exact: bool


class Piece(NamedTuple):
    """A chunk; ``axis`` None = its times are its own."""

    packed: Packed
    axis: SharedTimes | None
    start_us: int
    end_us: int
    length: int


class _Cut(NamedTuple):
    """Rows [start, end) of a piece. ``rows``: its numbers where they are known already."""

    piece: Piece
    start: int
    end: int
    rows: Ints | None


def shared_times(times: Ints, stretch: Stretch) -> SharedTimes:
    """The axis of a block, for all questions about one stretch."""
    borders = times.searchsorted((stretch.start_us, stretch.end_us))
    first = int(borders[0])
    return SharedTimes(times, borders, first < len(times) and int(times[first]) == stretch.start_us)


def rows_of(pieces: Sequence[Piece], stretch: Stretch) -> Series:
    """Rows of the stretch out of a tag's chunks, which are in the order of time and do not overlap."""
    return rows_of_each({0: pieces}, stretch)[0]


def rows_of_each(pieces: Mapping[int, Sequence[Piece]], stretch: Stretch) -> dict[int, Series]:
    """The same for each of several tags. Their columns lie in one piece of memory, which costs much less to get."""
    cuts = {tag: _cuts(mine, stretch) for tag, mine in pieces.items()}
    count = sum(cut.end - cut.start for mine in cuts.values() if _is_copied(mine) for cut in mine)
    times, values = _room(count)
    found: dict[int, Series] = {}
    at = 0
    for tag, mine in cuts.items():
        if _is_copied(mine):
            start = at
            for cut in mine:
                to = at + cut.end - cut.start
                _fill(cut, times[at:to], values[at:to])
                at = to
            found[tag] = Series(times[start:at], values[start:at], all_good(at - start))
        else:
            found[tag] = _alone(mine)
    return found


def _cuts(pieces: Sequence[Piece], stretch: Stretch) -> list[_Cut]:
    cuts = [cut for piece in pieces if (cut := _cut(piece, stretch)).end > cut.start]
    if stretch.hold:  # of several rows before the start only the last holds
        while len(cuts) > 1 and cuts[1].piece.start_us <= stretch.start_us:
            del cuts[0]
    return cuts


def _is_copied(cuts: Sequence[_Cut]) -> bool:
    return len(cuts) > 1 and all(cut.piece.packed.notes is None for cut in cuts)


def _alone(cuts: Sequence[_Cut]) -> Series:
    if not cuts:
        return EMPTY
    if any(cut.piece.packed.notes is not None for cut in cuts):
        return joined([_with_notes(cut) for cut in cuts])
    (cut,) = cuts
    values = unpack_floats(cut.piece.packed.data, cut.start, cut.end)
    return Series(_times(cut), values, all_good(cut.end - cut.start))


def _cut(piece: Piece, stretch: Stretch) -> _Cut:
    if piece.start_us >= stretch.start_us and piece.end_us < stretch.end_us:
        return _Cut(piece, 0, piece.length, None)
    rows = unpack_ints(piece.packed.times)
    if piece.axis is None:
        first, last = rows.searchsorted((stretch.start_us, stretch.end_us)).tolist()
        is_exact = first < len(rows) and rows[first] == stretch.start_us
    else:
        borders = piece.axis.borders
        first, last = rows.searchsorted(borders).tolist()
        is_exact = piece.axis.is_exact and first < len(rows) and rows[first] == borders[0]
    if stretch.hold and first and not is_exact:
        first -= 1
    return _Cut(piece, first, last, rows)


def _room(count: int) -> tuple[Ints, Floats]:
    """For times and values: of a few megabytes, numpy asks for large pages, which the system hands out much sooner."""
    both = np.empty(2 * count, np.int64)
    return both[:count], both[count:].view(np.float64)


def _fill(cut: _Cut, times: Ints, values: Floats) -> None:
    times[:] = _times(cut)
    if cut.rows is None:
        unpack_floats_into(cut.piece.packed.data, values)
    else:
        values[:] = unpack_floats(cut.piece.packed.data, cut.start, cut.end)


def all_of(pieces: Sequence[Piece]) -> tuple[Ints, Floats]:
    """Times and values of pieces without notes, one after another as they are given."""
    count = sum(piece.length for piece in pieces)
    times, values = _room(count)
    at = 0
    for piece in pieces:
        to = at + piece.length
        _fill(_Cut(piece, 0, piece.length, None), times[at:to], values[at:to])
        at = to
    return times, values


def _times(cut: _Cut) -> Ints:
    rows = unpack_ints(cut.piece.packed.times) if cut.rows is None else cut.rows[cut.start : cut.end]
    return rows if cut.piece.axis is None else cut.piece.axis.times[rows]


def _with_notes(cut: _Cut) -> Series:
    axis = None if cut.piece.axis is None else cut.piece.axis.times
    return unpack(cut.piece.packed, axis).part(cut.start, cut.end)
