"""The socket in front of a simulated PLC. It knows bytes and connections, no protocol.

Both protocol servers sit behind the same gate, so that a link fault is written once. The gate hands every connection
to the server's own protocol object in the same process; there is no second socket and no copy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast


class Gate:
    """Listens, can refuse, can swallow.

    Args:
        make_protocol: called for every connection; returns the server's protocol object.
        port: 0 = a free one, kept when the gate is closed and opened again.
    """

    def __init__(self, host: str, port: int, make_protocol: Callable[[], asyncio.Protocol]) -> None:
        self.host = host
        self.port = port
        self.is_silent = False
        self._make_protocol = make_protocol
        self._server: asyncio.Server | None = None
        self._doors: set[_Door] = set()

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._doors)

    async def open(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(lambda: _Door(self), self.host, self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Stop listening and cut every connection. Connecting is refused until ``open``."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()

    def cut(self) -> None:
        """Cut every connection at once; new ones are welcome."""
        for door in tuple(self._doors):
            door.cut()

    def enter(self, door: _Door) -> asyncio.Protocol:
        self._doors.add(door)
        return self._make_protocol()

    def leave(self, door: _Door) -> None:
        self._doors.discard(door)


class _Door(asyncio.Protocol):
    """One connection: passes everything on to the server's protocol object, unless the gate is silent."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._inner: asyncio.Protocol | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._inner = self._gate.enter(self)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._inner is not None and not self._gate.is_silent:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return None if self._inner is None else self._inner.eof_received()

    def pause_writing(self) -> None:
        """The client does not take its answers: leave its further requests in its own socket."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gate.leave(self)
        if self._inner is not None:
            self._inner.connection_lost(exc)
            self._inner = None

    def cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()
