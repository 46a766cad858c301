"""Records of a dryer in the forms in which people bring them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path as FilePath

import numpy as np
import pytest

from linecontrol.control.moisture import CannotCommission, MoistureRecord, read_record

COUNT, PERIOD_S = 1800, 2.0
BAD = np.arange(COUNT) % 20 == 7


def columns() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        "time_s": np.arange(COUNT) * PERIOD_S,
        "inlet_sp_c": np.where(np.arange(COUNT) < 900, 120.0, 128.0),
        "moisture_pct_wb": np.where(BAD, 1.0, 13.0 + 0.2 * rng.normal(size=COUNT)),
        "cake_pct_wb": 38.0 + rng.normal(size=COUNT),
    }


def same(one: MoistureRecord, other: MoistureRecord) -> bool:
    return all(np.array_equal(one.signals[n], other.signals[n], equal_nan=True) for n in other.signals)


@pytest.fixture(scope="module")
def plain() -> MoistureRecord:
    return read_record(columns(), qualities={"moisture_pct_wb": (~BAD).tolist()})


@pytest.mark.parametrize(
    ("good", "bad"), [("Good", "Bad"), ("GOOD", "uncertain"), (192, 0), (0, 0x80000000), (1, 0), (True, False)]
)
def test_qualities_as_words_flags_or_codes_are_the_same(plain: MoistureRecord, good: object, bad: object) -> None:
    marks = [bad if is_bad else good for is_bad in BAD]
    assert plain.good_share["moisture_pct_wb"] == pytest.approx(0.95)
    assert same(read_record(columns(), qualities={"moisture_pct_wb": marks}), plain)
    assert same(read_record(columns() | {"moisture_pct_wb_quality": np.array(marks)}), plain)


def test_a_quality_that_says_neither_is_refused_by_name() -> None:
    with pytest.raises(CannotCommission, match="quality of cake_pct_wb: 'so so' is not a quality"):
        read_record(columns(), qualities={"cake_pct_wb": ["so so"] * COUNT})


def test_a_csv_file_with_codes_of_quality(plain: MoistureRecord, tmp_path: FilePath) -> None:
    path, table = tmp_path / "record.csv", columns()
    rows = [",".join([*table, "moisture_pct_wb_quality"])]
    rows += [",".join(map(str, (*row, int(not bad)))) for bad, *row in zip(BAD, *table.values(), strict=True)]
    path.write_text("\n".join(rows))
    assert same(read_record(path), plain)


def test_times_may_be_dates(plain: MoistureRecord) -> None:
    began = datetime(2026, 5, 4, 8, tzinfo=UTC)
    dates = [began + timedelta(seconds=t) for t in columns()["time_s"].tolist()]
    good = {"moisture_pct_wb": ~BAD}
    assert same(read_record(columns() | {"time_s": dates}, qualities=good), plain)
    stamps = np.array([date.replace(tzinfo=None) for date in dates], dtype="datetime64[ms]")
    assert same(read_record(columns() | {"time_s": stamps}, qualities=good), plain)


def test_of_rows_with_one_time_the_last_counts_and_rows_without_one_do_not() -> None:
    table = columns()
    table["time_s"][500] = table["time_s"][501]
    table["time_s"][700] = math.nan
    kept = np.delete(np.arange(COUNT), [500, 700])
    assert same(read_record(table), read_record({name: values[kept] for name, values in table.items()}))
    table["time_s"][900] = 5.0
    with pytest.raises(CannotCommission, match=r"does not rise at sample 900 \(1798 then 5 s\)"):
        read_record(table)


def test_a_signal_in_another_unit_is_told_as_such() -> None:
    record = read_record(columns() | {"cake_pct_wb": columns()["cake_pct_wb"] / 100.0})
    assert not record.has("cake_pct_wb")
    assert record.why_not("cake_pct_wb").startswith("cake_pct_wb is mostly about 0.3802, which is not in its unit")
    assert record.why_not("feed_kg_h") == "feed_kg_h was not measured"
    with pytest.raises(CannotCommission, match=r"inlet_sp_c is mostly about 397\.1.*accepted: 0 to 350"):
        read_record(columns() | {"inlet_sp_c": columns()["inlet_sp_c"] + 273.15})


def test_a_meter_that_is_slower_than_the_record_is_known_by_its_runs() -> None:
    assert read_record(columns()).refresh_s == 0.0
    table = columns()
    table["moisture_pct_wb"] = np.repeat(13.0 + 0.2 * np.random.default_rng(2).normal(size=COUNT // 5), 5)
    record = read_record(table)
    assert record.refresh_s == pytest.approx(5 * PERIOD_S)
    assert record.repeat_share == 0.0
