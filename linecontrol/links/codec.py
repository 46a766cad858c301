"""Raw numbers to engineering values and back, and how they lie in Modbus registers. Pure: no clock, no I/O, no wire.

What becomes of a raw number (``judge``):

* NaN or infinite: no value, BAD_SENSOR_FAILURE.
* inside the engineering range, or outside it by no more than 5 % of the span: GOOD. Real sensors read a little past
  their ends (an empty scale shows -0.2 kg; NAMUR NE 43 grants a 4-20 mA loop -1.25 % and +3.1 %).
* outside by more than 5 % and up to 20 % of the span: the value, UNCERTAIN_ENGINEERING_UNITS_EXCEEDED.
* beyond: no value, BAD_OUT_OF_RANGE. Swapped words, a broken wire's -32768 or a wrong address end here.

A tag without a finite range has no such limits. Four orders of 32-bit values, A being the most significant byte:
ABCD = high_first/big, CDAB = low_first/big, BADC = high_first/little, DCBA = low_first/little. ``little`` swaps the
bytes of every register, single ones too.
"""

from __future__ import annotations

import math
import struct
import sys
from array import array
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple, TypeAlias

from linecontrol.core.link import Reading
from linecontrol.core.model import DataType, Status, Tag, Value

WordOrder = Literal["high_first", "low_first"]
ByteOrder = Literal["big", "little"]
Convert: TypeAlias = Callable[[Any, float | None], Reading]

GOOD_MARGIN = 0.05  # of the span: how far past its range a reading still counts as GOOD
BAD_MARGIN = 0.20  # of the span: from here on a reading is no measurement any more

_CODES = {
    DataType.BOOL: "H",
    DataType.INT16: "h",
    DataType.UINT16: "H",
    DataType.INT32: "i",
    DataType.UINT32: "I",
    DataType.FLOAT32: "f",
    DataType.FLOAT64: "d",
}
_LARGEST = sys.float_info.max
_ON = Reading(True, Status.GOOD)
_OFF = Reading(False, Status.GOOD)
_new = tuple.__new__  # builds a Reading in half the time; 500 of them are made in every scan


class Order(NamedTuple):
    """How multi-register values lie on the wire of one device."""

    word: WordOrder = "high_first"
    byte: ByteOrder = "big"

    @property
    def prefix(self) -> str:
        """Byte order for ``struct``, valid once ``swaps_words`` is undone."""
        return ">" if self.byte == "big" else "<"

    @property
    def swaps_words(self) -> bool:
        """Whether the registers of a value must be reversed to make it one plain big or little endian number."""
        return (self.word == "high_first") != (self.byte == "big")


class Slot(NamedTuple):
    """Where a tag's value lies in a block of registers: ``offset`` in words from the block's start."""

    tag: Tag
    offset: int


def decimals(tag: Tag) -> float | None:
    """1/scale when that is a whole number: 3 / 10 is 0.3, but 3 * 0.1 is 0.30000000000000004."""
    return _divisor(tag.scale)


@cache
def _divisor(scale: float) -> float | None:
    if not 0.0 < abs(scale) < 1.0:
        return None
    inverse = 1.0 / scale
    return float(round(inverse)) if math.isclose(inverse, round(inverse), rel_tol=1e-12) else None


def engineering(tag: Tag, raw: float) -> float:
    """Raw number to engineering value [tag unit]."""
    divisor = decimals(tag)
    return (raw / divisor if divisor else raw * tag.scale) + tag.offset


def judge(tag: Tag, value: float, source_time: float | None = None) -> Reading:
    """Status of an engineering value by the rule at the head of this module."""
    if not math.isfinite(value):
        return Reading(None, Status.BAD_SENSOR_FAILURE, source_time)
    span = tag.high - tag.low
    beyond = max(tag.low - value, value - tag.high, 0.0)
    if not math.isfinite(span):
        return Reading(value, Status.UNCERTAIN_ENGINEERING_UNITS_EXCEEDED if beyond else Status.GOOD, source_time)
    if beyond <= GOOD_MARGIN * span:
        return Reading(value, Status.GOOD, source_time)
    if beyond <= BAD_MARGIN * span:
        return Reading(value, Status.UNCERTAIN_ENGINEERING_UNITS_EXCEEDED, source_time)
    return Reading(None, Status.BAD_OUT_OF_RANGE, source_time)


