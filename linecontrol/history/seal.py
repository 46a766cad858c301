"""From fresh samples to a sealed block: one compressed chunk for each tag, with its roll-up. Pure: no I/O, no clock.

Tags of one station are read together, so most rows of theirs share their times: these lie once in an axis of the
block, and a chunk says which of them are its own. A tag with times of its own (an OPC UA server that stamps each value)
keeps them itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from linecontrol.history.numbers import Ints, pack_ints
from linecontrol.history.series import Packed, Rollup, Series, pack, rollup


@dataclass(frozen=True, slots=True)
class Axis:
    """Times that tags of one station share."""

    number: int
    count: int
    times: bytes


@dataclass(frozen=True, slots=True)
class Chunk:
    """One tag's rows of a block.

    Attributes:
        axis: number of its axis; None = its times are its own.
        last, last_status: the value that holds after the chunk (None: no number) and its status.
    """

    tag_id: int
    axis: int | None
    start_us: int
    end_us: int
    rollup: Rollup
    last: float | None
    last_status: int
    packed: Packed


@dataclass(frozen=True, slots=True)
class Block:
    """What was sealed together."""

    start_us: int
    end_us: int
    rows: int
    axes: tuple[Axis, ...]
    chunks: tuple[Chunk, ...]


def seal(series: Mapping[int, Series], stations: Mapping[int, str]) -> Block:
    """``series``: of each tag id, none of them empty, at least one; ``stations``: of each tag id."""
    axes: list[Axis] = []
    chunks: list[Chunk] = []
    for station in sorted({stations.get(tag, "") for tag in series}):
        mine = {tag: rows for tag, rows in series.items() if stations.get(tag, "") == station}
        axis = _axis(list(mine.values()))
        number = len(axes)
        used = False
        for tag, rows in sorted(mine.items()):
            places = None if axis is None else _places(axis, rows.times)
            chunks.append(chunk_of(tag, rows, None if places is None else number, places))
            used = used or places is not None
        if axis is not None and used:
            axes.append(Axis(number, len(axis), pack_ints(axis)))
    return Block(
        min(chunk.start_us for chunk in chunks),
        max(chunk.end_us for chunk in chunks),
        sum(chunk.rollup.rows for chunk in chunks),
        tuple(axes),
        tuple(chunks),
    )


def _axis(columns: Sequence[Series]) -> Ints | None:
    """Times that at least two of the tags have; None when there are none."""
    if len(columns) < 2:
        return None
    times, counts = np.unique(np.concatenate([rows.times for rows in columns]), return_counts=True)
    shared = times[counts > 1]
    return shared if len(shared) else None


def _places(axis: Ints, times: Ints) -> Ints | None:
    """Where in the axis each of these times stands; None = not all of them do. Both in their order."""
    if times[-1] > axis[-1]:
        return None
    gap_us = int(axis[1] - axis[0]) if len(axis) > 1 else 0
    if gap_us and int(axis[-1] - axis[0]) == gap_us * (len(axis) - 1):  # evenly spaced, most likely: looked at below
        places: Ints = np.maximum((times - axis[0]) // gap_us, 0)
    else:
        places = axis.searchsorted(times)
    return places if (axis[places] == times).all() else None


def chunk_of(tag: int, rows: Series, number: int | None = None, places: Ints | None = None) -> Chunk:
    """One tag's rows; without an axis, and their places in it, they keep their times themselves."""
    last = float(rows.values[-1])
    return Chunk(
        tag,
        number,
        int(rows.times[0]),
        int(rows.times[-1]),
        rollup(rows),
        None if np.isnan(last) else last,
        int(rows.statuses[-1]),
        pack(rows, places),
    )
