"""Modbus TCP, RTU over TCP and serial RTU. The only controller file that imports pymodbus.

pymodbus brings transports, frames and requests. Its ``execute`` is not used: one request at a time is sent under our
own lock and deadline, what comes back is judged by ``frames``, and nothing is retried or reconnected here. After a
deadline, a cancelled request or a stream out of step the connection is closed, so that a late answer can never be
taken for the next one; ``open`` starts afresh.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException, ModbusIOException
from pymodbus.framer import FramerType
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest, WriteSingleCoilRequest
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from linecontrol.core.errors import DeviceRefused, LinkDown, LinkError, LinkTimeout
from linecontrol.core.link import LinkCounters, Reading
from linecontrol.core.model import Status, Value
from linecontrol.links.codec import BitDecoder, Order, RegisterDecoder, Slot, encode, to_words
from linecontrol.links.frames import EXCEPTION, Asked, Verdict, exception, judge_rtu, judge_tcp, read_asked, write_asked
from linecontrol.links.plan import BIT_TABLES, Block, Limits, Point, check_points, plan, split
from linecontrol.links.settings import ModbusSettings, SerialPort

__all__ = ["ModbusLink", "ModbusSettings", "Point", "SerialPort", "mapped"]

try:
    from termios import error as _termios_error  # not an OSError: a port that cannot do the parity asked for
except ImportError:  # Windows
    _PORT_ERRORS: tuple[type[Exception], ...] = (OSError, ValueError)
else:
    _PORT_ERRORS = (OSError, ValueError, _termios_error)

_SPLITTABLE = (2, 3)  # illegal address, or more asked at once than the device gives
_RETRY_SPLIT = 16  # a block refused in all its parts is taken apart again every so many refusals
_KEPT_PLANS = 64  # plans for parts of the tags, remembered


def mapped(error: Exception, place: str) -> LinkError:
    """Our error for one of pymodbus's or of the operating system."""
    if isinstance(error, OSError | ConnectionException | ModbusIOException):
        return LinkDown(f"{place}: {error}")
    return LinkError(f"{place}: {error}")


_READS: dict[str, type[ModbusPDU]] = {
    "coil": ReadCoilsRequest,
    "discrete": ReadDiscreteInputsRequest,
    "holding": ReadHoldingRegistersRequest,
    "input": ReadInputRegistersRequest,
}


class _WrongAnswer(Exception):
    """The device answered this request, but not rightly; the connection is still in step."""


@dataclass(slots=True)
class _Pending:
    """The request on the wire, what answers it, and who waits for that."""

    request: ModbusPDU
    asked: Asked
    answer: asyncio.Future[bytes]
    foreign: int = 0

    def fail(self, error: Exception) -> None:
        """End the waiting now."""
        if not self.answer.done():
            self.answer.set_exception(error)


class _Wire:
    """One connection, made once and closed once."""

    def __init__(self, settings: ModbusSettings, counters: LinkCounters) -> None:
        self._settings = settings
        self._counters = counters
        self._pending: _Pending | None = None
        self._silent_until = 0.0
        self.late_until = 0.0  # until then an answer to an abandoned request may still come
        self._client = self._make_client()

    def _make_client(self) -> AsyncModbusTcpClient | AsyncModbusSerialClient:
        settings, port = self._settings, self._settings.serial
        common: dict[str, Any] = {
            "framer": FramerType.RTU if settings.is_rtu else FramerType.SOCKET,
            "retries": 0,
            "reconnect_delay": 0.0,
            "trace_packet": self._on_bytes,
            "trace_connect": self._on_connect,
        }
        if port is None:
            return AsyncModbusTcpClient(settings.host, port=settings.port, **common)
        return AsyncModbusSerialClient(
            port.device,
            baudrate=port.baud,
            parity=port.parity,
            stopbits=port.stop_bits,
            bytesize=port.data_bits,
            **common,
        )

    async def connect(self) -> None:
        """Raises LinkDown or LinkTimeout, and then leaves nothing behind."""
        settings, context = self._settings, self._client.ctx
        try:
            async with asyncio.timeout(settings.timeout_s):
                # client.connect() would hide the reason behind False
                context.transport, _ = await context.call_create()
                await asyncio.sleep(0)  # a serial port adds its reader in the next round of the loop
        except TimeoutError:
            self.abort("no connection")
            raise LinkTimeout(f"{settings.place}: no connection within {settings.timeout_s:g} s") from None
        except _PORT_ERRORS as error:
            self.abort("no connection")
            raise LinkDown(f"{settings.place}: {error}") from error
        except BaseException:
            self.abort("no connection")
            raise
        self._counters.connects += 1

    def abort(self, why: str) -> None:
        """Close now, whatever the device does; a request under way ends in LinkDown."""
        if self._pending is not None:
            self._pending.fail(LinkDown(f"{self._settings.place}: {why}"))
        transport = self._client.ctx.transport
        self._client.close()
        if transport is not None:
            transport.abort()  # type: ignore[attr-defined]  # close() alone waits for unsent bytes

    async def exchange(self, request: ModbusPDU, asked: Asked) -> bytes:
        """Send one request; its answer from the function code on, which may be that of a refusal.

        Raises:
            _WrongAnswer: answered wrongly; the wire is still good.
            LinkDown, LinkTimeout: the wire is of no more use; abort it.
        """
        await self._keep_silence()
        loop, settings, counters = asyncio.get_running_loop(), self._settings, self._counters
        context = self._client.ctx
        answer: asyncio.Future[bytes] = loop.create_future()
        if not context.is_active():
            raise LinkDown(f"{settings.place}: the device closed the connection")
        pending = self._pending = _Pending(request, asked, answer)
        deadline = loop.call_later(settings.timeout_s, self._expire, pending)
        self.late_until = loop.time() + 2.0 * settings.timeout_s
        counters.requests += 1
        try:
            request.transaction_id = context.getNextTID()
            context.pdu_send(request)
            reply = await answer
        except (ModbusException, OSError) as error:
            raise mapped(error, settings.place) from error
        finally:
            deadline.cancel()
            self._pending = None
            counters.bad_frames += pending.foreign
            if answer.done() and not answer.cancelled():
                answer.exception()  # seen, should we have been cancelled in the same moment
            if settings.inter_frame_s:
                self._silent_until = loop.time() + settings.inter_frame_s
        self.late_until = 0.0
        counters.answers += 1
        counters.exceptions += reply[0] >= EXCEPTION
        return reply

    def _expire(self, pending: _Pending) -> None:
        if not pending.answer.done():
            self._counters.timeouts += 1
            pending.fail(LinkTimeout(f"{self._settings.place}: no answer within {self._settings.timeout_s:g} s"))

    async def _keep_silence(self) -> None:
        if self._settings.inter_frame_s:
            await asyncio.sleep(self._silent_until - asyncio.get_running_loop().time())  # at once when past

    def _on_connect(self, up: bool) -> None:
        if not up and self._pending is not None:
            self._pending.fail(LinkDown(f"{self._settings.place}: the device closed the connection"))

    def _on_bytes(self, sending: bool, data: bytes) -> bytes:
        """pymodbus's hook for raw bytes, all since the request: takes the answer; its own parser gets nothing."""
        if sending:
            return data
        pending = self._pending
        if pending is None or pending.answer.done():
            return b""
        if self._settings.is_rtu:
            judged = judge_rtu(data, pending.asked)
        else:
            judged = judge_tcp(data, pending.request.transaction_id, pending.asked)
        pending.foreign = max(pending.foreign, judged.foreign)
        if judged.verdict is Verdict.ANSWER:
            pending.answer.set_result(judged.pdu)
        elif judged.verdict is Verdict.WRONG:
            self._counters.bad_frames += 1
            pending.fail(_WrongAnswer(judged.reason))
        elif judged.verdict is Verdict.LOST:
            self._counters.bad_frames += 1
            pending.fail(LinkDown(f"{self._settings.place}: not a Modbus answer: {judged.reason}"))
        return b""


