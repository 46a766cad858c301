"""A simulated PLC's Modbus face. The only file of the simulator that imports pymodbus; it holds no process logic.

pymodbus keeps the registers, but never the truth: before every answer the words asked for are taken from the PLC
program, all in one go, so a block read never sees half of an update and an idle wire costs nothing.

What it answers: exception 2 outside the used areas and for writes to read-only registers, 3 for values out of range
and for blocks longer than the brand allows, 0x0B for a foreign unit id. Holes up to the brand's gap read 0.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from simulator.encode import decode, encode
from simulator.gate import Gate
from simulator.plc import Answer, Plc
from simulator.profile import Point, Station

_TABLE_OF = {1: "coil", 5: "coil", 15: "coil", 2: "discrete", 4: "input"}  # every other function code: holding
_ECHOES = (5, 6)  # read back only for the echo, which is the request's own value
_SMALLEST_HOLE = 16
_BITS_TAIL, _WORDS_TAIL = 2048, 128  # so that an over-long read is refused for its length, not for where it ends
_REFUSALS = {Answer.READ_ONLY: ExcCodes.ILLEGAL_ADDRESS, Answer.OUT_OF_RANGE: ExcCodes.ILLEGAL_VALUE}


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

    @property
    def span(self) -> tuple[int, int]:
        """First address kept and how many."""
        if not self.readable:
            return 0, 16
        tail = _BITS_TAIL if self.is_bits else _WORDS_TAIL
        first = min(self.readable)
        return first, min(max(self.readable) + tail, 65535) - first + 1


class ModbusServer:
    """Serves one PLC behind its gate.

    Attributes:
        gate: where it listens; link faults are put there.
        refusing: Modbus exception code answered to every request, or 0.
    """

    def __init__(self, station: Station, plc: Plc, host: str, port: int) -> None:
        self.station = station
        self.gate = Gate(host, port, self._enter)
        self.refusing = 0
        self._plc = plc
        self._revision = -1
        self._tables = {name: _Table(name in ("coil", "discrete")) for name in ("coil", "discrete", "holding", "input")}
        for point in station.points:
            self._tables[point.table].points.append(point)
        for table in self._tables.values():
            table.close_holes(max(station.max_gap_words, _SMALLEST_HOLE))
        self._server: ModbusTcpServer | None = None

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        is_rtu = self.station.endpoint.scheme == "modbus-rtu-tcp"
        self._server = ModbusTcpServer(
            [self._device(self.station.endpoint.unit, self._on_access), self._device(0, _on_foreign_unit)],
            framer=FramerType.RTU if is_rtu else FramerType.SOCKET,
            address=(self.gate.host, self.gate.port),
        )
        await self.gate.open()

    async def stop(self) -> None:
        self.gate.close()
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]

    async def publish(self) -> None:
        """Nothing to push: Modbus is asked."""

    def note_update(self, updated_at: datetime) -> None:
        """Modbus carries no time stamps."""

    def failure_code(self, text: str) -> int:
        """Modbus exception code of this text; "" = 4, device failure. Raises ValueError for one the bus has not."""
        return int(ExcCodes(int(text, 0) if text else 4))

    def _enter(self) -> asyncio.Protocol:
        assert self._server is not None  # noqa: S101 - the gate opens after the server is made
        return cast(asyncio.Protocol, self._server.handle_new_connection())

    def _device(self, unit: int, action: object) -> SimDevice:
        blocks = []
        for table in self._tables.values():
            first, count = table.span
            if table.is_bits:
                blocks.append([SimData(first, values=[False] * count, datatype=DataType.BITS)])
            else:
                blocks.append([SimData(first, values=[0] * count, datatype=DataType.UINT16)])
        return SimDevice(id=unit, simdata=tuple(blocks), action=action)  # type: ignore[arg-type]

    async def _on_access(
        self,
        function: int,
        first: int,
        address: int,
        count: int,
        registers: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """pymodbus asks before every access; ``count`` is in registers, also for bits."""
        if self.refusing:
            return ExcCodes(self.refusing)
        table = self._tables[_TABLE_OF.get(function, "holding")]
        if values is not None:
            return self._write(table, address, [int(value) for value in values])
        if function not in _ECHOES:
            return self._read(table, first, address, count, registers)
        return None

    def _read(self, table: _Table, first: int, address: int, count: int, registers: list[int]) -> ExcCodes | None:
        if table.is_bits:
            # The library tells the span in 16-bit groups only, so the check is for its first bit.
            if count > self.station.max_read_words:
                return ExcCodes.ILLEGAL_VALUE
            if address not in table.readable:
                return ExcCodes.ILLEGAL_ADDRESS
            self._refresh()
            for group in range(address // 16, address // 16 + count):
                bits = (table.image.get(group * 16 + k, 0) << k for k in range(16))
                registers[group - first] = sum(bits)
            return None
        if count > self.station.max_read_words:
            return ExcCodes.ILLEGAL_VALUE
        if not all(address + k in table.readable for k in range(count)):
            return ExcCodes.ILLEGAL_ADDRESS
        self._refresh()
        image = table.image
        registers[address - first : address - first + count] = [image.get(address + k, 0) for k in range(count)]
        return None

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
        for point in table.points:
            value = self._plc.value(point.name)
            if table.is_bits:
                image[point.wire] = int(value > 0.5)
            elif point.bit is not None:
                mask = encode("uint16", int(value > 0.5) << point.bit, self.station.order)[0]
                image[point.wire] = image.get(point.wire, 0) | mask
            else:
                for k, word in enumerate(encode(point.kind, value, self.station.order, point.scaling)):
                    image[point.wire + k] = word
        return image

    def _write(self, table: _Table, address: int, values: Sequence[int]) -> ExcCodes | None:
        """All of a block or nothing: every value is examined before the first is written."""
        if len(values) > self.station.max_write_words * (16 if table.is_bits else 1):
            return ExcCodes.ILLEGAL_VALUE
        self._refresh()
        written = {address + k: value for k, value in enumerate(values)}
        touched = [p for p in table.points if any(p.wire + k in written for k in range(p.words))]
        writable = [p for p in touched if p.writable]
        covered = {p.wire + k for p in writable for k in range(p.words)}
        if not covered.issuperset(written):
            return ExcCodes.ILLEGAL_ADDRESS
        wishes = [(p.name, self._wish(table, p, written)) for p in writable]
        for name, value in wishes:
            if refusal := _REFUSALS.get(self._plc.examine(name, value)):
                return refusal
        for name, value in wishes:
            self._plc.write(name, value)
        return None

    def _wish(self, table: _Table, point: Point, written: dict[int, int]) -> float:
        """Engineering value asked for; words of it that were not written keep what they show."""
        words = [written.get(point.wire + k, table.image.get(point.wire + k, 0)) for k in range(point.words)]
        if table.is_bits:
            return float(words[0])
        if point.bit is not None:
            return float(int(decode("uint16", words, self.station.order)) >> point.bit & 1)
        return decode(point.kind, words, self.station.order, point.scaling)


async def _on_foreign_unit(
    _function: int, _first: int, _address: int, _count: int, _registers: list[int], _values: object
) -> ExcCodes | None:
    return ExcCodes.GATEWAY_NO_RESPONSE
