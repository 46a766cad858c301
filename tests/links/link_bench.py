"""What the link tests stand on: tags, a cable that can be cut, and a bench (link + device + cable) for every wire."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import select
import socket
import struct
import subprocess
import sys
import tty
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from link_server import LAST_REGISTER, NAMESPACE, REFUSED_REGISTER, modbus_device
from pymodbus.server import ModbusSerialServer

from linecontrol.core.link import Link
from linecontrol.core.model import DataType, Tag, Text, Value
from linecontrol.links.modbus import ModbusLink
from linecontrol.links.opcua import OpcuaLink
from linecontrol.links.opcua_subscription import KEEP_ALIVE_S
from linecontrol.links.plan import Point, Table
from linecontrol.links.settings import ModbusSettings, OpcuaSettings, SerialPort

TIMEOUT_S = 0.6  # long enough for a server that shares its processors with other tests
PATIENCE_S = 30.0
"""After this a wait that never ends is given up, so that its test fails instead of hanging. It claims nothing about how
fast a link is: a deadline that does not hold shows in what comes back, an answer or nothing at all."""
PUBLISHING_S = 0.1
LOSS_S = KEEP_ALIVE_S + TIMEOUT_S + 0.4  # a silent subscription is noticed sooner than this
HERE = Path(__file__).parent


def tag(name: str, kind: str, address: str = "", **more: Any) -> Tag:
    return Tag(name, "s", Text(name, name), "", DataType(kind), address, **more)


# name, type, holding register, extra; on OPC UA the node is Plc.<name>
READABLE: tuple[tuple[str, str, int, Value], ...] = (
    ("u16", "uint16", 0, 7),
    ("i16", "int16", 1, -123),
    ("i32", "int32", 2, -70_000),
    ("u32", "uint32", 4, 4_000_000_000),
    ("f32", "float32", 6, 12.5),
    ("f64", "float64", 8, -0.123456789),
    ("flag", "bool", 12, True),
)
WRITABLE: tuple[tuple[str, str, int, tuple[Value, ...]], ...] = (
    ("w_u16", "uint16", 20, (0, 65535, 1234)),
    ("w_i16", "int16", 21, (-32768, 32767, -5)),
    ("w_i32", "int32", 22, (-(2**31), 2**31 - 1, 100_000)),
    ("w_u32", "uint32", 24, (2**32 - 1, 0, 70_000)),
    ("w_f32", "float32", 26, (12.5, -0.25, 3.0)),
    ("w_f64", "float64", 28, (0.1, -1e300, 2.0)),
    ("w_flag", "bool", 32, (True, False)),
)
EXPECTED = {name: value for name, _, _, value in READABLE}
REFUSING = ("refuses", "uint16", REFUSED_REGISTER)
MISSING = ("missing", "uint16", LAST_REGISTER + 1)


def modbus_points(**more: Any) -> list[Point]:
    rows = [(n, k, r) for n, k, r, _ in READABLE] + [(n, k, r) for n, k, r, _ in WRITABLE]
    points = [Point(tag(n, k, f"{r}", writable=True), "holding", r) for n, k, r in (*rows, REFUSING, MISSING)]
    bits: tuple[tuple[str, Table, int], ...] = (("coil", "coil", 2), ("contact", "discrete", 2))
    return points + [Point(tag(n, "bool"), table, r) for n, table, r in bits]


def opcua_tags() -> list[Tag]:
    names = [(n, k) for n, k, _, _ in READABLE] + [(n, k) for n, k, _, _ in WRITABLE]
    return [tag(n, k, f"s=Plc.{n}", writable=True) for n, k in (*names, REFUSING[:2], MISSING[:2])]


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


class _End(asyncio.Protocol):
    """One end of one connection through a Cable."""

    def __init__(self, cable: Cable, peer: _End | None = None) -> None:
        self.cable = cable
        self.peer = peer
        self.transport: asyncio.Transport | None = None
        self.waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.cable.ends.add(self)
        if self.peer is None:
            self.cable.accepted += 1
            self.peer = _End(self.cable, self)
            self.cable.connect(self.peer)
        else:
            transport.write(self.peer.waiting)

    def data_received(self, data: bytes) -> None:
        assert self.peer is not None
        if self.cable.silent:
            return
        if self.peer.transport is None:
            self.waiting += data
        else:
            self.peer.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.cable.ends.discard(self)
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.close()


class Cable:
    """A TCP cable between a link and a device: passes, goes silent, is cut gently (FIN) or hard (RST)."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._connecting: set[asyncio.Task[None]] = set()
        self.ends: set[_End] = set()
        self.port = 0
        self.silent = False
        self.accepted = 0

    async def plug(self) -> None:
        self.silent = False
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(lambda: _End(self), "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def unplug(self, reset: bool = False) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for end in self.ends:
            assert end.transport is not None
            if reset:
                raw = end.transport.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.transport.abort()
            else:
                end.transport.close()
        await self.is_idle()

    async def is_idle(self) -> None:
        """Wait until every connection is gone."""
        async with asyncio.timeout(10):
            while self.ends or self._connecting:
                await asyncio.sleep(0.005)

    def connect(self, far: _End) -> None:
        task = asyncio.get_running_loop().create_task(self._connect(far))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, far: _End) -> None:
        assert far.peer is not None
        assert far.peer.transport is not None
        try:
            await asyncio.get_running_loop().create_connection(lambda: far, "127.0.0.1", self._target)
        except OSError:
            far.peer.transport.close()
            return
        if far.peer.transport.is_closing() and far.transport is not None:
            far.transport.close()


