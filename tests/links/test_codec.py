from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from link_bench import tag

from linecontrol.core.link import Reading
from linecontrol.core.model import DataType, Status, Tag
from linecontrol.links.codec import (
    BitDecoder,
    Order,
    RegisterDecoder,
    Slot,
    converter,
    encode,
    from_words,
    judge,
    to_words,
)

ABCD, CDAB = Order("high_first", "big"), Order("low_first", "big")
BADC, DCBA = Order("high_first", "little"), Order("low_first", "little")
ORDERS = (ABCD, CDAB, BADC, DCBA)

# Written out by hand from IEEE 754 and two's complement: 123456.0 is 47 F1 20 00, -2 is FF FF FF FE.
GOLDEN: tuple[tuple[str, float, Order, list[int]], ...] = (
    ("float32", 123456.0, ABCD, [0x47F1, 0x2000]),
    ("float32", 123456.0, CDAB, [0x2000, 0x47F1]),
    ("float32", 123456.0, BADC, [0xF147, 0x0020]),
    ("float32", 123456.0, DCBA, [0x0020, 0xF147]),
    ("int32", 0x01020304, ABCD, [0x0102, 0x0304]),
    ("int32", 0x01020304, CDAB, [0x0304, 0x0102]),
    ("int32", 0x01020304, BADC, [0x0201, 0x0403]),
    ("int32", 0x01020304, DCBA, [0x0403, 0x0201]),
    ("int32", -2, ABCD, [0xFFFF, 0xFFFE]),
    ("int32", -2, CDAB, [0xFFFE, 0xFFFF]),
    ("uint32", 0xFFFEFDFC, ABCD, [0xFFFE, 0xFDFC]),
    ("uint32", 0xFFFEFDFC, DCBA, [0xFCFD, 0xFEFF]),
    ("int16", -32768, ABCD, [0x8000]),
    ("int16", -32768, CDAB, [0x8000]),
    ("int16", -32768, BADC, [0x0080]),
    ("uint16", 0x1234, DCBA, [0x3412]),
    ("float64", 1.0, ABCD, [0x3FF0, 0, 0, 0]),
    ("float64", 1.0, CDAB, [0, 0, 0, 0x3FF0]),
    ("float64", 1.0, BADC, [0xF03F, 0, 0, 0]),
    ("float64", 1.0, DCBA, [0, 0, 0, 0xF03F]),
)


@pytest.mark.parametrize(("kind", "value", "order", "words"), GOLDEN)
def test_golden_vectors(kind: str, value: float, order: Order, words: list[int]) -> None:
    assert to_words(tag("t", kind), value, order) == words
    assert from_words(tag("t", kind), words, order) == Reading(value, Status.GOOD, None)


NUMBERS: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int16": st.integers(-(2**15), 2**15 - 1),
    "uint16": st.integers(0, 2**16 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "uint32": st.integers(0, 2**32 - 1),
    "float32": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "float64": st.floats(allow_nan=False, allow_infinity=False),
}
KIND_AND_NUMBER = st.sampled_from(sorted(NUMBERS)).flatmap(lambda k: st.tuples(st.just(k), NUMBERS[k]))


@given(KIND_AND_NUMBER, st.sampled_from(ORDERS))
def test_what_is_encoded_is_decoded(case: tuple[str, Any], order: Order) -> None:
    kind, value = case
    reading = from_words(tag("t", kind), to_words(tag("t", kind), value, order), order)
    assert reading == Reading(value, Status.GOOD, None)
    assert type(reading.value) is type(value)


@given(st.integers(-(2**15), 2**15 - 1), st.sampled_from([0.1, 0.01, 0.001, 0.25, 2.0, 1 / 3]), st.integers(-50, 50))
def test_scaled_values_come_back_to_the_same_register(raw: int, scale: float, offset: int) -> None:
    t = tag("t", "int16", scale=scale, offset=float(offset))
    value = from_words(t, [raw & 0xFFFF], ABCD).value
    assert value is not None
    assert encode(t, value) == raw
    assert value == pytest.approx(raw * scale + offset)


def test_tenths_are_tenths() -> None:
    assert from_words(tag("t", "int16", scale=0.1), [3], ABCD).value == 0.3
    assert 3 * 0.1 != 0.3  # which is why


@given(st.lists(KIND_AND_NUMBER, min_size=1, max_size=30), st.sampled_from(ORDERS), st.data())
def test_a_block_decodes_as_its_values_do_alone(
    cases: list[tuple[str, Any]], order: Order, data: st.DataObject
) -> None:
    slots, words, values = [], [], {}
    for i, (kind, value) in enumerate(cases):
        words += [0xDEAD] * data.draw(st.integers(0, 3))
        slots.append(Slot(tag(f"t{i}", kind), len(words)))
        values[f"t{i}"] = value
        words += to_words(tag("t", kind), value, order)
    words += [0xDEAD] * data.draw(st.integers(0, 3))
    out: dict[str, Reading] = {}
    RegisterDecoder(slots, len(words), order).decode(struct.pack(f">{len(words)}H", *words), out)
    assert {name: reading.value for name, reading in out.items()} == values


