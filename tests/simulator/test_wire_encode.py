"""The simulator's encoder: golden vectors in all four orders, and what must hold for every value."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.encode import WORDS, Scaling, WireOrder, decode, encode

ABCD, CDAB = WireOrder(), WireOrder(low_first=True)
BADC, DCBA = WireOrder(swapped=True), WireOrder(low_first=True, swapped=True)
ORDERS = [ABCD, CDAB, BADC, DCBA]


@pytest.mark.parametrize(
    ("kind", "value", "abcd", "cdab", "badc", "dcba"),
    [
        ("float32", 1234.5, [0x449A, 0x5000], [0x5000, 0x449A], [0x9A44, 0x0050], [0x0050, 0x9A44]),
        ("uint32", 0x01020304, [0x0102, 0x0304], [0x0304, 0x0102], [0x0201, 0x0403], [0x0403, 0x0201]),
        ("int32", -2, [0xFFFF, 0xFFFE], [0xFFFE, 0xFFFF], [0xFFFF, 0xFEFF], [0xFEFF, 0xFFFF]),
        ("float64", 1234.5, [16531, 18944, 0, 0], [0, 0, 18944, 16531], [0x9340, 0x4A, 0, 0], [0, 0, 0x4A, 0x9340]),
        ("uint16", 0x0102, [0x0102], [0x0102], [0x0201], [0x0201]),
        ("int16", -2, [0xFFFE], [0xFFFE], [0xFEFF], [0xFEFF]),
        ("bool", 1, [0x0001], [0x0001], [0x0100], [0x0100]),
    ],
)
def test_golden_vectors(
    kind: str, value: float, abcd: list[int], cdab: list[int], badc: list[int], dcba: list[int]
) -> None:
    for order, words in zip(ORDERS, (abcd, cdab, badc, dcba), strict=True):
        assert encode(kind, value, order) == words, order
        assert decode(kind, words, order) == value, order


def test_scale_and_offset_are_engineering_from_raw() -> None:
    scaling = Scaling(scale=0.01, offset=-40.0)
    assert encode("int16", -17.66, ABCD, scaling) == [2234]
    assert decode("int16", [2234], ABCD, scaling) == pytest.approx(-17.66)


@pytest.mark.parametrize(
    ("kind", "code"),
    [("int16", [0x8000]), ("uint16", [0xFFFF]), ("int32", [0x8000, 0]), ("uint32", [0xFFFF, 0xFFFF])],
)
def test_a_missing_measurement_is_the_bad_code_in_an_integer(kind: str, code: list[int]) -> None:
    assert encode(kind, math.nan, ABCD, Scaling(0.01)) == code


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("order", ORDERS)
def test_a_missing_measurement_is_nan_in_a_float(kind: str, order: WireOrder) -> None:
    assert math.isnan(decode(kind, encode(kind, math.nan, order), order))


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [("int16", -32768, 32767), ("uint16", 0, 65535), ("int32", -(2**31), 2**31 - 1), ("uint32", 0, 2**32 - 1)],
)
def test_what_the_register_cannot_hold_saturates(kind: str, low: int, high: int) -> None:
    for above in (high + 1, 1e300, math.inf):
        assert decode(kind, encode(kind, above, ABCD), ABCD) == high
    for below in (low - 1, -1e300, -math.inf):
        assert decode(kind, encode(kind, below, ABCD), ABCD) == low


def test_float32_saturates_at_its_largest_number() -> None:
    largest = struct.unpack(">f", bytes.fromhex("7f7fffff"))[0]
    assert decode("float32", encode("float32", 1e300, CDAB), CDAB) == largest
    assert decode("float32", encode("float32", -math.inf, CDAB), CDAB) == -largest


def test_unknown_types_and_wrong_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="int24"):
        encode("int24", 1.0, ABCD)
    with pytest.raises(ValueError, match="1 registers for a float32"):
        decode("float32", [1], ABCD)


@given(
    kind=st.sampled_from([kind for kind in WORDS if kind not in ("bool", "float32", "float64")]),
    order=st.sampled_from(ORDERS),
    scale=st.sampled_from([1.0, 0.1, 0.01, 0.001, 2.5, -0.5]),
    offset=st.floats(-1000, 1000),
    value=st.floats(-1e12, 1e12),
)
def test_an_integer_is_off_by_half_a_step_or_saturated(
    kind: str, order: WireOrder, scale: float, offset: float, value: float
) -> None:
    scaling = Scaling(scale, offset)
    words = encode(kind, value, order, scaling)
    assert all(0 <= word <= 0xFFFF for word in words)
    back = decode(kind, words, order, scaling)
    ends = [decode(kind, encode(kind, end * scale, order, scaling), order, scaling) for end in (1e30, -1e30)]
    slack = abs(scale) * 0.5 * (1 + 1e-6) + abs(value) * 1e-12 + 1e-9
    if min(ends) <= value <= max(ends):
        assert abs(back - value) <= slack
    else:
        assert back in ends


@given(value=st.floats(allow_nan=False, width=32), order=st.sampled_from(ORDERS))
def test_a_float32_comes_back_exactly(value: float, order: WireOrder) -> None:
    expected = max(min(value, 3.4028234663852886e38), -3.4028234663852886e38)
    assert decode("float32", encode("float32", value, order), order) == expected
