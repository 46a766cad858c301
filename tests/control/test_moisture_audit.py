"""The watch over the moisture meter: nothing large is acted on untold, and a fast change of the dryer is no drift."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from dryer_plants import MAKES, record

from linecontrol.control.moisture import DryerModel, commission
from linecontrol.control.moisture.audit import LOOK_S, NO_LONGER, QUIET_PCT, TOLD_PCT, MeterAudit


@cache
def model() -> DryerModel:
    return commission(record(MAKES["mixed"], 1))


def believing(bias_pct: float, sd_pct: float) -> MeterAudit:
    watch = MeterAudit(model())
    watch.x[3], watch.p[3, 3] = bias_pct, sd_pct**2
    return watch


@pytest.mark.parametrize("sd_pct", [0.05, 0.2, 0.35, 0.5, 0.9])
def test_no_bias_is_acted_on_by_more_than_a_little_before_it_is_told(sd_pct: float) -> None:
    acted = []
    for bias_pct in np.linspace(-3.0, 3.0, 1201):
        watch = believing(float(bias_pct), sd_pct)
        acted.append(watch.acted_bias)
        assert abs(acted[-1]) <= QUIET_PCT or watch.is_told
        assert abs(acted[-1]) <= abs(bias_pct)
    assert np.all(np.diff(acted) >= -1e-12), "the more, the more"
    assert np.max(np.diff(acted)) < 0.1, "and never by a leap: the output would follow it"
    assert acted[-1] == 3.0, "wholly, once it is sure"


def test_what_has_been_told_is_told_until_it_is_clearly_less() -> None:
    watch = believing(1.1 * TOLD_PCT, 0.1)
    assert watch.is_told
    watch.step(math.nan, math.nan, {}, {}, LOOK_S)
    watch.x[3] = (NO_LONGER + 0.05) * TOLD_PCT
    assert watch.is_told
    watch.x[3] = (NO_LONGER - 0.05) * TOLD_PCT
    assert not watch.is_told
    assert not believing((NO_LONGER + 0.05) * TOLD_PCT, 0.1).is_told


@pytest.mark.parametrize("wetter_pct", [1.5, -1.5])
def test_other_starch_within_minutes_is_no_meter_that_drifts(wetter_pct: float) -> None:
    """It dries less well from one batch to the next; the duct's walls hold the outlet air back for a while."""
    watch, outlet_k = MeterAudit(model()), 0.0
    for minute in range(300):
        left_pct = wetter_pct * min(max(minute - 60, 0) / 10.0, 1.0)
        outlet_k += (left_pct / model().balance_pct_per_k - outlet_k) * LOOK_S / 900.0
        watch.step(left_pct, outlet_k, {}, {}, LOOK_S)
        assert not watch.is_told
        assert abs(watch.acted_bias) <= QUIET_PCT


@pytest.mark.parametrize("per_hour", [0.5, -0.5, 1.0, 1.5])
def test_a_window_that_fouls_is_told_of(per_hour: float) -> None:
    watch = MeterAudit(model())
    for minute in range(300):
        watch.step(per_hour * max(minute - 60, 0) / 60.0, 0.0, {}, {}, LOOK_S)
        if watch.is_told:
            break
    assert watch.is_told
    assert abs(per_hour) * (minute - 60) / 60.0 < 1.4
    assert watch.bias * per_hour > 0.0
