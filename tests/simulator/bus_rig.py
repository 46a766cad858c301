"""A simulated PLC as large as one request may ask for, and a raw socket to it: no client library in between."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from dataclasses import replace

from simulator.encode import PLAIN, WireOrder
from simulator.modbus_server import ModbusServer
from simulator.plc import Plc
from simulator.profile import Point, Station, read_endpoint

UNIT = 7
COILS, WRITABLE_COILS = 2000, 1968
WORDS, WRITABLE_WORDS = 125, 123
PICKY_WORD = 10  # accepts 0 to 100 only
INPUT_VALUES = {f"I{k}": float(k * 3) for k in range(WORDS)}
DISCRETE_VALUES = {f"D{k}": float(k % 3 == 0) for k in range(COILS)}

_BLANK = Point(
    name="", title="", unit="", kind="uint16", table="holding", wire=0, node="", low=0, high=65535, scaling=PLAIN,
    bit=None, writable=False, methods=(), choices=frozenset(), constant=None,
)  # fmt: skip


def points() -> tuple[Point, ...]:
    """Every address of the four tables that the longest request reaches, and none beyond."""
    bit = replace(_BLANK, kind="bool", high=1)
    holding = [replace(_BLANK, name=f"H{k}", wire=k, writable=k < WRITABLE_WORDS) for k in range(WORDS)]
    holding[PICKY_WORD] = replace(holding[PICKY_WORD], high=100)
    return (
        *holding,
        *(replace(_BLANK, name=f"I{k}", wire=k, table="input") for k in range(WORDS)),
        *(replace(bit, name=f"C{k}", wire=k, table="coil", writable=k < WRITABLE_COILS) for k in range(COILS)),
        *(replace(bit, name=f"D{k}", wire=k, table="discrete") for k in range(COILS)),
    )


def station(scheme: str = "modbus-tcp", max_words: int = 125) -> Station:
    """A station with a brand's limit of ``max_words`` registers in one request."""
    return Station(
        name="wide", endpoint=read_endpoint(f"{scheme}://127.0.0.1:0?unit={UNIT}"), points=points(), heartbeat="",
        heartbeat_timeout_s=5.0, owner="", boot="", alive="", order=WireOrder(), max_read_words=max_words,
        max_write_words=max_words, max_gap_words=0, max_nodes_per_read=1, namespace="",
    )  # fmt: skip


@contextlib.asynccontextmanager
async def served(scheme: str = "modbus-tcp", max_words: int = 125) -> AsyncIterator[ModbusServer]:
    """The PLC's server on a free port. An error that reaches the event loop fails the test."""
    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: errors.append(context))
    measured = {**INPUT_VALUES, **DISCRETE_VALUES}
    plc = Plc(station(scheme, max_words), 1, measured, {})
    plc.step(0.5, 0.0, measured)
    server = ModbusServer(plc.station, plc, "127.0.0.1", 0)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
    assert not errors


class Wire:
    """Raw bytes to a server, whole TCP frames back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, sent: bytes) -> None:
        self._writer.write(sent)
        await self._writer.drain()

    async def frame(self) -> tuple[int, int, int, bytes]:
        """Transaction, protocol, unit and PDU of the next answer."""
        async with asyncio.timeout(5):
            transaction, protocol, length = struct.unpack(">HHH", await self._reader.readexactly(6))
            rest = await self._reader.readexactly(length)
        return transaction, protocol, rest[0], rest[1:]

    async def exactly(self, count: int) -> bytes:
        async with asyncio.timeout(5):
            return await self._reader.readexactly(count)

    async def rest(self) -> bytes:
        """All that comes until the server closes."""
        async with asyncio.timeout(5):
            return await self._reader.read()

    async def ask(self, pdu: bytes, unit: int = UNIT, transaction: int = 0x1234) -> bytes:
        """One request and the PDU of its answer."""
        await self.send(adu(pdu, unit, transaction))
        got, protocol, answered_by, answer = await self.frame()
        assert (got, protocol, answered_by) == (transaction, 0, unit)
        return answer


@contextlib.asynccontextmanager
async def wire(server: ModbusServer) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection(server.gate.host, server.gate.port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def adu(pdu: bytes, unit: int = UNIT, transaction: int = 0x1234, protocol: int = 0, length: int | None = None) -> bytes:
    """A Modbus TCP frame, right unless told otherwise."""
    return struct.pack(">HHHB", transaction, protocol, 1 + len(pdu) if length is None else length, unit) + pdu
