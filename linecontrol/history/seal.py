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
            is_on_axis = axis is not None and _holds(axis, rows.times)
            chunks.append(chunk_of(tag, rows, number if is_on_axis else None, axis if is_on_axis else None))
            used = used or is_on_axis
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


def _holds(axis: Ints, times: Ints) -> bool:
    """Are all of these among the times of the axis? Both in their order."""
    if times[-1] > axis[-1]:
        return False
    return bool((axis[np.searchsorted(axis, times)] == times).all())


def chunk_of(tag: int, rows: Series, number: int | None = None, axis: Ints | None = None) -> Chunk:
    """One tag's rows; without an axis they keep their times themselves."""
    last = float(rows.values[-1])
    return Chunk(
        tag,
        number,
        int(rows.times[0]),
        int(rows.times[-1]),
        rollup(rows),
        None if np.isnan(last) else last,
        int(rows.statuses[-1]),
        pack(rows, axis),
    )
