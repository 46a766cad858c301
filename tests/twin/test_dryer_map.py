"""The dryer's operating map: what it says is what the plant does, and what it cannot say it leaves empty."""

from __future__ import annotations

import csv
import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from linecontrol.cli.commands import app
from linecontrol.cli.dryer_map import numbers
from linecontrol.core.errors import ConfigError
from linecontrol.twin.dryer_map import AXES, FEED, FOUND, dryer_map, usual_axes
from simulator.dryer_map import DryerMap, Duty, Rest
from simulator.parameters import default_parameters
from simulator.plant import Plant

P = default_parameters()
QUIET = {"feeder.screw_fill_sd": 1e-9, "site.ambient_sd_k": 1e-9, "site.humidity_sd_pct": 1e-9,
         "dryer.wall_kj_k": 40.0}  # fmt: skip


def duty(inlet_c: object, **others: float) -> Duty:
    """One feed of 200 kg/h at 38 % wb in the usual room, or something else."""
    usual = {"cake_kg_h": 200.0, "cake_pct": 38.0, "cake_c": 17.0, "fan_pct": 65.0, "room_c": 18.0, "room_pct": 60.0}
    inlet = np.atleast_1d(np.array(inlet_c, dtype=float))
    return Duty(inlet, **{name: np.full(inlet.shape, value) for name, value in (usual | others).items()})


def test_a_plant_comes_to_rest_where_the_map_says() -> None:
    """The whole plant, its dryer fed from a full cake hopper; the map is told what the plant's dryer was given."""
    plant = Plant(1, parameters=P.with_values(QUIET))
    plant.inputs.update({"XS-301": 1, "SC-302": 44.4, "TV-303": 50, "SC-307": 65})
    plant.cake_hopper.cake[:] = [
        124.0,
        0.0,
        0.0,
        0.0,
        76.0,
        0.0,
        0.0,
        (124.0 * 1.25 + 76.0 * 4.18) * 17.0,
        0.0,
        0.0,
        0.0,
    ]
    for _ in range(1200):
        plant.step(1.0)
    feed_kg_h = plant.cake_hopper.rate_kg_s * 3600.0
    at = duty(plant.heater.inlet_c, cake_kg_h=feed_kg_h, room_c=plant.ambient_c, room_pct=plant.ambient_humidity_pct)
    found = DryerMap(P, at).rest(at)
    dryer = plant.dryer
    assert found.powder_pct[0] == pytest.approx(100.0 * dryer.moisture_db / (1.0 + dryer.moisture_db), abs=0.1)
    assert found.outlet_c[0] == pytest.approx(dryer.outlet_c, abs=0.3)
    assert found.product_c[0] == pytest.approx(dryer.product_c, abs=0.3)
    assert found.valve_pct[0] == pytest.approx(50.0, abs=0.5)
    assert found.evaporated_kg_h[0] == pytest.approx(dryer.evaporation_kg_s * 3600.0, rel=0.01)
    assert found.fuel_kwh_kg[0] == pytest.approx(plant.heater.fuel_kw / found.evaporated_kg_h[0], rel=0.02)


def test_the_feed_that_is_sought_makes_the_powder_and_gains_are_its_slopes() -> None:
    at = duty([100.0, 126.0, 170.0])
    dryers = DryerMap(P, at)
    at = replace(at, cake_kg_h=dryers.feed_for(at, 13.0))
    assert dryers.rest(at).powder_pct == pytest.approx(13.0, abs=1e-3)
    gains = dryers.gains(at)
    hotter = dryers.powder_pct(replace(at, inlet_c=at.inlet_c + 0.5))
    assert (hotter - 13.0) / 0.5 == pytest.approx(gains.per_k, rel=0.15)
    assert (gains.per_k < 0.0).all()
    assert (gains.per_cake > 0.0).all()
    assert (gains.per_feed > 0.0).all()
    assert not np.isfinite(dryers.feed_for(at, 40.0)).any()  # no feed up to the screw's full speed leaves such powder


def test_what_a_dryer_cannot_do_is_left_empty() -> None:
    too_slow = DryerMap(P, duty(126.0, fan_pct=10.0)).rest(duty(126.0, fan_pct=10.0))
    assert all(np.isnan(getattr(too_slow, f.name)).all() for f in fields(Rest))  # nothing lifts the cake
    at = duty([120.0, 228.0, 10.0])
    found = DryerMap(P, at).rest(at)
    assert np.isfinite(found.valve_pct).tolist() == [True, False, False]  # thermostat; colder than the room
    assert np.isfinite(found.powder_pct).all()


def test_a_grid_has_every_combination_and_refuses_what_cannot_be() -> None:
    axes = usual_axes({"site.ambient_c": 25.0}) | {"inlet_c": [120.0, 150.0], "cake_pct": [38.0]}
    found = dryer_map(axes, {}, feeds_kg_h=[150.0, 200.0, 250.0])
    assert list(found) == [column.key for column in (*AXES, FEED, *FOUND)]
    assert found["inlet_c"].tolist() == [120.0] * 3 + [150.0] * 3
    assert found["cake_kg_h"].tolist() == [150.0, 200.0, 250.0] * 2
    assert set(found["room_c"].tolist()) == {25.0}
    assert (np.diff(found["powder_pct"].reshape(2, 3)) > 0.0).all()
    for wrong, named in (({"inlet_c": [300.0]}, "--inlet: 300 cannot be"), ({"fan_pct": [float("nan")]}, "--fan")):
        with pytest.raises(ConfigError, match=named):
            dryer_map(axes | wrong, {})
    with pytest.raises(ConfigError, match="--feed: 451 cannot be"):
        dryer_map(axes, {}, feeds_kg_h=[451.0])
    with pytest.raises(ConfigError, match="no plant parameter"):
        dryer_map(axes, {"dryer.colour": 1.0})
    with pytest.raises(ConfigError, match="points"):
        dryer_map(axes | {"inlet_c": [120.0] * 100_001}, {})


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("126", [126.0]),
        ("36,38.5", [36.0, 38.5]),
        ("100..120:10", [100.0, 110.0, 120.0]),
        ("1..2:0.3", [1, 1.3, 1.6, 1.9]),
    ],
)
def test_values_are_written_in_three_ways(text: str, values: list[float]) -> None:
    assert numbers(text) == pytest.approx(values)


@pytest.mark.parametrize(
    "text", ["", "a", "1..", "1..2", "2..1:1", "1..2:0", "1..2:-1", "1..nan:1", "1..1e9:1e-9", "1,,2"]
)
def test_other_ways_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"126, 36,38,40 or 100..180:10"):
        numbers(text)


def test_the_command_prints_writes_and_draws(tmp_path: Path) -> None:
    table, chart = tmp_path / "new" / "map.csv", tmp_path / "map.svg"
    words = ["dryer-map", "--inlet", "120,150", "--cake", "36..40:2", "--csv", str(table), "--plot", str(chart)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.stderr
    assert "fan 65 %, room 18 °C, humidity 60 %" in done.stdout
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert [float(row["powder_pct [% wb]"]) for row in rows] == pytest.approx([13.0] * 6, abs=1e-3)
    assert chart.read_bytes().startswith(b"<?xml")
    done = CliRunner().invoke(app, ["dryer-map", "--inlet", "228", "--cake", "38", "--feed", "200", "--json"])
    [row] = json.loads(done.stdout)
    assert row["valve_pct"] is None
    assert row["powder_pct"] < 13.0
    refused = CliRunner().invoke(app, ["dryer-map", "--feed", "200", "--moisture", "13"])
    assert refused.exit_code == 2
    assert "--feed and --moisture" in refused.stderr
