"""The seam to a wire. A Link is the only thing that knows a protocol; everything above sees Readings by tag name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from linecontrol.core.model import Status, Value


class Reading(NamedTuple):
    """What the device answered for one tag.

    Attributes:
        value: engineering value; None when the status is bad.
        source_time: the device's own time stamp [s since 1970, UTC, its clock]; None when the wire carries none.
    """

    value: Value | None
    status: Status
    source_time: float | None = None


Columns = tuple[Sequence[Any], Sequence[Any], Sequence[Any]]
"""Values, statuses and source times of as many readings."""
_new = tuple.__new__  # builds a Reading in half the time


class ReadingTable(Mapping[str, Reading]):
    """Readings of a whole scan by column, for a link that has them so: a Reading is made of those that are asked for.

    Args:
        places: place of each tag in the columns, in their order.
    """

    __slots__ = ("_places", "columns")

    def __init__(self, places: Mapping[str, int], columns: Columns) -> None:
        self._places, self.columns = places, columns

    def __getitem__(self, name: str) -> Reading:
        place = self._places[name]
        values, statuses, times = self.columns
        return _new(Reading, (values[place], statuses[place], times[place]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


@dataclass(slots=True)
class LinkCounters:
    """Running totals, for metrics and for the technician."""

    connects: int = 0
    reads: int = 0  # answered read requests; of one scan there may be several
    requests: int = 0
    answers: int = 0
    timeouts: int = 0
    exceptions: int = 0
    bad_frames: int = 0
    notifications: int = 0  # values a device reported by itself
    republished: int = 0  # reports that went missing and were had again
    lost: int = 0  # reports that were not, and values for which the device had no room before it could report them


class Link(Protocol):
    """One wire to one device. Not safe for use from two threads; requests are taken one at a time.

    ``open`` tries once and raises; trying again is the station's business.
    """

    counters: LinkCounters

    @property
    def notices(self) -> Sequence[str]:
        """What a person should know of the present connection though it works; found by ``open``."""
        ...

    async def open(self) -> None:
        """Connect and make ready to read. Raises LinkError. A failed open leaves nothing behind."""
        ...

    async def read(self, names: Collection[str] | None = None) -> Mapping[str, Reading]:
        """Read these tags, or all.

        A tag the device refuses is in the answer with a bad status; the others are unharmed.
        Raises LinkDown or LinkTimeout when the device as a whole did not answer.
        """
        ...

    def earlier(self) -> Sequence[Mapping[str, Reading]]:
        """What a device that reports by itself said before the readings of the last ``read``; empty on other wires.

        Each is handed over once, for every tag the oldest first. After a ``read`` that raised, it is all that had
        arrived. ``open`` forgets it.
        """
        ...

    async def write(self, name: str, value: Value) -> None:
        """Write one tag once; never repeated here. Raises LinkError; DeviceRefused when the device said no."""
        ...

    async def close(self) -> None:
        """Let go of everything. Never raises; may be called at any time, twice, or before ``open``."""
        ...