def good_limits(tag: Tag) -> tuple[float, float]:
    """Between these, both included, ``judge`` says GOOD; finite, so that infinity fails the comparison as NaN does."""
    span = tag.high - tag.low
    margin = GOOD_MARGIN * span if math.isfinite(span) else 0.0
    return max(tag.low - margin, -_LARGEST), min(tag.high + margin, _LARGEST)


def converter(tag: Tag) -> Convert:
    """A function ``(raw, source_time) -> Reading`` for this tag, with all that can be worked out before worked out.

    A bool with a ``bit`` takes that bit of an integer; without one, raw must be 0 or 1, else BAD_OUT_OF_RANGE. A text
    is passed on. That raw is of the right kind is for the caller to see to.
    """
    if tag.type is DataType.STRING:
        return _text
    if tag.type is DataType.BOOL:
        return _bit(tag.bit) if tag.bit is not None else _switch
    low, high = good_limits(tag)
    scale, offset, good, new = tag.scale, tag.offset, Status.GOOD, _new

    if scale == 1.0 and offset == 0.0:

        def plain(raw: float, source_time: float | None) -> Reading:
            if low <= raw <= high:
                return new(Reading, (raw, good, source_time))
            return judge(tag, raw, source_time)

        return plain

    divisor = decimals(tag)
    if divisor is None:

        def scaled(raw: float, source_time: float | None) -> Reading:
            value = raw * scale + offset
            if low <= value <= high:
                return new(Reading, (value, good, source_time))
            return judge(tag, value, source_time)

        return scaled

    def divided(raw: float, source_time: float | None) -> Reading:
        value = raw / divisor + offset
        if low <= value <= high:
            return new(Reading, (value, good, source_time))
        return judge(tag, value, source_time)

    return divided


def _bit(bit: int) -> Convert:
    mask = 1 << bit

    def pick(raw: float, source_time: float | None) -> Reading:
        on = bool(int(raw) & mask)
        if source_time is None:
            return _ON if on else _OFF
        return Reading(on, Status.GOOD, source_time)

    return pick


def _switch(raw: float, source_time: float | None) -> Reading:
    if raw not in (0, 1):
        return Reading(None, Status.BAD_OUT_OF_RANGE, source_time)
    if source_time is None:
        return _ON if raw else _OFF
    return Reading(bool(raw), Status.GOOD, source_time)


def _text(raw: str, source_time: float | None) -> Reading:
    return Reading(raw, Status.GOOD, source_time)


def encode(tag: Tag, value: Value) -> Value:
    """Engineering value to the raw one to write: a bool, a whole number, a float for float types, or a text.

    Raises:
        ValueError: wrong type, not finite, or more than the tag's data type can hold; names tag, value and what is
            accepted. The engineering range ``low..high`` is the gate's business, not checked here.
    """
    kind = tag.type
    if kind is DataType.BOOL:
        if isinstance(value, bool) or (isinstance(value, (int, float)) and value in (0, 1)):
            return bool(value)
        raise ValueError(f"{tag.name}: {value!r} cannot be written (accepted: true or false)")
    if kind is DataType.STRING:
        if isinstance(value, str):
            return value
        raise ValueError(f"{tag.name}: {value!r} cannot be written (accepted: a text)")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{tag.name}: {value!r} cannot be written (accepted: {_accepted(tag)})")
    divisor = decimals(tag)
    exact = (value - tag.offset) * divisor if divisor else (value - tag.offset) / tag.scale
    low, high = kind.limits
    raw: float = exact if kind.is_float else round(exact)
    if not low <= raw <= high or not math.isfinite(raw):
        raise ValueError(f"{tag.name}: {value!r} cannot be written (accepted: {_accepted(tag)})")
    return raw


def _accepted(tag: Tag) -> str:
    ends = sorted(engineering(tag, limit) for limit in tag.type.limits)
    if not all(map(math.isfinite, ends)):
        return "any finite number"
    unit = f" {tag.unit}" if tag.unit else ""
    return f"a number from {ends[0]:.10g} to {ends[1]:.10g}{unit}, as {tag.type.value} holds it"


