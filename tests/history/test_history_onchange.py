from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linecontrol.core.image import Scan
from linecontrol.core.model import Sample, Status
from linecontrol.history.onchange import OnChange
from linecontrol.history.rows import PoisonError, Row, SampleRow, decode, encode, micros
from linecontrol.history.scanrows import ScanRows
from linecontrol.history.tail import pack, unpack

GOOD, BAD, UNSURE = Status.GOOD, Status.BAD_NO_COMMUNICATION, Status.UNCERTAIN

values = st.one_of(
    st.sampled_from([0.0, 1.0, 2.0]),
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(-(2**63), 2**63),
    st.booleans(),
    st.text(max_size=3),
    st.sampled_from(["=", "==1", "=nan", "nan"]),
)


@st.composite
def streams(draw: st.DrawFn) -> list[Sample]:
    now, samples = 1_000_000_000, []
    for step in draw(st.lists(st.integers(1, 90_000_000), max_size=40)):
        now += step
        status = draw(st.sampled_from([GOOD, GOOD, GOOD, BAD, UNSURE, Status.BAD_TIMEOUT]))
        value = None if status.quality == "BAD" else draw(values)
        samples.append(Sample(value, status, now / 1e6))
    return samples


def rows_of(stream: list[Sample], keepalive_s: float = 60.0) -> tuple[list[SampleRow], list[SampleRow]]:
    admit = OnChange(keepalive_s)
    stored = [row for sample in stream for row in admit.admit("T", sample, micros(sample.time))]
    return stored, admit.close()


def held_at(rows: list[SampleRow], time_us: int) -> tuple[Any, int]:
    last = [row for row in rows if row.time_us <= time_us][-1]
    return decode(last.value, last.text), last.status


def same(one: Any, other: Any) -> bool:
    both_nan = isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other)
    return both_nan or one == other


@settings(deadline=None)
@given(streams())
def test_holding_the_stored_rows_gives_back_every_sample_exactly(stream: list[Sample]) -> None:
    stored, closing = rows_of(stream)
    for rows in (stored, stored + closing):
        for sample in stream:
            value, status = held_at(rows, micros(sample.time))
            assert same(value, sample.value)
            assert status == sample.status


@settings(deadline=None)
@given(streams())
def test_rows_are_in_order_and_unique_and_no_more_than_needed(stream: list[Sample]) -> None:
    stored, closing = rows_of(stream)
    times = [row.time_us for row in stored + closing]
    assert times == sorted(set(times))
    assert set(times) <= {micros(sample.time) for sample in stream}
    assert len(closing) <= 1


@settings(deadline=None)
@given(streams())
def test_an_outage_is_bracketed_by_the_last_good_the_first_bad_and_the_first_good(stream: list[Sample]) -> None:
    stored, _ = rows_of(stream)
    times = {row.time_us for row in stored}
    for before, after in itertools.pairwise(stream):
        if (before.status.quality == "BAD") != (after.status.quality == "BAD"):
            assert micros(after.time) in times
            if after.status.quality == "BAD":
                assert micros(before.time) in times


def test_an_unchanged_value_is_stored_again_after_the_keepalive() -> None:
    stored, closing = rows_of([Sample(5.0, GOOD, 1000.0 + n) for n in range(130)])
    assert [row.time_us for row in stored] == [1000_000_000, 1060_000_000, 1120_000_000]
    assert [row.time_us for row in closing] == [1129_000_000]


def test_the_same_answer_twice_is_not_news_and_a_new_value_under_an_old_time_is_not_lost() -> None:
    admit = OnChange(60.0)
    first = Sample(5.0, GOOD, 1000.0)
    assert len(admit.admit("T", first, 1000_000_000)) == 1
    assert admit.admit("T", first, 1001_000_000) == ()
    (row,) = admit.admit("T", Sample(None, BAD, 1000.0), 1002_000_000)
    assert (row.time_us, row.status) == (1002_000_000, int(BAD))
    (row,) = admit.admit("T", Sample(6.0, GOOD, 999.0), 1002_000_000)  # even within the same microsecond
    assert row.time_us == 1002_000_001


def test_a_sample_without_a_device_time_takes_that_of_its_scan() -> None:
    for time in (0.0, math.nan):
        (row,) = OnChange(60.0).admit("T", Sample(None, Status.BAD_WAITING_FOR_INITIAL_DATA, time), 77_000_000)
        assert row.time_us == 77_000_000


@pytest.mark.parametrize("value", [[1.0], 2**64, object()])
def test_what_no_row_can_hold_is_poison_and_harms_nothing_after_it(value: Any) -> None:
    admit = OnChange(60.0)
    with pytest.raises(PoisonError):
        admit.admit("T", Sample(value, GOOD, 1.0), 1_000_000)
    with pytest.raises(PoisonError):
        admit.admit("T", Sample(1.0, GOOD, math.inf), 1_000_000)
    assert len(admit.admit("T", Sample(1.0, GOOD, 2.0), 2_000_000)) == 1


@settings(deadline=None)
@given(values)
def test_values_are_stored_losslessly(value: Any) -> None:
    assert same(decode(*encode(value)), value)


def test_micros_round_trip_over_a_century() -> None:
    for time_us in (0, 1, 1_750_000_000_123_457, 4_000_000_000_999_999):
        assert micros(time_us / 1e6) == time_us


