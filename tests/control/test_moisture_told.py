"""What is told of flags that come and go from scan to scan."""

from __future__ import annotations

import pytest

from linecontrol.control.moisture.told import LASTS_S, Told


@pytest.mark.parametrize("flag", ["limited", "held", "wear"])
def test_a_flag_that_comes_and_goes_from_scan_to_scan_is_told_once(flag: str) -> None:
    told, events = Told(), []
    for scan in range(600):
        events += told.step([flag] if scan % 3 == 0 and scan < 300 else [], 1.0)
        assert (flag in told.flags) == (scan < 297 + LASTS_S)
    assert events == [f"{flag} began", f"{flag} ended"]


def test_what_an_instrument_does_is_told_as_it_is() -> None:
    told = Told()
    assert told.step(["nir-stuck", "nir-spike", "nir-stuck"], 1.0) == ("nir-stuck began",)
    assert told.flags == ("nir-stuck", "nir-spike")
    assert told.step([], 1.0) == ("nir-stuck ended",)
    assert told.flags == ()


def test_a_long_pause_ends_what_was_told() -> None:
    told = Told()
    told.step(["limited"], 1.0)
    assert told.step([], 600.0) == ("limited ended",)