@pytest.mark.parametrize("order", ORDERS)
def test_tags_may_share_registers_and_overlap(order: Order) -> None:
    words = to_words(tag("t", "uint32"), 0x00050003, order)
    slots = [Slot(tag("both", "uint32"), 0), Slot(tag("first", "uint16"), 0), Slot(tag("second", "uint16"), 1)]
    slots += [Slot(tag(f"bit{i}", "bool", bit=i), 0) for i in range(4)]
    out: dict[str, Reading] = {}
    RegisterDecoder(slots, 2, order).decode(struct.pack(">2H", *words), out)
    first = 5 if order.word == "high_first" else 3
    assert out["both"].value == 0x00050003
    assert out["first"].value == from_words(tag("t", "uint16"), words[:1], order).value == first
    assert out["second"].value == 8 - first
    assert [out[f"bit{i}"].value for i in range(4)] == [bool(first >> i & 1) for i in range(4)]


def test_bits_lie_lowest_first() -> None:
    decoder = BitDecoder([Slot(tag(f"t{i}", "bool"), i) for i in range(10)], 10)
    out: dict[str, Reading] = {}
    decoder.decode(bytes((0b00000101, 0b10)), out)
    assert decoder.size == 2
    assert [name for name, reading in out.items() if reading.value] == ["t0", "t2", "t9"]


def test_a_slot_outside_its_block_is_refused() -> None:
    with pytest.raises(ValueError, match="does not lie in the block"):
        RegisterDecoder([Slot(tag("t", "float32"), 1)], 2, ABCD)


# -- what a reading is worth -------------------------------------------------------------------------------------------

RANGED = tag("t", "float64", low=0.0, high=100.0)


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (0.0, Status.GOOD),
        (100.0, Status.GOOD),
        (105.0, Status.GOOD),
        (-5.0, Status.GOOD),
        (105.01, Status.UNCERTAIN_ENGINEERING_UNITS_EXCEEDED),
        (-5.01, Status.UNCERTAIN_ENGINEERING_UNITS_EXCEEDED),
        (120.0, Status.UNCERTAIN_ENGINEERING_UNITS_EXCEEDED),
        (120.01, Status.BAD_OUT_OF_RANGE),
        (-1e30, Status.BAD_OUT_OF_RANGE),
        (math.nan, Status.BAD_SENSOR_FAILURE),
        (math.inf, Status.BAD_SENSOR_FAILURE),
        (-math.inf, Status.BAD_SENSOR_FAILURE),
    ],
)
def test_status_of_a_value(value: float, status: Status) -> None:
    for reading in (judge(RANGED, value, 7.0), converter(RANGED)(value, 7.0)):
        assert reading.status is status
        assert reading.value == (None if status >> 30 == 2 else value)
        assert reading.source_time == 7.0


@given(st.floats(), st.sampled_from([(0.0, 100.0), (-20.0, 230.0), (0.0, math.inf), (-math.inf, math.inf), (5.0, 5.0)]))
def test_the_fast_way_and_the_plain_way_agree(value: float, limits: tuple[float, float]) -> None:
    t = tag("t", "float64", low=limits[0], high=limits[1])
    assert converter(t)(value, None) == judge(t, value, None)


@pytest.mark.parametrize("unranged", [tag("t", "float32"), tag("t", "float64")])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_never_good(unranged: Tag, value: float) -> None:
    assert converter(unranged)(value, None) == Reading(None, Status.BAD_SENSOR_FAILURE, None)


def test_a_broken_wire_reading_is_bad() -> None:
    t = tag("t", "int16", scale=0.1, low=-20.0, high=230.0)
    assert from_words(t, [0x8000], ABCD) == Reading(None, Status.BAD_OUT_OF_RANGE, None)


@pytest.mark.parametrize("value", [160.3, 99.9])
def test_swapped_words_fall_out_of_the_range(value: float) -> None:
    t = tag("t", "float32", low=-20.0, high=230.0)
    assert from_words(t, to_words(t, value, CDAB), ABCD) == Reading(None, Status.BAD_OUT_OF_RANGE, None)


@pytest.mark.parametrize(
    ("raw", "reading"), [(0, (False, Status.GOOD)), (1, (True, Status.GOOD)), (2, None), (65535, None)]
)
def test_a_whole_register_bool_is_zero_or_one(raw: int, reading: tuple[bool, Status] | None) -> None:
    assert from_words(tag("t", "bool"), [raw], ABCD)[:2] == (reading or (None, Status.BAD_OUT_OF_RANGE))


# -- what may be written -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uint16", 65536),
        ("uint16", -1),
        ("int16", 32768),
        ("int16", -32769),
        ("int32", 2**31),
        ("uint32", 2**32),
        ("float32", 1e39),
        ("float32", math.nan),
        ("float64", math.inf),
        ("int16", math.nan),
        ("int16", True),
        ("int16", "5"),
        ("bool", 2),
        ("bool", "true"),
        ("bool", math.nan),
        ("string", 5),
    ],
)
def test_what_cannot_be_written_is_named(kind: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"^TT-1: .* cannot be written \(accepted: .+\)$") as refused:
        encode(tag("TT-1", kind), value)
    assert repr(value) in str(refused.value)


def test_the_accepted_range_is_in_engineering_units() -> None:
    t = Tag("TT-1", "s", tag("x", "bool").title, "°C", DataType.INT16, "", scale=0.1, offset=-50.0)
    with pytest.raises(ValueError, match=r"4000 cannot be written \(accepted: a number from -3326.8 to 3226.7 °C"):
        encode(t, 4000)
    assert encode(t, 3226.7) == 32767


def test_bools_and_texts_as_they_are() -> None:
    assert encode(tag("t", "bool"), 1) is True
    assert encode(tag("t", "bool"), False) is False
    assert encode(tag("t", "string"), "abc") == "abc"