async def loses(link: Link, asks: bool) -> None:
    """Read as a station does until it raises: at once where every read asks, else when a sign of life is overdue."""
    async with asyncio.timeout(LOSS_S):
        while True:
            await link.read()
            assert not asks, "a lost device answered"
            await asyncio.sleep(0.01)


class Bench:
    """One wire with its device. ``asks``: every read of all tags is a request."""

    asks = True

    def __init__(self, ports: dict[str, int]) -> None:
        self.ports = ports

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def link(self) -> Link:
        raise NotImplementedError

    async def cut(self, reset: bool) -> None:
        raise NotImplementedError

    async def silence(self) -> None:
        raise NotImplementedError

    async def mend(self) -> None:
        raise NotImplementedError


class TcpBench(Bench):
    service = "tcp"

    async def start(self) -> None:
        self.cable = Cable(self.ports[self.service])
        await self.cable.plug()

    async def stop(self) -> None:
        await self.cable.unplug()

    async def cut(self, reset: bool) -> None:
        await self.cable.unplug(reset)

    async def silence(self) -> None:
        self.cable.silent = True

    async def mend(self) -> None:
        await self.cable.plug()

    def link(self) -> Link:
        settings = ModbusSettings(
            port=self.cable.port,
            max_read_words=50,
            max_gap_words=20,
            timeout_s=TIMEOUT_S,
            framer=self.service,  # type: ignore[arg-type]
        )
        return ModbusLink(settings, modbus_points())


class RtuTcpBench(TcpBench):
    service = "rtu"


class OpcuaBench(TcpBench):
    service = "opcua"

    def link(self) -> Link:
        url = f"opc.tcp://127.0.0.1:{self.cable.port}/"
        settings = OpcuaSettings(url, NAMESPACE, timeout_s=TIMEOUT_S, max_nodes_per_read=5, publishing_s=PUBLISHING_S)
        return OpcuaLink(settings if self.asks else replace(settings, reading="subscribe"), opcua_tags())


class SubscribedBench(OpcuaBench):
    asks = False


class SerialBench(Bench):
    """Two pseudo terminals, their far ends joined by this loop."""

    async def start(self) -> None:
        self.silent = False
        self._masters: list[int] = []
        self._slaves: list[int] = []
        names = []
        for _ in range(2):
            master, slave = os.openpty()
            tty.setraw(slave)
            os.set_blocking(master, False)
            self._masters.append(master)
            self._slaves.append(slave)  # kept open: a master without any slave reads as hung up
            names.append(os.ttyname(slave))
        self.device, far = names
        self._join()
        self._server = ModbusSerialServer(modbus_device(), port=far, baudrate=19200, parity="N")
        await self._server.serve_forever(background=True)

    def _join(self) -> None:
        loop, (near, far) = asyncio.get_running_loop(), self._masters
        loop.add_reader(near, self._pump, near, far)
        loop.add_reader(far, self._pump, far, near)

    def _part(self) -> None:
        for master in self._masters:
            asyncio.get_running_loop().remove_reader(master)

    def _pump(self, source: int, target: int) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(source, 4096)
            if not self.silent:
                os.write(target, data)

    async def stop(self) -> None:
        self._part()
        await self._server.shutdown()
        for fd in (*self._masters, *self._slaves):
            os.close(fd)

    async def cut(self, reset: bool) -> None:
        self.silent = True  # a serial cable has no connection to lose

    async def silence(self) -> None:
        self.silent = True

    async def mend(self) -> None:
        self.silent = False

    def link(self) -> Link:
        port = SerialPort(self.device, 19200, "N")
        settings = ModbusSettings(serial=port, max_read_words=50, max_gap_words=20, timeout_s=TIMEOUT_S)
        return ModbusLink(settings, modbus_points())


BENCHES = {
    "modbus-tcp": TcpBench,
    "modbus-rtu-over-tcp": RtuTcpBench,
    "modbus-serial": SerialBench,
    "opcua": OpcuaBench,
    "opcua-subscribed": SubscribedBench,
}


@contextlib.contextmanager
def server_process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, int]]]:
    """The devices of ``link_server`` in a process of their own, and their ports."""
    command = [sys.executable, str(HERE / "link_server.py"), *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert select.select([process.stdout], [], [], 60)[0], "the devices did not start"
        yield process, json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


@contextlib.asynccontextmanager
async def quiet_loop() -> AsyncIterator[None]:
    """Fails when the loop had to report something: an unretrieved exception, a destroyed task, a failed callback."""
    reported: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reported.append(context))
    yield
    await asyncio.sleep(0)
    gc.collect()
    loop.set_exception_handler(None)
    assert not reported, reported