@settings(deadline=None)
@given(st.lists(st.floats(-100.0, 100.0), min_size=1, max_size=60), st.sampled_from([0.1, 1.0, 30.0]))
def test_with_a_deadband_what_holds_is_never_off_by_more(values: list[float], band: float) -> None:
    admit = OnChange(20.0, {"T": band})
    rows: list[SampleRow] = []
    for n, value in enumerate(values):
        rows += admit.admit("T", Sample(value, Status.GOOD, 1000.0 + n), micros(1000.0 + n))
        held, _ = held_at(rows, micros(1000.0 + n))
        assert abs(held - value) <= band
    assert len(rows) <= len(values)


def test_a_deadband_hides_no_outage_and_no_other_status() -> None:
    admit = OnChange(60.0, {"T": 5.0})
    offered = [
        Sample(10.0, Status.GOOD, 1001.0),
        Sample(12.0, Status.GOOD, 1002.0),
        Sample(12.0, Status.UNCERTAIN, 1003.0),
        Sample(None, Status.BAD, 1004.0),
        Sample(12.0, Status.GOOD, 1005.0),
    ]
    rows = [row for sample in offered for row in admit.admit("T", sample, micros(sample.time))]
    assert [(row.value, row.status) for row in rows] == [
        (10.0, 0),
        (12.0, Status.UNCERTAIN),
        (None, Status.BAD),
        (12.0, 0),
    ]


@settings(deadline=None)
@given(streams(), st.sampled_from([0.0, 0.5]))
def test_a_whole_scan_is_judged_as_its_samples_are(stream: list[Sample], band: float) -> None:
    one, whole = OnChange(30.0, {"T": band}), OnChange(30.0, {"T": band})
    for sample in stream:
        scan_us = micros(sample.time)
        alone = one.admit("T", sample, scan_us)
        together = whole.admit_scan(Scan("s", sample.time, {"T": sample}), scan_us)
        assert [repr(row) for row in together] == [repr(row) for row in alone]
    assert [repr(row) for row in whole.close()] == [repr(row) for row in one.close()]


NAMES = [f"T{n}" for n in range(9)]
odd = st.sampled_from(["a text", None, math.nan, math.inf, 2**60 + 1, 2**53 + 1, -0.0, 10**30])


@st.composite
def scans(draw: st.DrawFn) -> list[Scan]:
    """Scans of a station that are mostly alike, as those of a PLC are; now and then one is not."""
    now, values, found = 1_000_000_000, [0.0] * len(NAMES), []
    for step in draw(st.lists(st.integers(1, 40_000_000), min_size=2, max_size=12)):
        now += step if draw(st.integers(0, 9)) else -step
        for at in draw(st.lists(st.integers(0, len(NAMES) - 1), max_size=3)):
            values[at] = draw(st.sampled_from([0.0, 0.25, 1.0, 7.5, 3, True, False]))
        samples = {name: Sample(value, GOOD, now / 1e6) for name, value in zip(NAMES, values, strict=True)}
        at = draw(st.sampled_from(NAMES))
        match draw(st.integers(0, 20)):
            case 0:
                samples[at] = Sample(draw(odd), GOOD, now / 1e6)
            case 1:
                samples[at] = Sample(None, BAD, now / 1e6)
            case 2:
                samples[at] = Sample(5.0, UNSURE, now / 1e6)
            case 3:
                samples[at] = Sample(5.0, GOOD, draw(st.sampled_from([now / 1e6 - 1.0, 0.0, math.nan, 1e300])))
            case 4:
                del samples[at]
            case 5:
                samples = {at: samples[at]}
            case 6:
                samples = {name: Sample(None, BAD, now / 1e6) for name in NAMES}
            case 7:
                samples = dict(reversed(samples.items()))
        found.append(Scan(draw(st.sampled_from(["s", "s", "s", "t"])), now / 1e6, samples))
    return found


def packed(rows: Sequence[Row], ids: dict[str, int]) -> tuple[int, int, int, str]:
    """What lies in the tail, however it is written."""
    found = pack(rows, ids)
    columns = unpack([(found.samples, found.texts)])
    return (
        found.start_us,
        found.end_us,
        found.rows,
        repr([np.asarray(c).tolist() for c in columns[:4]]) + str(columns[4]),
    )


@settings(deadline=None, max_examples=200)
@given(scans(), st.sampled_from([0.0, 0.5]))
def test_a_scan_of_many_tags_is_judged_as_its_samples_are(offered: list[Scan], band: float) -> None:
    bands = dict.fromkeys(NAMES[::2], band)
    one, whole = OnChange(30.0, bands), OnChange(30.0, bands)
    for scan in offered:
        scan_us = micros(scan.time)
        alone: list[SampleRow] = []
        refused: list[str] = []
        for tag, sample in scan.samples.items():
            try:
                alone += one.admit(tag, sample, scan_us)
            except (ValueError, OverflowError):
                refused.append(tag)
        turned_down: list[str] = []
        together = whole.admit_scan(scan, scan_us, lambda tag, _sample, _error: turned_down.append(tag))  # noqa: B023
        assert [repr(row) for row in together] == [repr(row) for row in alone]
        assert turned_down == refused
        ids = {name: at for at, name in enumerate(NAMES, start=1)}
        if together:
            assert packed(together, ids) == packed(list(together), ids)
    assert {repr(row) for row in whole.close()} == {repr(row) for row in one.close()}


def test_alike_scans_become_arrays() -> None:
    whole = OnChange(60.0)
    scan = [Scan("s", 1000.0 + n, {name: Sample(float(n), GOOD, 1000.0 + n) for name in NAMES}) for n in range(3)]
    assert isinstance(whole.admit_scan(scan[0], 1000_000_000), list)
    assert isinstance(whole.admit_scan(scan[1], 1001_000_000), ScanRows)
    assert len(whole.admit_scan(scan[2], 1002_000_000)) == len(NAMES)
