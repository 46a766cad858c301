"""Sample rows of whole scans, kept as columns until they are packed. Pure: no I/O, no clock.

Most scans are alike: the same tags, one time stamp, one status, numbers only. Such a scan stays two arrays on its way
to the database; whoever needs rows (the spool, the quarantine) takes them out of it as of any other sequence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import overload

import numpy as np
import numpy.typing as npt

from linecontrol.history.rows import Row, SampleRow


class Names:
    """The tags of a station's scans, in their order. ``largest``: of their ids, as they were asked for last."""

    __slots__ = ("_ids", "_numbers", "largest", "names")

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self.largest = 0
        self._ids: Mapping[str, int] | None = None
        self._numbers = np.empty(0, np.uint16)

    def numbers(self, ids: Mapping[str, int]) -> npt.NDArray[np.uint16]:
        """The id of each, cut to 16 bits: see ``largest``. Raises KeyError for a tag without id."""
        if self._ids is not ids:
            numbers = [ids[name] for name in self.names]
            self.largest = max(numbers, default=0)
            self._numbers, self._ids = np.array(numbers, np.int64).astype(np.uint16), ids
        return self._numbers


class _Rows(Sequence[Row]):
    """What takes rows out of columns, one after another."""

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> list[Row]: ...
    def __getitem__(self, at: int | slice) -> Row | list[Row]:
        return list(self)[at]


class ScanRows(_Rows):
    """Numbers of one instant and one status, at least one.

    Args:
        at: their positions in ``names``. values: the numbers, none of them NaN.
    """

    __slots__ = ("at", "names", "status", "time_us", "values")

    def __init__(
        self, names: Names, at: npt.NDArray[np.intp], values: npt.NDArray[np.float64], time_us: int, status: int
    ) -> None:
        self.names, self.at, self.values = names, at, values
        self.time_us, self.status = time_us, status

    def __len__(self) -> int:
        return len(self.at)

    def __iter__(self) -> Iterator[Row]:
        names = self.names.names
        for at, value in zip(self.at.tolist(), self.values.tolist(), strict=True):
            yield SampleRow(names[at], self.time_us, value, None, self.status)


class Pieces(_Rows):
    """Rows of several sequences, in their order."""

    __slots__ = ("_count", "parts")

    def __init__(self, parts: Sequence[Sequence[Row]]) -> None:
        self.parts = parts
        self._count = sum(map(len, parts))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Row]:
        return chain.from_iterable(self.parts)


def in_batches(parts: Sequence[Sequence[Row]], most: int) -> Iterator[Sequence[Row]]:
    """The same rows in sequences of about ``most``; what came in one part stays together unless it is longer."""
    waiting: list[Sequence[Row]] = []
    count = 0
    for part in parts:
        pieces = [part] if len(part) <= most else [part[at : at + most] for at in range(0, len(part), most)]
        for piece in pieces:
            if count + len(piece) > most:
                yield _one(waiting)
                waiting, count = [], 0
            waiting.append(piece)
            count += len(piece)
    if waiting:
        yield _one(waiting)


def _one(parts: list[Sequence[Row]]) -> Sequence[Row]:
    return parts[0] if len(parts) == 1 else Pieces(parts)
