"""What a simulated PLC shows in its four Modbus tables, and what writes to them mean. No wire, no framing.

The PLC program keeps the truth: before every access the tables are drawn from it, all in one go, so a block read
never sees half of an update and an idle wire costs nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from simulator.encode import decode, encode
from simulator.modbus_pdu import ExceptionCode, Refusal
from simulator.plc import Answer, Plc
from simulator.profile import Point, Station

_SMALLEST_HOLE = 16
_REFUSALS = {Answer.READ_ONLY: ExceptionCode.ILLEGAL_ADDRESS, Answer.OUT_OF_RANGE: ExceptionCode.ILLEGAL_VALUE}


@dataclass(slots=True)
class _Table:
    """One of the four Modbus tables: which points lie where, and a copy of what they show."""

    is_bits: bool
    points: list[Point] = field(default_factory=list)
    readable: frozenset[int] = frozenset()
    image: dict[int, int] = field(default_factory=dict)

    def close_holes(self, hole: int) -> None:
        """Mark the used addresses and the small holes between them readable."""
        used = sorted({point.wire + k for point in self.points for k in range(point.words)})
        spans = [range(a, b if b - a <= hole + 1 else a + 1) for a, b in itertools.pairwise(used)]
        self.readable = frozenset(address for span in spans for address in span) | frozenset(used)


class Registers:
    """The tables of one PLC; raises Refusal 2 outside the used areas and for writes to read-only registers, 3 for
    values out of range and for more than the brand allows in one request. Holes up to the brand's gap read 0.
    """

    def __init__(self, station: Station, plc: Plc) -> None:
        self._station = station
        self._plc = plc
        self._revision = -1
        self._tables = {name: _Table(name in ("coil", "discrete")) for name in ("coil", "discrete", "holding", "input")}
        for point in station.points:
            self._tables[point.table].points.append(point)
        for table in self._tables.values():
            table.close_holes(max(station.max_gap_words, _SMALLEST_HOLE))

    def read(self, table: str, address: int, count: int) -> list[int]:
        kept = self._tables[table]
        if count > self._station.max_read_words * (16 if kept.is_bits else 1):
            raise Refusal(ExceptionCode.ILLEGAL_VALUE)
        addresses = range(address, address + count)
        if not kept.readable.issuperset(addresses):
            raise Refusal(ExceptionCode.ILLEGAL_ADDRESS)
        self._refresh()
        return [kept.image.get(k, 0) for k in addresses]

    def write(self, table: str, address: int, values: Sequence[int]) -> None:
        """All of a block or nothing: every value is examined before the first is written."""
        kept = self._tables[table]
        if len(values) > self._station.max_write_words * (16 if kept.is_bits else 1):
            raise Refusal(ExceptionCode.ILLEGAL_VALUE)
        self._refresh()
        written = {address + k: value for k, value in enumerate(values)}
        touched = [p for p in kept.points if any(p.wire + k in written for k in range(p.words))]
        writable = [p for p in touched if p.writable]
        covered = {p.wire + k for p in writable for k in range(p.words)}
        if not covered.issuperset(written):
            raise Refusal(ExceptionCode.ILLEGAL_ADDRESS)
        wishes = [(p.name, self._wish(kept, p, written)) for p in writable]
        for name, value in wishes:
            if refusal := _REFUSALS.get(self._plc.examine(name, value)):
                raise Refusal(refusal)
        for name, value in wishes:
            self._plc.write(name, value)

    def _refresh(self) -> None:
        """Bring the image up to the PLC's present revision."""
        if self._revision == self._plc.revision:
            return
        self._revision = self._plc.revision
        for table in self._tables.values():
            if table.points:
                table.image = self._draw(table)

    def _draw(self, table: _Table) -> dict[int, int]:
        image: dict[int, int] = {}
        order = self._station.order
        for point in table.points:
            value = self._plc.value(point.name)
            if table.is_bits:
                image[point.wire] = int(value > 0.5)
            elif point.bit is not None:
                mask = encode("uint16", int(value > 0.5) << point.bit, order)[0]
                image[point.wire] = image.get(point.wire, 0) | mask
            else:
                for k, word in enumerate(encode(point.kind, value, order, point.scaling)):
                    image[point.wire + k] = word
        return image

    def _wish(self, table: _Table, point: Point, written: dict[int, int]) -> float:
        """Engineering value asked for; words of it that were not written keep what they show."""
        words = [written.get(point.wire + k, table.image.get(point.wire + k, 0)) for k in range(point.words)]
        if table.is_bits:
            return float(words[0])
        if point.bit is not None:
            return float(int(decode("uint16", words, self._station.order)) >> point.bit & 1)
        return decode(point.kind, words, self._station.order, point.scaling)