def to_words(tag: Tag, value: Value, order: Order) -> list[int]:
    """Engineering value to register contents, in the order they are sent. Raises ValueError as ``encode`` does."""
    raw = encode(tag, value)
    packed = struct.pack(order.prefix + _CODES[tag.type], raw)
    words = list(struct.unpack(f">{len(packed) // 2}H", packed))
    return words[::-1] if order.swaps_words else words


def from_words(tag: Tag, words: Sequence[int], order: Order) -> Reading:
    """Register contents to a Reading; for single values and tests (blocks use ``RegisterDecoder``)."""
    out: dict[str, Reading] = {}
    RegisterDecoder([Slot(tag, 0)], len(words), order).decode(struct.pack(f">{len(words)}H", *words), out)
    return out[tag.name]


class _Layer(NamedTuple):
    unpack: Callable[[bytes | array[int]], tuple[float, ...]]
    rows: list[tuple[str, Convert]]  # one for each number unpacked
    shared: list[tuple[int, str, Convert]]  # further tags of the same number: its index, tag, converter


class RegisterDecoder:
    """Decodes one block of registers, as a rule with one ``struct`` call.

    Reversing all words of the block turns either mixed order (CDAB, BADC) into a plain one, with the values in
    reverse. Values that overlap without being the same are taken in further layers.

    Args:
        slots: what lies where; several tags may share a register (bits).
        count: registers in the block.
    """

    def __init__(self, slots: Sequence[Slot], count: int, order: Order) -> None:
        self.size = 2 * count
        self._reverse = order.swaps_words
        cells: dict[tuple[int, str], list[Tag]] = {}
        for tag, offset in slots:
            start = count - offset - tag.type.words if self._reverse else offset
            if not 0 <= start <= count - tag.type.words:
                raise ValueError(f"{tag.name} does not lie in the block")
            cells.setdefault((start, _CODES[tag.type]), []).append(tag)
        self._layers = [_layer(cells, keys, count, order) for keys in _layers(cells)]

    def decode(self, payload: bytes, out: dict[str, Reading]) -> None:
        """Put a Reading for every tag of the block into ``out``. ``payload``: exactly ``size`` bytes as received."""
        data: bytes | array[int] = payload
        if self._reverse:
            data = array("H", payload)
            data.reverse()
        for unpack, rows, shared in self._layers:
            numbers = unpack(data)
            for (name, convert), raw in zip(rows, numbers, strict=True):
                out[name] = convert(raw, None)
            for index, name, convert in shared:
                out[name] = convert(numbers[index], None)


def _layers(cells: dict[tuple[int, str], list[Tag]]) -> list[list[tuple[int, str]]]:
    """Share the cells out so that within a layer none overlap, each layer in rising order."""
    layers: list[list[tuple[int, str]]] = []
    for start, code in sorted(cells):
        for layer in layers:
            last, last_code = layer[-1]
            if last + _words(last_code) <= start:
                layer.append((start, code))
                break
        else:
            layers.append([(start, code)])
    return layers


def _layer(
    cells: dict[tuple[int, str], list[Tag]], keys: Sequence[tuple[int, str]], count: int, order: Order
) -> _Layer:
    parts, at = [order.prefix], 0
    for start, code in keys:
        parts.append("x" * (2 * (start - at)) + code)
        at = start + _words(code)
    parts.append("x" * (2 * (count - at)))
    rows = [(cells[key][0].name, converter(cells[key][0])) for key in keys]
    shared = [(i, tag.name, converter(tag)) for i, key in enumerate(keys) for tag in cells[key][1:]]
    return _Layer(struct.Struct("".join(parts)).unpack, rows, shared)


def _words(code: str) -> int:
    return struct.calcsize(">" + code) // 2


class BitDecoder:
    """Decodes one block of coils or discrete inputs, packed eight to a byte, the first in the lowest bit."""

    def __init__(self, slots: Sequence[Slot], count: int) -> None:
        self.size = (count + 7) // 8
        self._rows = [(tag.name, offset) for tag, offset in slots]

    def decode(self, payload: bytes, out: dict[str, Reading]) -> None:
        """Put a Reading for every tag of the block into ``out``. ``payload``: exactly ``size`` bytes as received."""
        bits = int.from_bytes(payload, "little")
        for name, offset in self._rows:
            out[name] = _ON if bits >> offset & 1 else _OFF
