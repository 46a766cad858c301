"""Is this Modbus frame the answer to what was asked? Pure.

pymodbus 3.16 accepts an answer with transaction id 0, with fewer registers than asked, or with a confirmation that
differs from the write, and raises out of its receive callback on a frame it cannot read. So its parser is given
nothing; answers are judged, and taken, here.
"""

from __future__ import annotations

import struct
from enum import Enum
from typing import NamedTuple

from linecontrol.core.model import Status

_MBAP = struct.Struct(">HHH")
_FIXED = {5: 8, 6: 8, 15: 8, 16: 8}  # RTU answers of fixed length to writes, with unit and CRC
EXCEPTION = 0x80  # set in the function code of a refusal

EXCEPTIONS: dict[int, tuple[Status, str]] = {
    1: (Status.BAD_CONFIGURATION_ERROR, "illegal function"),
    2: (Status.BAD_NODE_ID_UNKNOWN, "illegal address"),
    3: (Status.BAD_OUT_OF_RANGE, "illegal value"),
    4: (Status.BAD_DEVICE_FAILURE, "device failure"),
    5: (Status.BAD_TIMEOUT, "acknowledged, still at work"),
    6: (Status.BAD_TIMEOUT, "device busy"),
    8: (Status.BAD_DEVICE_FAILURE, "memory parity error"),
    0x0A: (Status.BAD_NO_COMMUNICATION, "gateway path unavailable"),
    0x0B: (Status.BAD_NO_COMMUNICATION, "gateway target did not respond"),
}


def exception(code: int) -> tuple[Status, str]:
    """Status of the tags concerned, and words, for the exception code of a refusal."""
    return EXCEPTIONS.get(code, (Status.BAD, "unknown exception"))


class Asked(NamedTuple):
    """What a right answer looks like.

    Attributes:
        function: function code of the request.
        echo: what must follow the function code: the byte count of a read, or the confirmed address and value.
        length: bytes of the answer from the function code on.
    """

    unit: int
    function: int
    echo: bytes
    length: int


def read_asked(unit: int, function: int, payload_bytes: int) -> Asked:
    """Expectation for a read of registers or bits."""
    return Asked(unit, function, bytes((payload_bytes,)), 2 + payload_bytes)


def write_asked(unit: int, function: int, echo: bytes) -> Asked:
    """Expectation for a write; ``echo``: the four bytes the device repeats."""
    return Asked(unit, function, echo, 1 + len(echo))


class Verdict(Enum):
    WAIT = "not complete yet"
    ANSWER = "the answer"
    WRONG = "an answer to this request, but not a right one; the stream is still in step"
    LOST = "not Modbus; where the next frame begins cannot be known"


class Judged(NamedTuple):
    """``pdu``: the answer from its function code on, without frame. ``foreign``: frames passed over."""

    verdict: Verdict
    pdu: bytes = b""
    foreign: int = 0
    reason: str = ""


def judge_tcp(data: bytes, tid: int, asked: Asked) -> Judged:
    """Judge what has been received since the request, Modbus TCP framing."""
    at = foreign = 0
    while len(data) - at >= 8:
        found, protocol, length = _MBAP.unpack_from(data, at)
        if protocol or not 3 <= length <= 254:
            return Judged(Verdict.LOST, foreign=foreign, reason=f"header with protocol {protocol}, length {length}")
        end = at + 6 + length
        if end > len(data):
            break
        if found == tid:
            pdu = data[at + 7 : end]
            reason = _mismatch(data[at + 6], pdu, asked)
            return Judged(Verdict.WRONG if reason else Verdict.ANSWER, pdu, foreign, reason)
        foreign += 1
        at = end
    return Judged(Verdict.WAIT, foreign=foreign)


def judge_rtu(data: bytes, asked: Asked) -> Judged:
    """Judge what has been received since the request, RTU framing.

    Noise and other whole frames before the answer are passed over: with no transaction id, a frame that does not fit
    may be a late answer to something else, and the right one still under way. It is waited for until the deadline.
    """
    right, refusal = asked.length + 3, 5
    for at in range(len(data) - 4):
        if data[at] != asked.unit:
            continue
        size = refusal if data[at + 1] == asked.function | EXCEPTION else right
        frame = data[at : at + size]
        if len(frame) == size and not _mismatch(frame[0], frame[1:-2], asked) and crc(frame) == 0:
            return Judged(Verdict.ANSWER, frame[1:-2])
    size = _declared_size(data)
    return Judged(Verdict.WAIT, foreign=int(0 < size <= len(data) and crc(data[:size]) == 0))


def _mismatch(unit: int, pdu: bytes, asked: Asked) -> str:
    """Why this is not a right answer (or a refusal) to what was asked; empty when it is."""
    if unit != asked.unit:
        return f"answer from unit {unit}, not {asked.unit}"
    if pdu[0] == asked.function | EXCEPTION:
        return "" if len(pdu) == 2 else f"exception answer of {len(pdu)} bytes"
    if pdu[0] != asked.function:
        return f"answer to function {pdu[0]}, not {asked.function}"
    if len(pdu) != asked.length:
        return f"answer of {len(pdu)} bytes, not {asked.length}"
    if not pdu.startswith(asked.echo, 1):
        return f"answer begins {pdu[1:5].hex()}, not {asked.echo.hex()}"
    return ""


def _declared_size(data: bytes) -> int:
    """Length an RTU frame claims for itself; 0 when it cannot be known (yet)."""
    if len(data) < 3:
        return 0
    if data[1] & EXCEPTION:
        return 5
    return data[2] + 5 if 1 <= data[1] <= 4 else _FIXED.get(data[1], 0)


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_CRC = _crc_table()


def crc(data: bytes) -> int:
    """CRC-16/MODBUS; 0 over a frame that ends with its own CRC, low byte first."""
    value = 0xFFFF
    for byte in data:
        value = value >> 8 ^ _CRC[(value ^ byte) & 0xFF]
    return value
