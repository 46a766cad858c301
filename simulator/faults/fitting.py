"""Fits a protocol server with what wire faults need, from outside: the servers know bytes, values and no faults.

Between a gate's connection and the server's protocol object comes a ``_Tap``, which can hold back, drop and reset; the
stamps given to the server go through the wire's clock. A face that carries a ``Wire`` of its own (the twin's) obeys it
itself and is left as it is.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol, cast, runtime_checkable

from simulator.faults.scene import Face, Wire
from simulator.gate import Gate

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: closing sends RST


@runtime_checkable
class _Stamped(Protocol):
    note_update: Callable[[datetime], None]


def fitted(face: Face, *, has_stamps: bool) -> Wire:
    """The wire of a face, ready for faults; call once, before it listens.

    Args:
        has_stamps: the protocol carries the device's time stamps.
    """
    own = getattr(face, "wire", None)
    if isinstance(own, Wire):
        own.has_stamps = has_stamps
        return own
    wire = Wire(has_stamps=has_stamps)
    if isinstance(face.gate, Gate):
        _fit_gate(face.gate, wire)
    if isinstance(face, _Stamped):
        _fit_clock(face, wire)
    return wire


def _fit_gate(gate: Gate, wire: Wire) -> None:
    enter = gate.enter
    taps: set[_Tap] = set()

    def enter_tapped(door: Any) -> asyncio.Protocol:
        return _Tap(enter(door), wire, taps)

    def arm_reset() -> None:
        for tap in taps:
            tap.arm_reset()

    gate.enter = enter_tapped  # type: ignore[method-assign]
    wire.arm_reset = arm_reset


def _fit_clock(face: _Stamped, wire: Wire) -> None:
    note = face.note_update

    def note_update(updated_at: datetime) -> None:
        if not wire.is_clock_held:
            note(updated_at + timedelta(seconds=wire.clock_ahead_s))

    face.note_update = note_update


class _Tap(asyncio.Protocol):
    """One connection, between the gate's door and the server's protocol object."""

    def __init__(self, inner: asyncio.Protocol, wire: Wire, taps: set[_Tap]) -> None:
        self._inner = inner
        self._wire = wire
        self._era = wire.era
        self._taps = taps
        self._transport: asyncio.Transport | None = None
        self._late: _LateTransport | None = None

    @property
    def is_dead(self) -> bool:
        """Nothing passes; this connection's end is forgotten, or the wire is gone."""
        return self._wire.is_gone or self._era != self._wire.era

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._taps.add(self)
        self._transport = cast(asyncio.Transport, transport)
        self._late = _LateTransport(self._transport, self, self._wire)
        self._inner.connection_made(cast(asyncio.Transport, self._late))

    def data_received(self, data: bytes) -> None:
        if not self.is_dead:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._taps.discard(self)
        if self._late is not None:
            self._late.forget()
        self._inner.connection_lost(exc)

    def arm_reset(self) -> None:
        """Let the end of this connection be a reset."""
        plug = None if self._transport is None else self._transport.get_extra_info("socket")
        if plug is not None:
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


class _LateTransport:
    """A transport as the server's protocol object sees it: what it writes may be late or lost, never out of order."""

    def __init__(self, transport: asyncio.Transport, tap: _Tap, wire: Wire) -> None:
        self._transport = transport
        self._tap = tap
        self._wire = wire
        self._queue: deque[tuple[asyncio.TimerHandle, Callable[[], None]]] = deque()
        self._due_s = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._tap.is_dead:
            self._later(lambda: self._send(bytes(data)))

    def writelines(self, parts: list[bytes]) -> None:
        self.write(b"".join(parts))

    def close(self) -> None:
        """After what was written before it."""
        self._later(self._transport.close)

    def forget(self) -> None:
        while self._queue:
            self._queue.popleft()[0].cancel()

    def _send(self, data: bytes) -> None:
        if not self._tap.is_dead:
            self._transport.write(data)

    def _later(self, act: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        self._due_s = max(self._due_s, now_s + self._wire.delay_s)
        if self._due_s <= now_s and not self._queue:
            act()
        else:  # timers of the same moment come in any order, so each takes what is next
            self._queue.append((loop.call_at(self._due_s, self._next), act))

    def _next(self) -> None:
        if self._queue:
            self._queue.popleft()[1]()
