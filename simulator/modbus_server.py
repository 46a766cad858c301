"""A simulated PLC's Modbus face: one connection, one framing, answers in the order of the requests.

Written here rather than taken from a library, because what a PLC says to a malformed or pipelined request is part of
what the simulator is for; ``modbus_pdu`` and ``modbus_frames`` name the clauses. A connection that falls out of step
is closed; a peer that does not take its answers is not read from until it does.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import cast

from simulator.gate import Gate
from simulator.modbus_frames import Frame, Framing, OutOfStep, RtuFraming, TcpFraming
from simulator.modbus_pdu import ExceptionCode, answer, refuse
from simulator.plc import Plc
from simulator.profile import Station
from simulator.registers import Registers

_BROADCAST = 0
_THE_DEVICE_ITSELF = (0x00, 0xFF)  # on TCP, where the address is the IP address (guide 4.4.1.2)


class ModbusServer:
    """Serves one PLC behind its gate.

    A TCP request for another unit is answered with exception 0x0B, as a gateway does whose device is not there; on RTU
    it is none of this PLC's business.

    Attributes:
        gate: where it listens; link faults are put there.
        refusing: Modbus exception code answered to every request, or 0.
    """

    def __init__(self, station: Station, plc: Plc, host: str, port: int) -> None:
        self.station = station
        self.gate = Gate(host, port, self._enter)
        self.refusing = 0
        self._is_rtu = station.endpoint.scheme == "modbus-rtu-tcp"
        self._registers = Registers(station, plc)

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        await self.gate.open()

    async def stop(self) -> None:
        self.gate.close()
        await asyncio.sleep(0)  # lets cut connections end

    async def publish(self) -> None:
        """Nothing to push: Modbus is asked."""

    def note_update(self, updated_at: datetime) -> None:
        """Modbus carries no time stamps."""

    def failure_code(self, text: str) -> int:
        """Modbus exception code of this text; "" = 4, device failure. Raises ValueError for one the bus has not."""
        return int(ExceptionCode(int(text, 0) if text else 4))

    def reply(self, request: Frame) -> bytes | None:
        """The answer's PDU; None = this request gets none."""
        if self._is_rtu and request.unit == _BROADCAST:
            self._answer(request.pdu)
            return None
        if request.unit != self.station.endpoint.unit:
            if self._is_rtu:
                return None
            if request.unit not in _THE_DEVICE_ITSELF:
                return refuse(request.pdu, ExceptionCode.GATEWAY_NO_RESPONSE)
        return self._answer(request.pdu)

    def _answer(self, pdu: bytes) -> bytes:
        if self.refusing:
            return refuse(pdu, ExceptionCode(self.refusing))
        return answer(pdu, self._registers)

    def _enter(self) -> asyncio.Protocol:
        return _Connection(self, RtuFraming() if self._is_rtu else TcpFraming())


class _Connection(asyncio.Protocol):
    def __init__(self, server: ModbusServer, framing: Framing) -> None:
        self._server = server
        self._framing = framing
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None  # noqa: S101 - asyncio makes the connection first
        try:
            for request in self._framing.feed(data, asyncio.get_running_loop().time()):
                if (pdu := self._server.reply(request)) is not None:
                    self._transport.write(self._framing.wrap(request, pdu))
        except OutOfStep:
            self._transport.close()  # after what was answered has gone out
