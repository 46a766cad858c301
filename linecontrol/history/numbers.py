"""Columns of numbers as few bytes, without loss. Pure: no I/O, no clock.

Most measured values are whole multiples of a step (0.01 °C, 0.05 kg, 1 count): such a column is written as its whole
numbers. The check is bit for bit, so a column that is not of that kind is simply written as floats. The entropy coder
behind both is pcodec; a delta of first order is tried as well, and the shorter answer kept.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt
from pcodec import ChunkConfig, DeltaSpec, ModeSpec  # type: ignore[import-untyped]
from pcodec.standalone import simple_compress, simple_decompress  # type: ignore[import-untyped]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Steps = npt.NDArray[np.int16 | np.int32 | np.uint32]

_CONSTANT, _FLOAT, _STEPS, _TENTHS, _WIDE, _NARROW, _RAMP, _MASK = range(8)
_MASK_MAY_COST = 1.1  # a mask is read three times as fast as gaps, so it may be a little longer
_LOOK = 64  # values looked at before the whole column is
_MOST_STEPS = 2**31 - 1
_MOST_UNSIGNED = 2**32 - 1
_STEPS_OF = tuple(m * 10.0**-d for d in range(6) for m in (1.0, 5.0, 2.0))
_TENS = tuple(10.0**d for d in range(1, 7))
_EACH_STEP, _EACH_TEN = np.array(_STEPS_OF)[:, None], np.array(_TENS)[:, None]
_DELTAS = (DeltaSpec.no_op(), DeltaSpec.try_consecutive(1))
_FEW = 256  # below this both ways are tried at no price
_SOME = 4  # of a longer column, what every fourth number differs by from the next tells enough
_CLEARLY = 1.5
_PLAIN = ModeSpec.classic()
_WHOLE = tuple(ChunkConfig(compression_level=6, delta_spec=delta, mode_spec=_PLAIN) for delta in _DELTAS)
_REAL = tuple(ChunkConfig(compression_level=8, delta_spec=delta) for delta in _DELTAS)
_RISING = (ChunkConfig(compression_level=8, delta_spec=_DELTAS[1], mode_spec=_PLAIN),)


def pack_floats(values: Floats) -> bytes:
    """A column of floats, not empty; every bit of each comes back."""
    first = values[0]
    if (values.view(np.uint64) == first.view(np.uint64)).all():
        return struct.pack("<BId", _CONSTANT, len(values), first)
    whole = _as_steps(values)
    if whole is None:
        return bytes((_FLOAT,)) + _shortest(values, _REAL)
    how, at, steps = whole
    return bytes((how, at)) + _shortest(steps, _worth_trying(steps))


def unpack_floats(packed: bytes, start: int = 0, end: int | None = None) -> Floats:
    """The inverse of ``pack_floats``, of the rows [start, end)."""
    how = packed[0]
    if how == _CONSTANT:
        _, count, value = struct.unpack("<BId", packed)
        return np.full(max(0, (count if end is None else min(end, count)) - start), value)
    if how == _FLOAT:
        return _decompress(packed[1:])[start:end]
    steps = _decompress(packed[2:])[start:end]
    if how == _STEPS:
        return np.asarray(steps * _STEPS_OF[packed[1]])
    return np.asarray(steps / _TENS[packed[1]])


def unpack_floats_into(packed: bytes, room: Floats, start: int = 0, end: int | None = None) -> None:
    """``unpack_floats`` into an array of that length."""
    how = packed[0]
    if how == _CONSTANT:
        room[:] = struct.unpack_from("<d", packed, 5)[0]
    elif how == _FLOAT:
        room[:] = _decompress(packed[1:])[start:end]
    elif how == _STEPS:
        np.multiply(_decompress(packed[2:])[start:end], _STEPS_OF[packed[1]], out=room)
    else:
        np.divide(_decompress(packed[2:])[start:end], _TENS[packed[1]], out=room)


def pack_ints(numbers: Ints) -> bytes:
    """A column of whole numbers of 64 bits, not empty."""
    gaps = np.diff(numbers)
    if not len(gaps) or (gaps == gaps[0]).all():
        return struct.pack("<BIqq", _RAMP, len(numbers), int(numbers[0]), int(gaps[0]) if len(gaps) else 0)
    least, last = int(gaps.min()), int(numbers[-1])
    if numbers[0] >= 0 and least >= 0 and last < 2**32:
        rising = _shortest(numbers.astype(np.uint16 if last < 2**16 else np.uint32), _RISING)
        if least > 0 and last < len(rising) * 8 * _MASK_MAY_COST:
            mask = np.zeros(last + 1, np.bool_)
            mask[numbers] = True
            return bytes((_MASK,)) + np.packbits(mask).tobytes()
        return bytes((_WIDE,)) + rising
    return bytes((_WIDE,)) + _shortest(numbers, (ChunkConfig(compression_level=8),))


def unpack_ints(packed: bytes) -> Ints:
    """The inverse of ``pack_ints``."""
    if packed[0] == _RAMP:
        _, count, first, gap = struct.unpack("<BIqq", packed)
        if 0 < gap < 2**31 and abs(first) < 2**62:
            return np.arange(first, first + gap * count, gap, dtype=np.int64)
        return np.asarray(first + gap * np.arange(count, dtype=np.int64))
    if packed[0] == _MASK:
        return np.unpackbits(np.frombuffer(packed, np.uint8, offset=1)).view(np.bool_).nonzero()[0]
    numbers = _decompress(packed[1:])
    wide = numbers.astype(np.int64, copy=False)
    return wide.cumsum() if packed[0] == _NARROW else wide  # gaps are not written any more: adding them up is slow


def unpack_even(packed: bytes) -> range | None:
    """The same numbers as a range where they are evenly spaced and rising; None where they are not."""
    if packed[0] != _RAMP:
        return None
    _, count, first, gap = struct.unpack("<BIqq", packed)
    return range(first, first + gap * count, gap) if gap > 0 else None


def unpack_rows(packed: bytes) -> Ints | slice:
    """``unpack_ints`` of rising numbers >= 0, to pick rows by: as a slice where they are evenly spaced."""
    if packed[0] == _RAMP:
        _, count, first, gap = struct.unpack("<BIqq", packed)
        if gap > 0:
            return slice(first, first + gap * (count - 1) + 1, gap)
    return unpack_ints(packed)


def _as_steps(values: Floats) -> tuple[int, int, Steps] | None:
    """The column as whole multiples of a step, or whole numbers over a power of ten: what gives back each bit."""
    look = values[:_LOOK]
    with np.errstate(all="ignore"):  # what is no number is found out by the comparison
        fits = ((np.rint(look / _EACH_STEP) * _EACH_STEP == look).all(1)).nonzero()[0].tolist()
        for at in fits:
            if (found := _multiples(values, _STEPS, _STEPS_OF[at])) is not None:
                return _STEPS, at, found
        fits = ((np.rint(look * _EACH_TEN) / _EACH_TEN == look).all(1)).nonzero()[0].tolist()
        for at in fits:
            if (found := _multiples(values, _TENTHS, _TENS[at])) is not None:
                return _TENTHS, at, found
    return None


def _multiples(values: Floats, how: int, step: float) -> Steps | None:
    steps = np.rint(values / step if how == _STEPS else values * step)
    again = steps * step if how == _STEPS else steps / step
    if not (again == values).all():
        return None
    largest = np.abs(steps).max()
    if np.signbit(values[values == 0.0]).any():
        return None  # a whole number has no negative zero
    if largest <= _MOST_STEPS:
        return steps.astype(np.int16 if largest < 2**15 else np.int32)
    # a counter or a check value of 32 bits: where it wraps around, so do the coder's differences
    return steps.astype(np.uint32) if largest <= _MOST_UNSIGNED and steps.min() >= 0.0 else None


def _worth_trying(steps: Steps) -> tuple[ChunkConfig, ...]:
    """Differences where they are much smaller than what the column moves by, the numbers themselves where those are."""
    if len(steps) < _FEW or steps.dtype == np.uint32:  # of those, differences may wrap around
        return _WHOLE
    some = steps[::_SOME].astype(np.float64)
    moves = float(np.abs(some - some.mean()).mean())
    differs = float(np.abs(steps[1::_SOME].astype(np.float64) - some[: len(steps[1::_SOME])]).mean())
    if differs * _CLEARLY < moves:
        return _WHOLE[1:]
    return _WHOLE[:1] if moves * _CLEARLY < differs else _WHOLE


def _shortest(column: npt.NDArray[Any], configs: tuple[ChunkConfig, ...]) -> bytes:
    column = np.ascontiguousarray(column)
    shortest: bytes = min((simple_compress(column, config) for config in configs), key=len)
    return shortest


def _decompress(packed: bytes) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] | None = simple_decompress(packed)
    if found is None:
        raise ValueError("a column of numbers is empty")
    return found
