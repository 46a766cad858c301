"""Engineering values to 16-bit registers and back, in every word and byte order. Pure.

engineering = raw * scale + offset. A value the register cannot hold saturates at its nearest end, as an analogue input
card does. A measurement that does not exist (NaN) is NaN in a float register and this bad code in an integer one:
int16 -32768, int32 -2147483648, uint16 65535, uint32 4294967295. All four lie outside every range of the shipped
profiles, so that a reader that checks ranges cannot take them for a value.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

_INTEGERS = {
    "int16": (">h", -(2**15), 2**15 - 1, -(2**15)),
    "uint16": (">H", 0, 2**16 - 1, 2**16 - 1),
    "int32": (">i", -(2**31), 2**31 - 1, -(2**31)),
    "uint32": (">I", 0, 2**32 - 1, 2**32 - 1),
}
_FLOATS = {"float32": (">f", 3.4028234663852886e38), "float64": (">d", 1.7976931348623157e308)}
WORDS = {"bool": 1, "int16": 1, "uint16": 1, "int32": 2, "uint32": 2, "float32": 2, "float64": 4}


@dataclass(frozen=True, slots=True)
class WireOrder:
    """How a value lies in its registers.

    Attributes:
        low_first: the least significant register comes first (CDAB, DCBA).
        swapped: the two bytes of every register are swapped (BADC, DCBA).
    """

    low_first: bool = False
    swapped: bool = False


@dataclass(frozen=True, slots=True)
class Scaling:
    """engineering = raw * scale + offset."""

    scale: float = 1.0
    offset: float = 0.0

    @property
    def is_plain(self) -> bool:
        return self.scale == 1.0 and self.offset == 0.0

    def raw(self, value: float) -> float:
        return value if self.is_plain else (value - self.offset) / self.scale

    def engineering(self, raw: float) -> float:
        return raw if self.is_plain else raw * self.scale + self.offset


PLAIN = Scaling()


def encode(kind: str, value: float, order: WireOrder, scaling: Scaling = PLAIN) -> list[int]:
    """Registers that carry ``value`` [engineering unit], most significant first unless ``order`` says otherwise.

    Args:
        kind: bool, int16, uint16, int32, uint32, float32 or float64.
    Raises:
        ValueError: unknown kind.
    """
    return arrange(_pack(kind, scaling.raw(value)), order)


def decode(kind: str, words: Sequence[int], order: WireOrder, scaling: Scaling = PLAIN) -> float:
    """Engineering value of these registers; NaN when a float register holds none.

    Raises:
        ValueError: unknown kind, or the wrong number of registers for it.
    """
    if kind not in WORDS or len(words) != WORDS[kind]:
        raise ValueError(f"{len(words)} registers for a {kind} are not accepted (accepted: {WORDS.get(kind)})")
    packed = b"".join(word.to_bytes(2, "big") for word in arrange(list(words), order))
    if kind == "bool":
        return float(int.from_bytes(packed, "big"))
    form = _INTEGERS[kind][0] if kind in _INTEGERS else _FLOATS[kind][0]
    return scaling.engineering(float(struct.unpack(form, packed)[0]))


def arrange(words: list[int], order: WireOrder) -> list[int]:
    """Registers in the device's order; its own inverse."""
    if order.low_first:
        words = [*reversed(words)]
    if order.swapped:
        words = [(word & 0xFF) << 8 | word >> 8 for word in words]
    return words


def saturate(kind: str, raw: float) -> int | float:
    """The nearest raw value the type can hold; NaN is NaN in a float and the bad code in an integer.

    Raises:
        ValueError: unknown kind.
    """
    if kind == "bool":
        return int(raw > 0.5)
    if kind in _INTEGERS:
        _, low, high, bad = _INTEGERS[kind]
        return bad if math.isnan(raw) else low if raw <= low else high if raw >= high else round(raw)
    if kind in _FLOATS:
        largest = _FLOATS[kind][1]
        return raw if math.isnan(raw) else min(max(float(raw), -largest), largest)
    raise ValueError(f"type {kind!r} is not accepted (accepted: {', '.join(WORDS)})")


def _pack(kind: str, raw: float) -> list[int]:
    number = saturate(kind, raw)
    if kind == "bool":
        return [int(number)]
    packed = struct.pack(_INTEGERS[kind][0] if kind in _INTEGERS else _FLOATS[kind][0], number)
    return list(struct.unpack(f">{len(packed) // 2}H", packed))
