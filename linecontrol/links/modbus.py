"""Modbus TCP, RTU over TCP and serial RTU: which blocks are read, what a refusal means, where a write goes.

One request at a time, under our own lock. What goes wrong on the wire closes it; ``open`` starts afresh.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from linecontrol.core.errors import ConfigError, DeviceRefused, LinkDown, LinkError
from linecontrol.core.link import LinkCounters, Reading
from linecontrol.core.model import Status, Value
from linecontrol.links.codec import BitDecoder, Order, RegisterDecoder, Slot, encode, to_words
from linecontrol.links.frames import EXCEPTION, exception
from linecontrol.links.modbus_wire import Request, Wire, WrongAnswer, coil_request, read_request, words_request
from linecontrol.links.plan import (
    BIT_TABLES,
    Block,
    Limits,
    Point,
    WriteRules,
    check_points,
    plan,
    split,
    write_register,
)
from linecontrol.links.settings import ModbusSettings, SerialPort

__all__ = ["ModbusLink", "ModbusSettings", "Point", "SerialPort"]

_SPLITTABLE = (2, 3)  # illegal address, or more asked at once than the device gives
_RETRY_SPLIT = 16  # a block refused in all its parts is taken apart again every so many refusals
_KEPT_PLANS = 64  # plans for parts of the tags, remembered


@dataclass(slots=True, eq=False)
class _Part:
    """A block with its ready request and decoder, and how often the device has refused it whole."""

    block: Block
    request: Request
    decoder: RegisterDecoder | BitDecoder
    refusals: int = 0

    def mark(self, status: Status, out: dict[str, Reading]) -> None:
        bad = Reading(None, status)
        for point in self.block.points:
            out[point.tag.name] = bad


class ModbusLink:
    """Link to one Modbus device; see ``linecontrol.core.link.Link`` for the contract.

    After LinkDown, LinkTimeout or a cancelled request it is closed. A device that refuses a block has it taken apart,
    at its holes first, until only the tags it really refuses are bad; that is remembered until the next ``open``.

    Raises:
        ConfigError: a point that cannot be read over Modbus, or a writable one that must not be written.
    """

    notices: Sequence[str] = ()

    def __init__(self, settings: ModbusSettings, points: Iterable[Point]) -> None:
        self.counters = LinkCounters()
        self._settings = settings
        self._order = Order(settings.word_order, settings.byte_order)
        self._limits = Limits(settings.max_read_words, settings.max_gap_words, settings.forbidden)
        self._write_rules = WriteRules(settings.write_forbidden, settings.worn, settings.ram_write_offset)
        self._points = {point.tag.name: point for point in points}
        check_points(self._points.values(), self._limits)
        for point in self._points.values():
            if point.tag.writable:
                write_register(point, self._write_rules)
        self._plans: dict[frozenset[str] | None, list[_Part]] = {}
        self._wire: Wire | None = None
        self._lock = asyncio.Lock()
        self._late_until = 0.0

    async def open(self) -> None:
        """Connect. Raises LinkDown, or LinkTimeout after ``timeout_s``.

        RTU answers carry no number, and a late one outlives the connection, in the device or in a gateway. After an
        abandoned request an RTU link therefore first waits until twice ``timeout_s`` have passed since it was sent.
        """
        await self.close()
        if self._settings.is_rtu:
            await asyncio.sleep(self._late_until - asyncio.get_running_loop().time())
        wire = Wire(self._settings, self.counters)
        await wire.connect()
        self._plans.clear()
        self._wire = wire

    async def read(self, names: Collection[str] | None = None) -> dict[str, Reading]:
        """Read these tags, or all. Raises LinkDown, LinkTimeout; KeyError for a name that is not on this link."""
        parts = self._parts(names)
        out: dict[str, Reading] = {}
        for part in tuple(parts):
            now = await self._read_part(part, out)
            if now[0] is not part and part in parts:
                at = parts.index(part)
                parts[at : at + 1] = now
        return out

    def earlier(self) -> Sequence[dict[str, Reading]]:
        """Nothing: a Modbus device says what it is asked, and no more."""
        return ()

    async def write(self, name: str, value: Value) -> None:
        """Write one tag once; one in memory that wears out past that memory, where the device has a way to.

        Raises:
            DeviceRefused: the device answered with an exception.
            LinkDown, LinkTimeout: there is no telling whether it was written.
            LinkError: it cannot be written, or was confirmed wrongly.
            KeyError: the name is not on this link.
        """
        request = self._write_request(self._points[name], value)
        try:
            reply = await self._exchange(request)
        except WrongAnswer as error:
            raise LinkError(f"{self._settings.place}: {name} was not confirmed: {error}") from None
        if reply[0] >= EXCEPTION:
            place, code = self._settings.place, reply[1]
            _, text = exception(code)
            raise DeviceRefused(f"{place}: {name} = {value} refused: {text} (exception {code})")

    async def close(self) -> None:
        """Close at once, whatever the device does. A request under way ends in LinkDown."""
        if self._wire is not None:
            self._wire.abort("closed")
            self._wire = None
            await asyncio.sleep(0)  # the loop closes the socket in its next round

    async def _exchange(self, request: Request) -> bytes:
        async with self._lock:
            wire = self._wire
            if wire is None:
                raise LinkDown(f"{self._settings.place}: not connected")
            try:
                return await wire.exchange(request)
            except WrongAnswer:
                raise
            except BaseException:  # also when the asker goes away: its answer would be taken for the next one's
                self._late_until = wire.late_until
                wire.abort("lost")
                if self._wire is wire:
                    self._wire = None
                raise

    def _parts(self, names: Collection[str] | None) -> list[_Part]:
        key = None if names is None else frozenset(names)
        parts = self._plans.get(key)
        if parts is None:
            points = self._points.values() if key is None else [self._points[name] for name in key]
            parts = [self._part(block) for block in plan(points, self._limits)]
            if len(self._plans) >= _KEPT_PLANS:
                self._plans.clear()
            self._plans[key] = parts
        return parts

    def _part(self, block: Block) -> _Part:
        slots = [Slot(point.tag, point.register - block.start) for point in block.points]
        decoder: RegisterDecoder | BitDecoder
        if block.table in BIT_TABLES:
            decoder = BitDecoder(slots, block.count)
        else:
            decoder = RegisterDecoder(slots, block.count, self._order)
        request = read_request(self._settings.unit, block.table, block.start, block.count)
        return _Part(block, request, decoder)

    async def _read_part(self, part: _Part, out: dict[str, Reading]) -> list[_Part]:
        """Read a block into ``out``; returns what to ask for instead next time, as a rule the same."""
        try:
            reply = await self._exchange(part.request)
        except WrongAnswer:
            part.mark(Status.BAD_COMMUNICATION_ERROR, out)
            return [part]
        if reply[0] < EXCEPTION:
            part.refusals = 0
            self.counters.reads += 1
            part.decoder.decode(reply[2:], out)
            return [part]
        part.mark(exception(reply[1])[0], out)
        if reply[1] not in _SPLITTABLE:
            return [part]
        part.refusals += 1
        pieces = split(part.block) if part.refusals % _RETRY_SPLIT == 1 else ()
        if len(pieces) < 2:
            return [part]
        found = [leaf for piece in pieces for leaf in await self._read_part(self._part(piece), out)]
        return [part] if all(leaf.refusals for leaf in found) else found

    def _write_request(self, point: Point, value: Value) -> Request:
        tag, unit = point.tag, self._settings.unit
        if point.table in ("discrete", "input"):
            raise LinkError(f"{tag.name}: a {point.table} cannot be written (accepted: coil or holding register)")
        if tag.bit is not None:
            raise LinkError(f"{tag.name}: one bit of a register is not written; that would undo changes of the others")
        try:
            address = write_register(point, self._write_rules)
            if point.table == "coil":
                return coil_request(unit, address, bool(encode(tag, value)))
            words = to_words(tag, value, self._order)
        except (ValueError, ConfigError) as error:
            raise LinkError(str(error)) from error
        if len(words) > self._settings.max_write_words:
            raise LinkError(f"{tag.name}: {len(words)} registers; the device takes {self._settings.max_write_words}")
        return words_request(unit, address, words)
