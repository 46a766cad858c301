"""Cuts a Modbus byte stream into requests and puts answers into frames. Pure: no socket, no clock of its own.

TCP frames as in the MODBUS Messaging on TCP/IP Implementation Guide V1.0b ("guide"), RTU frames as in MODBUS over
Serial Line V1.02 ("serial"), here carried over TCP.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from simulator.modbus_pdu import MAX_PDU_BYTES

_MODBUS = 0  # protocol identifier, guide 3.1.3
_HEADER_BYTES = 6  # transaction, protocol, length; what the length counts begins with the unit
_MAX_RTU_BYTES = 256  # serial 2.5.1.1
_RTU_PAUSE_S = (
    0.5  # real time without a byte that ends a frame; on a serial line 3.5 characters, over TCP no such thing
)
# How many bytes a request has; where a byte count decides, at which offset that is and how many there are besides it.
_RTU_FIXED = {1: 8, 2: 8, 3: 8, 4: 8, 5: 8, 6: 8, 22: 10}
_RTU_COUNTED = {15: (6, 9), 16: (6, 9), 23: (10, 13)}


class OutOfStep(Exception):
    """Where the next frame begins cannot be known any more: the connection is of no further use."""


class Frame(NamedTuple):
    """One request: whom it is for, what it says, and what its answer must repeat."""

    unit: int
    pdu: bytes
    transaction: int = 0


class Framing(Protocol):
    """One connection's way to frame."""

    def feed(self, chunk: bytes, now_s: float) -> Iterator[Frame]:
        """Requests complete with this chunk, however they were cut. Raises OutOfStep after the last of them."""
        ...

    def wrap(self, request: Frame, pdu: bytes) -> bytes:
        """The frame that carries the answer ``pdu`` to this request."""
        ...


class TcpFraming:
    """A header tells every frame's length (guide 3.1.3), so frames may come in pieces or several at once."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def feed(self, chunk: bytes, _now_s: float) -> Iterator[Frame]:
        kept = self._kept
        kept += chunk
        while len(kept) >= _HEADER_BYTES:
            transaction, protocol, length = struct.unpack_from(">HHH", kept)
            if not 2 <= length <= 1 + MAX_PDU_BYTES:
                raise OutOfStep(f"length {length}")
            end = _HEADER_BYTES + length
            if len(kept) < end:
                return
            frame = Frame(kept[_HEADER_BYTES], bytes(kept[_HEADER_BYTES + 1 : end]), transaction)
            del kept[:end]
            if protocol == _MODBUS:  # anything else "is simply discarded" (guide 4.4.2.2)
                yield frame

    def wrap(self, request: Frame, pdu: bytes) -> bytes:
        return struct.pack(">HHHB", request.transaction, _MODBUS, 1 + len(pdu), request.unit) + pdu


class RtuFraming:
    """No header: the function tells the length, and a wrong checksum discards all that is there (serial 2.5.1.2)."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._fed_at_s = 0.0

    def feed(self, chunk: bytes, now_s: float) -> Iterator[Frame]:
        kept = self._kept
        if now_s - self._fed_at_s > _RTU_PAUSE_S:
            kept.clear()
        self._fed_at_s = now_s
        kept += chunk
        while kept:
            end = _rtu_bytes(kept)
            if end is None or len(kept) < end <= _MAX_RTU_BYTES:
                return
            body, checksum = bytes(kept[: end - 2]), kept[end - 2 : end]
            if end > _MAX_RTU_BYTES or checksum != crc(body):
                kept.clear()
                return
            del kept[:end]
            yield Frame(body[0], body[1:])

    def wrap(self, request: Frame, pdu: bytes) -> bytes:
        body = bytes([request.unit]) + pdu
        return body + crc(body)


def crc(body: bytes) -> bytes:
    """The two check bytes that follow an RTU frame's body (serial 6.2.2)."""
    total = 0xFFFF
    for byte in body:
        total ^= byte
        for _ in range(8):
            total = total >> 1 ^ (0xA001 if total & 1 else 0)
    return total.to_bytes(2, "little")


def _rtu_bytes(kept: bytearray) -> int | None:
    """Bytes of the frame that begins here; None = not known yet. An unknown function's frame is all that is there."""
    if len(kept) < 4:
        return None
    function = kept[1]
    if function in _RTU_COUNTED:
        at, besides = _RTU_COUNTED[function]
        return besides + kept[at] if len(kept) > at else None
    return _RTU_FIXED.get(function, len(kept))
