"""What commissioning foretells of each strategy: the record's own hours once more, on the model."""

from __future__ import annotations

import numpy as np
import pytest
from dryer_plants import MAKES, record

from linecontrol.control.moisture import MoistureMode, commission, foretell, read_record

DT_S = 4.0


@pytest.fixture(scope="module")
def hours() -> dict[str, np.ndarray]:
    return record(MAKES["heat-limited"], 1, hours=2.0, dt_s=DT_S)


def test_a_dryer_whose_loads_are_measured_gains_by_each_layer(hours: dict[str, np.ndarray]) -> None:
    taken = read_record(hours)
    foretold = foretell(commission(taken), taken, set_point=13.0)
    assert list(foretold) == list(MoistureMode)
    left_alone, pid, cascade, ahead, predictive = foretold.values()
    assert predictive < ahead < cascade < pid < left_alone
    moved = float(np.std(hours["moisture_pct_wb"][round(1800.0 / DT_S) :]))
    assert 0.6 * moved < left_alone < 1.4 * moved, "of the same size as in the record itself, but for its step"


def test_a_noisy_thermometer_is_seen_in_what_is_foretold_of_a_cascade(hours: dict[str, np.ndarray]) -> None:
    """And a hole in the record changes nothing about that."""
    spoilt = {name: column.copy() for name, column in hours.items()}
    spoilt["outlet_c"] += 2.0 * np.random.default_rng(1).standard_normal(len(hours["time_s"]))
    for name in ("inlet_sp_c", "moisture_pct_wb", "outlet_c", "cake_pct_wb"):
        spoilt[name][500:540] = np.nan
    taken = read_record(spoilt)
    foretold = foretell(commission(taken), taken, set_point=13.0)
    assert all(np.isfinite(rms) for rms in foretold.values())
    assert foretold[MoistureMode.CASCADE] > foretold[MoistureMode.PID]
