"""A scan's values as people hand them over."""

from __future__ import annotations

import math

import pytest

from linecontrol.control.moisture import MoistureSample


def test_a_row_of_a_record_is_a_sample() -> None:
    row = {"time_s": 4.0, "moisture_pct_wb": 13.1, "outlet_c": None, "cake_pct_wb": 38.2, "cake_pct_wb_quality": "bad"}
    sample = MoistureSample.of(row | {"feed_kg_h": 300.0, "feed_kg_h_quality": 192, "is_new": False})
    assert (sample.moisture_pct_wb, sample.feed_kg_h, sample.is_new) == (13.1, 300.0, False)
    assert math.isnan(sample.outlet_c)
    assert math.isnan(sample.cake_pct_wb)


def test_a_name_that_no_sample_has_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a sample has no nir \(accepted: inlet_sp_c, "):
        MoistureSample.of({"nir": 13.0})


@pytest.mark.parametrize("value", [math.nan, math.inf, -17.0, 400.0])
def test_what_no_dryer_shows_is_not_believed(value: float) -> None:
    assert math.isnan(MoistureSample(moisture_pct_wb=value, outlet_c=60.0).believed().moisture_pct_wb)


@pytest.mark.parametrize("value", ["wet", [13.0], object()])
def test_a_value_that_is_no_number_is_refused_by_its_name(value: object) -> None:
    with pytest.raises(ValueError, match=r"moisture_pct_wb .* is not accepted \(accepted: a number"):
        MoistureSample.of({"moisture_pct_wb": value})
    assert MoistureSample.of({"moisture_pct_wb": "13.1"}).moisture_pct_wb == 13.1
