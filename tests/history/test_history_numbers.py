"""Every column of numbers comes back bit by bit, and steps cost what their entropy says, not what floats do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pcodec import ChunkConfig  # type: ignore[import-untyped]
from pcodec.standalone import simple_compress  # type: ignore[import-untyped]

from linecontrol.history.numbers import (
    pack_floats,
    pack_ints,
    unpack_floats,
    unpack_floats_into,
    unpack_ints,
    unpack_rows,
)
from linecontrol.history.rows import SampleRow
from linecontrol.history.series import Series, joined, pack, rollup, together, unpack
from linecontrol.history.tail import by_tag
from linecontrol.history.tail import pack as pack_tail
from linecontrol.history.tail import unpack as unpack_tail
from linecontrol.history.trend import LEAST_POINTS, trend_of

ANY_FLOAT = st.floats(allow_nan=False)
STEPS = st.builds(
    lambda step, numbers: [number * step for number in numbers],
    st.sampled_from([1.0, 0.1, 0.01, 0.05, 0.002, 0.25]),
    st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=300),
)
TENTHS = st.lists(st.integers(-(10**6), 10**6).map(lambda n: round(n / 100, 2)), min_size=1, max_size=300)


@given(st.one_of(st.lists(ANY_FLOAT, min_size=1, max_size=300), STEPS, TENTHS))
@settings(max_examples=200, deadline=None)
def test_floats_come_back_bit_by_bit(values: list[float]) -> None:
    column = np.array(values)
    again = unpack_floats(pack_floats(column))
    assert (again.view(np.uint64) == column.view(np.uint64)).all()


@pytest.mark.parametrize(
    "values",
    [
        [0.0, -0.0],
        [-0.0, 5.0],
        [math.inf, 1.0],
        [1e300, 0.1],
        [2.0**31, 1.0],
        [2.0**32 - 1, 0.0],
        [2.0**32, 1.0],
        [2.0**31, -1.0],
    ],
)
def test_odd_floats_come_back_bit_by_bit(values: list[float]) -> None:
    column = np.array(values)
    assert (unpack_floats(pack_floats(column)).view(np.uint64) == column.view(np.uint64)).all()


def test_a_check_value_that_wraps_around_costs_its_counter() -> None:
    column = (np.arange(2000, dtype=np.uint64) * 2654435769 % 2**32).astype(np.float64)
    packed = pack_floats(column)
    assert len(packed) < 200
    assert (unpack_floats(packed) == column).all()


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=200), st.booleans())
@settings(max_examples=100, deadline=None)
def test_whole_numbers_come_back(numbers: list[int], is_sorted: bool) -> None:
    column = np.array(sorted(numbers) if is_sorted else numbers, np.int64)
    assert unpack_ints(pack_ints(column)).tolist() == column.tolist()


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=200), st.integers(1, 7), st.booleans())
@settings(max_examples=60, deadline=None)
def test_rows_pick_what_their_numbers_pick(gaps: list[int], step: int, is_even: bool) -> None:
    rows = np.cumsum([step] * len(gaps) if is_even else gaps) - 1
    packed, axis = pack_ints(rows), np.arange(int(rows[-1]) + 5)[::-1]
    assert unpack_ints(packed).tolist() == rows.tolist()
    assert axis[unpack_rows(packed)].tolist() == axis[rows].tolist()


def test_columns_written_by_earlier_versions_are_read() -> None:
    """Gaps between rows, and steps that are always of 32 bits."""
    gaps = np.diff([3, 4, 300, 301, 3000], prepend=0).astype(np.uint16)
    assert unpack_ints(b"\x05" + simple_compress(gaps, ChunkConfig())).tolist() == [3, 4, 300, 301, 3000]
    steps = np.array([5, -7, 40_000, 2**30], np.int32)
    for how, wanted in ((b"\x02\x06", steps * 0.01), (b"\x03\x01", steps / 100.0)):
        packed = how + simple_compress(steps, ChunkConfig())
        room = np.empty(2)
        unpack_floats_into(packed, room, 1, 3)
        assert unpack_floats(packed).tolist() == wanted.tolist()
        assert room.tolist() == wanted[1:3].tolist()


def test_a_quantised_signal_costs_about_the_entropy_of_its_changes() -> None:
    noise = np.random.default_rng(3)
    steps = np.cumsum(noise.normal(0.0, 0.3, 3600)) + noise.normal(0.0, 2.0, 3600)
    column = np.round(50.0 + steps / 100.0, 2)
    _, counts = np.unique(np.round(np.diff(column), 6), return_counts=True)
    share = counts / counts.sum()
    entropy = float(-(share * np.log2(share)).sum() / 8)
    assert len(pack_floats(column)) / len(column) < 1.15 * entropy
    assert len(pack_floats(np.full(3600, 55.5))) < 20


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["A", "B"]),
        st.one_of(
            st.tuples(ANY_FLOAT, st.none()),
            st.tuples(st.none(), st.none()),
            st.tuples(st.none(), st.text("相=a", max_size=4)),
        ),
        st.sampled_from([0, 0, 0, 0x40000000, 0x808B0000]),
    ),
    min_size=1,
    max_size=60,
)


@given(ROWS)
@settings(max_examples=150, deadline=None)
def test_tail_and_chunk_give_back_every_row(drawn: list[tuple[str, tuple[float | None, str | None], int]]) -> None:
    rows = [SampleRow(tag, 1_000 * n, value, text, status) for n, (tag, (value, text), status) in enumerate(drawn)]
    packed = pack_tail(rows, {"A": 1, "B": 2})
    found = by_tag(unpack_tail([(packed.samples, packed.texts)]))
    axis = np.array([row.time_us for row in rows], np.int64)
    for name, tag in (("A", 1), ("B", 2)):
        wanted = [(row.time_us, row.value, row.text, row.status) for row in rows if row.tag == name]
        if not wanted:
            assert tag not in found
            continue
        for series in (
            found[tag],
            unpack(pack(found[tag], np.searchsorted(axis, found[tag].times)), axis),
            unpack(pack(found[tag], None), None),
        ):
            assert listed(series) == wanted


def listed(series: Series) -> list[tuple[int, float | None, str | None, int]]:
    columns = zip(series.times.tolist(), series.values.tolist(), series.statuses.tolist(), strict=True)
    return [
        (time, None if value != value else value, series.texts.get(at), status)
        for at, (time, value, status) in enumerate(columns)
    ]


@given(
    st.lists(st.tuples(st.integers(1, 50), st.one_of(st.none(), st.floats(-1e6, 1e6))), min_size=2, max_size=40),
    st.data(),
)
@settings(max_examples=100, deadline=None)
def test_rollups_of_parts_together_are_the_rollup_of_the_whole(
    drawn: list[tuple[int, float | None]], data: st.DataObject
) -> None:
    times = np.cumsum([gap for gap, _ in drawn]).astype(np.int64)
    values = np.array([np.nan if value is None else value for _, value in drawn])
    whole = Series(times, values, np.zeros(len(times), np.int64))
    cut = data.draw(st.integers(1, len(times) - 1))
    first, second = whole.part(0, cut), whole.part(cut, len(times))
    end = int(times[-1]) + 10
    found, parts = rollup(whole, end), together([rollup(first, int(times[cut])), rollup(second, end)])
    assert found[:5] == parts[:5]
    assert found.integral == pytest.approx(parts.integral, rel=1e-9, abs=1e-3)
    assert joined([second, first]).times.tolist() == times.tolist()


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=2000), st.integers(10, 200))
@settings(max_examples=80, deadline=None)
def test_thinning_keeps_ends_peaks_and_where_outages_begin_and_end(found: list[float | None], points: int) -> None:
    values = np.array([np.nan if value is None else value for value in found])
    statuses = np.where(np.isnan(values), 0x808B0000, 0).astype(np.int64)
    whole = Series(np.arange(len(values), dtype=np.int64) * 1_000_000, values, statuses)
    trend = trend_of(whole, points)
    assert trend.rows == len(found)
    assert (np.diff(trend.times) > 0).all()
    assert (trend.times[0], trend.times[-1]) == (whole.times[0], whole.times[-1])
    if not np.isnan(values).all():
        assert (np.nanmin(trend.values), np.nanmax(trend.values)) == (np.nanmin(values), np.nanmax(values))
    is_gap = np.isnan(values)
    edges = np.flatnonzero(np.diff(is_gap)) + 1
    assert set(whole.times[edges].tolist()) <= set(trend.times.tolist())
    gaps = int(is_gap.sum() and 2 * (1 + len(edges)))
    assert len(trend.times) <= max(points, len(edges) * LEAST_POINTS + points) + gaps + 2
