"""One Modbus connection and the requests that go over it. The only controller file that imports pymodbus.

pymodbus brings transports, frames and requests. Its ``execute`` is not used: one request at a time is sent under our
own deadline, what comes back is judged by ``frames``, and nothing is retried or reconnected here. After a deadline, a
cancelled request or a stream out of step the connection is of no more use and must be aborted, so that a late answer
can never be taken for the next one.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

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

from linecontrol.core.deadline import deadline
from linecontrol.core.errors import LinkDown, LinkError, LinkTimeout
from linecontrol.core.link import LinkCounters
from linecontrol.links.frames import EXCEPTION, Asked, Verdict, judge_rtu, judge_tcp, read_asked, write_asked
from linecontrol.links.plan import BIT_TABLES, Table
from linecontrol.links.reasons import reason
from linecontrol.links.settings import ModbusSettings

try:
    from termios import error as _termios_error  # not an OSError: a port that cannot do the parity asked for
except ImportError:  # Windows
    _PORT_ERRORS: tuple[type[Exception], ...] = (OSError, ValueError)
else:
    _PORT_ERRORS = (OSError, ValueError, _termios_error)

_READS: dict[Table, type[ModbusPDU]] = {
    "coil": ReadCoilsRequest,
    "discrete": ReadDiscreteInputsRequest,
    "holding": ReadHoldingRegistersRequest,
    "input": ReadInputRegistersRequest,
}


def mapped(error: Exception, place: str) -> LinkError:
    """Our error for one of pymodbus's or of the operating system."""
    if isinstance(error, OSError | ConnectionException | ModbusIOException):
        return LinkDown(f"{place}: {reason(error)}")
    return LinkError(f"{place}: {error}")


class Request(NamedTuple):
    """What is sent, ready to be sent again and again, and what a right answer to it looks like."""

    pdu: ModbusPDU
    asked: Asked


def read_request(unit: int, table: Table, start: int, count: int) -> Request:
    """Ask for ``count`` registers or bits from ``start``."""
    pdu = _READS[table](address=start, count=count, dev_id=unit)
    octets = (count + 7) // 8 if table in BIT_TABLES else 2 * count
    return Request(pdu, read_asked(unit, pdu.function_code, octets))


def coil_request(unit: int, address: int, on: bool) -> Request:
    """Switch one coil."""
    pdu = WriteSingleCoilRequest(address=address, bits=[on], dev_id=unit)
    return Request(pdu, write_asked(unit, 5, struct.pack(">HH", address, 0xFF00 if on else 0)))


def words_request(unit: int, address: int, words: Sequence[int]) -> Request:
    """Write holding registers from ``address``; one alone with the function made for one."""
    pdu: ModbusPDU
    if len(words) == 1:
        pdu = WriteSingleRegisterRequest(address=address, registers=list(words), dev_id=unit)
        return Request(pdu, write_asked(unit, 6, struct.pack(">HH", address, words[0])))
    pdu = WriteMultipleRegistersRequest(address=address, registers=list(words), dev_id=unit)
    return Request(pdu, write_asked(unit, 16, struct.pack(">HH", address, len(words))))


class WrongAnswer(Exception):
    """The device answered this request, but not rightly; the connection is still in step."""


@dataclass(slots=True)
class _Pending:
    """The request on the wire, what answers it, and who waits for that."""

    request: Request
    answer: asyncio.Future[bytes]
    foreign: int = 0

    def fail(self, error: Exception) -> None:
        """End the waiting now."""
        if not self.answer.done():
            self.answer.set_exception(error)


class Wire:
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
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # it logs frames; the station logs down and up
        settings, context = self._settings, self._client.ctx
        try:
            async with deadline(settings.timeout_s):
                # client.connect() would hide the reason behind False
                context.transport, _ = await context.call_create()
                await asyncio.sleep(0)  # a serial port adds its reader in the next round of the loop
        except TimeoutError:
            self.abort("no connection")
            raise LinkTimeout(f"{settings.place}: no connection within {settings.timeout_s:g} s") from None
        except _PORT_ERRORS as error:
            self.abort("no connection")
            raise LinkDown(f"{settings.place}: {reason(error)}") from error
        except BaseException:  # also when cancelled: no socket is left half open
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

    async def exchange(self, request: Request) -> bytes:
        """Send one request; its answer from the function code on, which may be that of a refusal.

        Raises:
            WrongAnswer: answered wrongly; the wire is still good.
            LinkDown, LinkTimeout: the wire is of no more use; abort it.
        """
        await self._keep_silence()
        loop, settings, counters = asyncio.get_running_loop(), self._settings, self._counters
        context = self._client.ctx
        answer: asyncio.Future[bytes] = loop.create_future()
        if not context.is_active():
            raise LinkDown(f"{settings.place}: the device closed the connection")
        pending = self._pending = _Pending(request, answer)
        timer = loop.call_later(settings.timeout_s, self._expire, pending)
        self.late_until = loop.time() + 2.0 * settings.timeout_s
        counters.requests += 1
        try:
            request.pdu.transaction_id = context.getNextTID()
            context.pdu_send(request.pdu)
            reply = await answer
        except (ModbusException, OSError) as error:
            raise mapped(error, settings.place) from error
        finally:
            timer.cancel()
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
            judged = judge_rtu(data, pending.request.asked)
        else:
            judged = judge_tcp(data, pending.request.pdu.transaction_id, pending.request.asked)
        pending.foreign = max(pending.foreign, judged.foreign)
        if judged.verdict is Verdict.ANSWER:
            pending.answer.set_result(judged.pdu)
        elif judged.verdict is Verdict.WRONG:
            self._counters.bad_frames += 1
            pending.fail(WrongAnswer(judged.reason))
        elif judged.verdict is Verdict.LOST:
            self._counters.bad_frames += 1
            pending.fail(LinkDown(f"{self._settings.place}: not a Modbus answer: {judged.reason}"))
        return b""
