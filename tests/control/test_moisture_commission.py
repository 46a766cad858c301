"""What commissioning finds, and what it refuses."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path as FilePath

import numpy as np
import pytest
from dryer_plants import AIM, MAKES, Dryer, record
from scipy.signal import lfilter

from linecontrol.control.moisture import CannotCommission, DryerModel, MoistureController, commission
from linecontrol.control.moisture.dynamics import Path
from linecontrol.control.moisture.estimator import MoistureEstimator


@pytest.fixture(scope="module")
def mixed() -> dict[str, np.ndarray]:
    return record(MAKES["mixed"], 1)


@pytest.fixture(scope="module")
def model(mixed: dict[str, np.ndarray]) -> DryerModel:
    """What commissioning makes of that record."""
    return commission(mixed)


@pytest.mark.parametrize("name", MAKES)
def test_it_finds_gain_delay_and_loads_of_any_make(name: str) -> None:
    make = MAKES[name]
    model = commission(record(make, 2))
    dryer = Dryer(make, 0)
    at_c = dryer.inlet_for(AIM)
    true = dryer.steady_pct(at_c + 1.0) - dryer.steady_pct(at_c)
    gain, sd = model.moisture.gain("heat")
    settled, u = model.moisture.settled_gain("heat")
    assert abs(settled - true) < 2.0 * u, "its walls warm up more slowly than the fit can see, and its interval knows"
    assert abs(settled) > abs(gain), "what warm walls add counts as far as the outlet air tells it"
    assert sd < u < 0.35 * abs(gain)
    heat, water = model.moisture.paths["heat"], model.moisture.paths["water"]
    total_s = make.heater_delay_s + make.heater_lag_s + make.heater_lag2_s + make.cyclone_s + make.transport_s
    found_s = heat.delay_s + heat.lag1_s + heat.lag2_s + model.moisture.out_lag_s
    assert found_s == pytest.approx(total_s + make.nir_lag_s, rel=0.15)
    feed_s = make.feed_delay_s + make.feed_lag_s + make.cyclone_s + make.transport_s + make.nir_lag_s
    assert water.delay_s + water.lag1_s + model.moisture.out_lag_s == pytest.approx(feed_s, rel=0.15)
    assert model.meter_sd == pytest.approx(make.nir_sd, rel=0.15)
    assert model.outlet is not None
    assert DryerModel.from_dict(json.loads(json.dumps(model.to_dict()))) == model


def test_two_levels_of_heat_never_make_a_curve(mixed: dict[str, np.ndarray], model: DryerModel) -> None:
    """A hump while the dryer warms up looks like a square of the heat, and taken for one it turns the gain round."""
    plain = model.moisture
    heat, at, dt_s = plain.paths["heat"], mixed["inlet_sp_c"], float(mixed["time_s"][1] - mixed["time_s"][0])
    risen = (at - at.min()) / np.ptp(at)
    risen = np.concatenate([np.full(round(heat.delay_s / dt_s), risen[0]), risen])[: len(risen)]
    share = 1.0 - math.exp(-dt_s / (heat.lag1_s + heat.lag2_s))
    warmed = lfilter([share], [1.0, share - 1.0], risen - risen[0]) + risen[0]
    humped = commission(mixed | {"moisture_pct_wb": mixed["moisture_pct_wb"] + 3.0 * warmed * (1.0 - warmed)})
    assert ("heat", "heat") not in humped.moisture.terms
    assert humped.moisture.gain("heat")[0] == pytest.approx(plain.gain("heat")[0], rel=0.2)


def test_a_csv_file_gives_the_same_as_arrays(
    mixed: dict[str, np.ndarray], model: DryerModel, tmp_path: FilePath
) -> None:
    path = tmp_path / "record.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(mixed)
        rows.writerows(zip(*(column.tolist() for column in mixed.values()), strict=True))
    assert commission(path) == model


def test_it_does_not_matter_when_the_record_began(mixed: dict[str, np.ndarray], model: DryerModel) -> None:
    later = mixed | {"time_s": mixed["time_s"] + 1.7e9}
    assert commission(later).moisture.gain("heat")[0] == pytest.approx(model.moisture.gain("heat")[0], rel=1e-3)


def test_holes_bad_quality_and_a_stuck_meter_are_left_out(mixed: dict[str, np.ndarray], model: DryerModel) -> None:
    damaged = {name: values.copy() for name, values in mixed.items()}
    damaged["moisture_pct_wb"][1000:1400] = damaged["moisture_pct_wb"][1000]  # stands still for 13 minutes
    damaged["moisture_pct_wb"][5000:5050] = math.nan
    damaged["cake_pct_wb"][3000:3200] = 99.0
    good = np.ones(len(damaged["time_s"]), dtype=bool)
    good[2000:2100] = False
    damaged["outlet_c"][2000:2100] = -17.0
    found = commission(damaged, qualities={"outlet_c": good.tolist()})
    assert found.moisture.gain("heat")[0] == pytest.approx(model.moisture.gain("heat")[0], rel=0.15)
    assert found.outlet is not None


@pytest.mark.parametrize("missing", ["cake_pct_wb", "feed_kg_h", "outlet_c", "inlet_c", "ambient_rh_pct"])
def test_without_a_signal_it_says_so_and_does_what_is_left(mixed: dict[str, np.ndarray], missing: str) -> None:
    rest = {name: values for name, values in mixed.items() if name != missing}
    model = commission(rest)
    if missing in ("cake_pct_wb", "feed_kg_h", "inlet_c", "outlet_c"):
        assert any(missing in warning for warning in model.warnings)
    assert model.moisture.gain("heat")[0] < 0.0


def _changed(mixed: dict[str, np.ndarray], **columns: np.ndarray) -> dict[str, np.ndarray]:
    return mixed | columns


@pytest.mark.parametrize(
    ("code", "spoil"),
    [
        ("no-step", lambda r: _changed(r, inlet_sp_c=np.full(len(r["time_s"]), 120.0))),
        ("short", lambda r: {name: values[:600] for name, values in r.items()}),
        ("no-drying", lambda r: _changed(r, moisture_pct_wb=r["moisture_pct_wb"] * 0.01)),
        ("missing", lambda r: {name: values for name, values in r.items() if name != "moisture_pct_wb"}),
        ("missing", lambda r: _changed(r, moisture_pct_wb=np.full(len(r["time_s"]), math.nan))),
        ("time", lambda r: _changed(r, time_s=r["time_s"][::-1])),
        ("wrong-sign", lambda r: _changed(r, moisture_pct_wb=26.0 - r["moisture_pct_wb"])),
        ("columns", lambda r: _changed(r, inlet_sp_c=r["outlet_c"], outlet_c=r["inlet_sp_c"])),
        ("columns", lambda r: _changed(r, inlet_c=r["outlet_c"], outlet_c=r["inlet_c"])),
        ("columns", lambda r: _changed(r, inlet_c=r["inlet_sp_c"], inlet_sp_c=r["inlet_c"])),
        ("columns", lambda r: _changed(r, outlet_c=r["product_c"], product_c=r["outlet_c"])),
        ("columns", lambda r: _changed(r, outlet_c=r["ambient_c"], ambient_c=r["outlet_c"])),
        ("columns", lambda r: _changed(r, inlet_c=r["ambient_c"], ambient_c=r["inlet_c"])),
        ("columns", lambda r: _changed(r, moisture_pct_wb=r["cake_pct_wb"], cake_pct_wb=r["moisture_pct_wb"])),
        ("record", lambda r: _changed(r, feed_kg_h=r["feed_kg_h"][:-1])),
        (
            "unsure",
            lambda r: _changed(r, moisture_pct_wb=13.0 + np.random.default_rng(3).normal(size=len(r["time_s"]))),
        ),
    ],
)
def test_what_a_record_cannot_tell_is_refused_with_its_reason(
    mixed: dict[str, np.ndarray], code: str, spoil: object
) -> None:
    with pytest.raises(CannotCommission) as refusal:
        MoistureController.commission(spoil(mixed))  # type: ignore[operator]
    assert refusal.value.code == code
    assert "accepted" in refusal.value.reason or code in ("record", "time", "wrong-sign", "columns")


@pytest.mark.parametrize(
    ("spoilt", "told"),
    [
        (lambda values, at: np.where(at, values[np.argmax(at)], values), "moisture_pct_wb stood still"),
        (lambda values, at: np.where(at, math.nan, values), "moisture_pct_wb was missing"),
    ],
    ids=["stuck", "missing"],
)
def test_a_step_that_the_meter_did_not_show_is_told_as_such(
    mixed: dict[str, np.ndarray], spoilt: Callable[[np.ndarray, np.ndarray], np.ndarray], told: str
) -> None:
    start = int(np.argmax(np.diff(mixed["inlet_sp_c"]) != 0.0)) - 30
    during = np.zeros(len(mixed["time_s"]), dtype=bool)
    during[start : start + 1300] = True  # from a minute before the step to a minute after its end
    with pytest.raises(CannotCommission, match=rf"moved by 8\.00 K, but {told}") as refusal:
        commission(mixed | {"moisture_pct_wb": spoilt(mixed["moisture_pct_wb"], during)})
    assert refusal.value.code == "step-unseen"


def test_a_meter_that_stands_still_throughout_is_named(mixed: dict[str, np.ndarray]) -> None:
    still = np.concatenate([mixed["moisture_pct_wb"][:400], np.full(len(mixed["time_s"]) - 400, 13.0)])
    with pytest.raises(CannotCommission, match="moisture_pct_wb stood still"):
        commission(mixed | {"moisture_pct_wb": still})
    with pytest.raises(CannotCommission, match="moisture_pct_wb stood still at 13 throughout"):
        commission(mixed | {"moisture_pct_wb": np.full(len(still), 13.0)})


def test_a_csv_file_is_refused_with_line_and_column(tmp_path: FilePath) -> None:
    path = tmp_path / "record.csv"
    path.write_text("time_s,inlet_sp_c,moisture_pct_wb\n0,120,13\n1,120,wet\n")
    with pytest.raises(CannotCommission, match=r"line 3, column moisture_pct_wb: 'wet' is not a number"):
        commission(path)
    path.write_text("time_s,inlet_sp_c\n0,120\n")
    with pytest.raises(CannotCommission, match="column moisture_pct_wb is missing"):
        commission(path)


def test_feed_forward_does_not_meet_a_load_before_it_comes(model: DryerModel) -> None:
    """Cake that is still in a mixing hopper is not dried yet; cake that is nearly in the dryer is."""
    moved = {}
    for lag_s in (1.0, 900.0):
        paths = model.moisture.paths | {"water": Path(0.0, lag_s)}
        estimator = MoistureEstimator(replace(model, moisture=replace(model.moisture, paths=paths)))
        estimator.output.start(dict.fromkeys(paths, 0.0))
        calm = estimator.heat_for(13.0)
        estimator.levels["water"].mean = 0.2  # wetter cake from now on, for good
        moved[lag_s] = estimator.heat_for(13.0) - calm
    assert moved[1.0] > 0.0
    assert 0.0 < moved[900.0] < 0.25 * moved[1.0]


def test_a_load_that_never_moves_is_left_out_and_said(mixed: dict[str, np.ndarray]) -> None:
    still = np.full(len(mixed["time_s"]), 40.0)
    model = commission(mixed | {"cake_pct_wb": still})
    assert "water" not in model.moisture.paths
    assert any("cake_pct_wb did not move" in warning for warning in model.warnings)
