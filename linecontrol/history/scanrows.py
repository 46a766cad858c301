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

RECORD = np.dtype([("tag", "<u4"), ("status", "<u4"), ("time", "<i8"), ("value", "<f8")])
"""A sample as it lies in the tail."""


class Names:
    """The tags of a station's scans, in their order."""

    __slots__ = ("_blank", "_ids", "names")

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._ids: Mapping[str, int] | None = None
        self._blank = np.empty(0, RECORD)

    def blank(self, ids: Mapping[str, int]) -> npt.NDArray[np.void]:
        """A record of each tag, of which only the tag is filled in. Raises KeyError for a tag without id."""
        if self._ids is not ids:
            blank = np.zeros(len(self.names), RECORD)
            blank["tag"] = [ids[name] for name in self.names]
            self._blank, self._ids = blank, ids
        return self._blank


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

    def packed(self, ids: Mapping[str, int]) -> bytes:
        """These samples as records. Raises KeyError for a tag without id, ValueError for what fits no record."""
        records = self.names.blank(ids)[self.at]
        try:
            records["time"] = self.time_us
            records["status"] = self.status
        except OverflowError as error:
            raise ValueError(f"a status or a time is too large to be stored: {error}") from error
        records["value"] = self.values
        return records.tobytes()


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
