"""The predictive law does not wear the burner with moves that mend nothing."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from dryer_plants import AIM, MAKES, Dryer, drive, record

from linecontrol.control.moisture import DryerModel, MoistureController, commission, laws


@cache
def model() -> DryerModel:
    return commission(record(MAKES["mixed"], 1))


def turns_and_rms() -> tuple[int, float]:
    own, at_c = MoistureController(model(), set_point=AIM), Dryer(MAKES["mixed"], 0).inlet_for(AIM)
    course = drive(Dryer(MAKES["mixed"], 11, 2.0, inlet_c=at_c), own, 30.0, start_c=at_c)
    moves = np.diff(course.inlet_sp_c)
    return int(np.sum(moves[1:] * moves[:-1] < 0.0)), course.rms


def test_small_moves_are_left_out_at_hardly_any_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    turns, rms = turns_and_rms()
    monkeypatch.setattr(laws, "REST_PCT", 0.0)
    turns_before, rms_before = turns_and_rms()
    assert turns < 0.7 * turns_before
    assert rms < 1.05 * rms_before


def test_a_slow_rate_does_not_stop_it() -> None:
    own = MoistureController(model(), set_point=AIM)
    own.settings = own.settings.changed(rate_k_per_s=0.01)
    inlet_c = model().means["inlet_sp_c"]
    row = {"moisture_pct_wb": AIM + 2.0, "cake_pct_wb": 39.0, "feed_kg_h": 280.0, "outlet_c": 70.0}
    for scan in range(200):
        own_row = row | {"inlet_sp_c": inlet_c, "moisture_pct_wb": AIM + 2.0 + 0.01 * (scan % 7)}
        inlet_c = own.step(own_row, 2.0).inlet_sp_c
    assert inlet_c > model().means["inlet_sp_c"] + 1.0