@dataclass(slots=True, eq=False)
class _Part:
    """A block with its ready request and decoder, and how often the device has refused it whole."""

    block: Block
    request: ModbusPDU
    asked: Asked
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
        ConfigError: a point that cannot be read over Modbus.
    """

    def __init__(self, settings: ModbusSettings, points: Iterable[Point]) -> None:
        self.counters = LinkCounters()
        self._settings = settings
        self._order = Order(settings.word_order, settings.byte_order)
        self._limits = Limits(settings.max_read_words, settings.max_gap_words)
        self._points = {point.tag.name: point for point in points}
        check_points(self._points.values(), self._limits)
        self._plans: dict[frozenset[str] | None, list[_Part]] = {}
        self._wire: _Wire | None = None
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
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # it logs frames; the station logs down and up
        wire = _Wire(self._settings, self.counters)
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

    async def write(self, name: str, value: Value) -> None:
        """Write one tag once.

        Raises:
            DeviceRefused: the device answered with an exception.
            LinkDown, LinkTimeout: there is no telling whether it was written.
            LinkError: it cannot be written, or was confirmed wrongly.
            KeyError: the name is not on this link.
        """
        request, asked = self._write_request(self._points[name], value)
        try:
            reply = await self._exchange(request, asked)
        except _WrongAnswer as error:
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

    async def _exchange(self, request: ModbusPDU, asked: Asked) -> bytes:
        async with self._lock:
            wire = self._wire
            if wire is None:
                raise LinkDown(f"{self._settings.place}: not connected")
            try:
                return await wire.exchange(request, asked)
            except _WrongAnswer:
                raise
            except BaseException:
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
        unit = self._settings.unit
        request = _READS[block.table](address=block.start, count=block.count, dev_id=unit)
        return _Part(block, request, read_asked(unit, request.function_code, decoder.size), decoder)

    async def _read_part(self, part: _Part, out: dict[str, Reading]) -> list[_Part]:
        """Read a block into ``out``; returns what to ask for instead next time, as a rule the same."""
        try:
            reply = await self._exchange(part.request, part.asked)
        except _WrongAnswer:
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

    def _write_request(self, point: Point, value: Value) -> tuple[ModbusPDU, Asked]:
        tag, unit, address = point.tag, self._settings.unit, point.register
        if point.table in ("discrete", "input"):
            raise LinkError(f"{tag.name}: a {point.table} cannot be written (accepted: coil or holding register)")
        if tag.bit is not None:
            raise LinkError(f"{tag.name}: one bit of a register is not written; that would undo changes of the others")
        request: ModbusPDU
        try:
            if point.table == "coil":
                on = bool(encode(tag, value))
                request = WriteSingleCoilRequest(address=address, bits=[on], dev_id=unit)
                return request, write_asked(unit, 5, struct.pack(">HH", address, 0xFF00 if on else 0))
            words = to_words(tag, value, self._order)
        except ValueError as error:
            raise LinkError(str(error)) from error
        if len(words) > self._settings.max_write_words:
            raise LinkError(f"{tag.name}: {len(words)} registers; the device takes {self._settings.max_write_words}")
        if len(words) == 1:
            request = WriteSingleRegisterRequest(address=address, registers=words, dev_id=unit)
            return request, write_asked(unit, 6, struct.pack(">HH", address, words[0]))
        request = WriteMultipleRegistersRequest(address=address, registers=words, dev_id=unit)
        return request, write_asked(unit, 16, struct.pack(">HH", address, len(words)))
