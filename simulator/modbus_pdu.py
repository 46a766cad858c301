"""Modbus requests and their answers, as the MODBUS Application Protocol Specification V1.1b3 has them. Pure.

Clause numbers are those of that specification. Every request is examined in the order of its state diagrams: is the
function known (exception 1), are quantities, byte counts and the length of the request right (3), do the addresses
exist (2), does the device do it (what the device says). Nothing is written before all of that holds.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import partial
from typing import Any, Protocol

MAX_PDU_BYTES = 253  # 4.1
_MAX_BITS_READ, _MAX_BITS_WRITTEN = 0x7D0, 0x7B0  # 6.1, 6.2, 6.11
_MAX_WORDS_READ, _MAX_WORDS_WRITTEN, _MAX_WORDS_WRITTEN_BY_23 = 0x7D, 0x7B, 0x79  # 6.3, 6.4, 6.12, 6.17
_OFF, _ON = 0x0000, 0xFF00  # 6.5


class ExceptionCode(IntEnum):
    """Clause 7; 7 is of earlier editions and still seen."""

    ILLEGAL_FUNCTION = 1
    ILLEGAL_ADDRESS = 2
    ILLEGAL_VALUE = 3
    DEVICE_FAILURE = 4
    ACKNOWLEDGE = 5
    DEVICE_BUSY = 6
    NEGATIVE_ACKNOWLEDGE = 7
    MEMORY_PARITY_ERROR = 8
    GATEWAY_PATH_UNAVAILABLE = 10
    GATEWAY_NO_RESPONSE = 11


class Refusal(Exception):
    """A request is answered with this exception code."""

    def __init__(self, code: ExceptionCode) -> None:
        super().__init__(code.name)
        self.code = code


class Memory(Protocol):
    """The four tables of a device. ``table`` is coil, discrete, holding or input; a bit is 0 or 1, a register 0..65535.

    Both refuse a quantity above the device's own limit before they look at addresses, and raise Refusal.
    """

    def read(self, table: str, address: int, count: int) -> list[int]: ...

    def write(self, table: str, address: int, values: Sequence[int]) -> None:
        """All or nothing."""
        ...


def answer(request: bytes, memory: Memory) -> bytes:
    """The answer to one request, exception or not; ``request`` begins with the function code and is not empty."""
    function = request[0]
    serve = _FUNCTIONS.get(function)
    if serve is None:
        return refuse(request, ExceptionCode.ILLEGAL_FUNCTION)
    try:
        return bytes([function]) + serve(request[1:], memory)
    except Refusal as refusal:
        return refuse(request, refusal.code)


def refuse(request: bytes, code: ExceptionCode) -> bytes:
    """The answer that refuses this request (clause 7)."""
    return bytes([request[0] | 0x80, code])


def _fields(form: str, body: bytes) -> tuple[Any, ...]:
    """A request shorter or longer than its function asks for is an illegal value: "the implied length is incorrect"."""
    _demand(len(body) == struct.calcsize(form))
    return struct.unpack(form, body)


def _demand(holds: bool) -> None:
    if not holds:
        raise Refusal(ExceptionCode.ILLEGAL_VALUE)


def _words(values: Sequence[int]) -> bytes:
    return struct.pack(f">{len(values)}H", *values)


def _read_bits(table: str, body: bytes, memory: Memory) -> bytes:
    """6.1, 6.2"""
    address, count = _fields(">HH", body)
    _demand(1 <= count <= _MAX_BITS_READ)
    bits = memory.read(table, address, count)
    packed = sum(bit << k for k, bit in enumerate(bits)).to_bytes((count + 7) // 8, "little")
    return bytes([len(packed)]) + packed


def _read_words(table: str, body: bytes, memory: Memory) -> bytes:
    """6.3, 6.4"""
    address, count = _fields(">HH", body)
    _demand(1 <= count <= _MAX_WORDS_READ)
    return bytes([count * 2]) + _words(memory.read(table, address, count))


def _write_bit(body: bytes, memory: Memory) -> bytes:
    """6.5"""
    address, value = _fields(">HH", body)
    _demand(value in (_OFF, _ON))
    memory.write("coil", address, [int(value == _ON)])
    return body


def _write_word(body: bytes, memory: Memory) -> bytes:
    """6.6"""
    address, value = _fields(">HH", body)
    memory.write("holding", address, [value])
    return body


def _write_bits(body: bytes, memory: Memory) -> bytes:
    """6.11"""
    address, count, size = _fields(">HHB", body[:5])
    _demand(1 <= count <= _MAX_BITS_WRITTEN and size == (count + 7) // 8 == len(body) - 5)
    packed = int.from_bytes(body[5:], "little")
    memory.write("coil", address, [packed >> k & 1 for k in range(count)])
    return body[:4]


def _write_words(body: bytes, memory: Memory) -> bytes:
    """6.12"""
    address, count, size = _fields(">HHB", body[:5])
    _demand(1 <= count <= _MAX_WORDS_WRITTEN and size == count * 2 == len(body) - 5)
    memory.write("holding", address, struct.unpack(f">{count}H", body[5:]))
    return body[:4]


def _mask_word(body: bytes, memory: Memory) -> bytes:
    """6.16"""
    address, keep, put = _fields(">HHH", body)
    (value,) = memory.read("holding", address, 1)
    memory.write("holding", address, [(value & keep) | (put & ~keep & 0xFFFF)])
    return body


def _exchange_words(body: bytes, memory: Memory) -> bytes:
    """6.17: writes, then reads; the read's addresses are looked at before the write."""
    address, count, target, written, size = _fields(">HHHHB", body[:9])
    _demand(1 <= count <= _MAX_WORDS_READ and 1 <= written <= _MAX_WORDS_WRITTEN_BY_23)
    _demand(size == written * 2 == len(body) - 9)
    memory.read("holding", address, count)
    memory.write("holding", target, struct.unpack(f">{written}H", body[9:]))
    return bytes([count * 2]) + _words(memory.read("holding", address, count))


_FUNCTIONS: dict[int, Callable[[bytes, Memory], bytes]] = {
    1: partial(_read_bits, "coil"),
    2: partial(_read_bits, "discrete"),
    3: partial(_read_words, "holding"),
    4: partial(_read_words, "input"),
    5: _write_bit,
    6: _write_word,
    15: _write_bits,
    16: _write_words,
    22: _mask_word,
    23: _exchange_words,
}
