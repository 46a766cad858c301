"""The flash dryer at random operating points: what energy, sorption and the wet bulb forbid does not happen."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from plant_bench import AMBIENT_C, AMBIENT_HUMIDITY, powder_pct_wb, settled_dryer

from simulator.machines.duct import DuctConstants, DuctEnd, dry_through_duct, duct_constants, gel_onset_c
from simulator.parameters import default_parameters
from simulator.psychrometrics import Isotherm, humidity_kg_kg, water_activity, wet_bulb_c

P = default_parameters()
ISOTHERM = Isotherm(P.isotherm)
_D = P.dryer
CONSTANTS: DuctConstants = duct_constants(
    _D.exchange_kw_kg_k, _D.critical_moisture_db, _D.curve_exponent, _D.wall_inside_kw_k, P.isotherm,
    (_D.gel_onset_c, _D.gel_moisture_db, _D.gel_rise_k, _D.gel_bend_k, _D.gel_rate),
)  # fmt: skip
ADIABATIC = CONSTANTS._replace(wall_kw_k=0.0)
POINTS = st.tuples(
    st.floats(60.0, 200.0),  # inlet °C
    st.floats(8.0, 40.0),  # kg air per kg dry
    st.floats(0.35, 1.0),  # cake moisture db
    st.floats(0.002, 0.02),  # humidity
    st.floats(5.0, 30.0),  # cake °C
)
SOLIDS_CP = 1.25


def _duct(
    point: tuple[float, float, float, float, float], constants: DuctConstants = CONSTANTS, wall_c: float = 60.0
) -> DuctEnd:
    inlet_c, air_per_solid, moisture_db, humidity, cake_c = point
    heat = (SOLIDS_CP + 4.18 * moisture_db) * cake_c
    guess = (40.0, 40.0, 40.0, 40.0)
    walls = (wall_c, wall_c, wall_c)
    return dry_through_duct(
        moisture_db, heat, SOLIDS_CP, air_per_solid, 0.6, 2.5, inlet_c, humidity, walls, guess, constants
    )


def _air_kj(temp_c: float, humidity: float) -> float:
    return 1.006 * temp_c + humidity * (2501.0 + 1.88 * temp_c)


@settings(deadline=None)
@given(point=POINTS, wall_c=st.floats(15.0, 90.0))
def test_heat_and_water_close_and_the_second_law_holds(
    point: tuple[float, float, float, float, float], wall_c: float
) -> None:
    inlet_c, air_per_solid, moisture_db, humidity, cake_c = point
    end = _duct(point, wall_c=wall_c)
    assert end.humidity - humidity == pytest.approx((moisture_db - end.moisture_db) / air_per_solid, abs=1e-14)
    heat_in = air_per_solid * _air_kj(inlet_c, humidity) + (SOLIDS_CP + 4.18 * moisture_db) * cake_c
    solid_kj = (SOLIDS_CP + 4.18 * end.moisture_db) * end.product_c
    heat_out = air_per_solid * _air_kj(end.air_c, end.humidity) + solid_kj + sum(end.wall_kj_kg)
    assert heat_out == pytest.approx(heat_in, rel=1e-12)
    assert end.product_c <= end.air_c + 1e-9
    assert end.product_c >= end.wet_bulb_c - 1e-9
    assert end.air_c <= max(inlet_c, wall_c) + 1e-9


@settings(deadline=None)
@given(point=POINTS)
def test_no_powder_is_drier_than_its_isotherm_nor_air_wetter_than_saturated(
    point: tuple[float, float, float, float, float],
) -> None:
    end = _duct(point, ADIABATIC)
    driest_db = ISOTHERM.moisture_db(water_activity(end.air_c, end.humidity), end.air_c)
    assert end.moisture_db >= driest_db - 2e-3
    assert end.humidity <= humidity_kg_kg(end.air_c, 1.0) + 2e-3
    # adiabatic saturation: the air cannot be cooled below the wet bulb of what came in, taken together with cold cake
    assert end.air_c >= wet_bulb_c(point[0], point[3]) - (point[2] * 4.18 + SOLIDS_CP) * 40.0 / point[1]


@settings(deadline=None)
@given(point=POINTS)
@example(point=(199.873, 39.9956, 0.69413, 0.002618, 29.9415))  # bone-dry powder: a slice dries nearly all there is
@example(point=(60.4518, 8.0538, 0.9984, 0.0032, 6.4538))
def test_gains_stay_below_the_energy_balance(point: tuple[float, float, float, float, float]) -> None:
    """One more kelvin cannot evaporate more than its own heat is worth, nor wetter cake bring more than itself."""
    inlet_c, air_per_solid, moisture_db, humidity, cake_c = point
    base = _duct(point, ADIABATIC)
    hotter = _duct((inlet_c + 1.0, air_per_solid, moisture_db, humidity, cake_c), ADIABATIC)
    drop_db = base.moisture_db - hotter.moisture_db
    most_db = air_per_solid * (1.006 + 1.88 * humidity) / (2501.0 - 2.3 * base.bulbs_c[0])
    assert -1e-9 <= drop_db <= most_db
    wetter = _duct((inlet_c, air_per_solid, moisture_db + 0.01, humidity, cake_c), ADIABATIC)
    # the water itself stays, and warming it to the wet bulb costs heat that evaporates that much less
    most_db = 0.0101 * (1.0 + 4.18 * max(0.0, base.bulbs_c[0] - cake_c) / 2300.0)
    assert -1e-9 <= wetter.moisture_db - base.moisture_db <= most_db


@settings(deadline=None)
@given(point=POINTS)
@example(point=(60.0, 8.0, 0.716, 0.003, 12.902))  # near the wet bulb, under walls that take what little heat there is
@example(point=(61.5464, 8.0995, 0.4723, 0.005, 8.3012))
def test_directions_are_monotone(point: tuple[float, float, float, float, float]) -> None:
    inlet_c, air_per_solid, moisture_db, humidity, cake_c = point
    base = _duct(point)
    more_air = _duct((inlet_c, 1.05 * air_per_solid, moisture_db, humidity, cake_c))
    damper = _duct((inlet_c, air_per_solid, moisture_db, humidity + 0.002, cake_c))
    warmer = _duct((inlet_c, air_per_solid, moisture_db, humidity, cake_c + 5.0))
    assert more_air.moisture_db <= base.moisture_db + 1e-9
    assert damper.moisture_db >= base.moisture_db - 1e-9
    assert warmer.moisture_db <= base.moisture_db + 1e-9
    assert _duct(point, wall_c=80.0).moisture_db <= _duct(point, wall_c=30.0).moisture_db + 1e-9


def test_the_profile_is_a_function_of_numbers_only() -> None:
    point = (126.0, 17.8, 0.61, 0.0077, 17.0)
    assert _duct(point) == _duct(point)
    flat = [x for part in _duct(point) for x in (part if isinstance(part, tuple) else (part,))]
    assert all(type(x) is float for x in flat)
    # a poor guess of the wet bulbs costs a step of Newton, not the answer
    other = dry_through_duct(
        0.61, (1.25 + 4.18 * 0.61) * 17.0, 1.25, 17.8, 0.6, 2.5, 126.0, 0.0077, (60.0,) * 3, (5.0,) * 4, CONSTANTS
    )
    assert other.moisture_db == pytest.approx(_duct(point).moisture_db, abs=1e-6)


def test_energy_per_kg_evaporated_against_the_published_balance() -> None:
    """Heat balance of a flash dryer at 38 -> 13 % wb with 8 % loss; here only the duct's own 4-5 % are in it."""
    table = ((130.0, 213.0, 1.12), (150.0, 263.0, 1.13), (160.0, 289.0, 1.12), (170.0, 314.0, 1.09))
    for inlet_c, cake_kg_h, kwh_kg in table:
        dryer = settled_dryer(inlet_c, cake_kg_h)
        assert powder_pct_wb(dryer) == pytest.approx(13.0, abs=0.15)
        air_kg_s = P.exhaust.fan_full_kg_h * 0.65 / 3600.0
        heat_kw = air_kg_s * (1.006 + 1.88 * AMBIENT_HUMIDITY) * (inlet_c - AMBIENT_C)
        assert heat_kw / dryer.evaporation_kg_s / 3600.0 == pytest.approx(kwh_kg, rel=0.06)


def test_potato_like_duty_leaves_the_particle_near_forty_degrees() -> None:
    """Potato starch at 160 °C: surface about 40 °C, because it is taken off wet, near 20 % wb."""
    dryer = settled_dryer(160.0, 430.0)
    assert powder_pct_wb(dryer) == pytest.approx(20.0, abs=0.5)
    assert 37.0 < dryer.product_c < 45.0


def test_gelatinisation_takes_heat_and_water_together() -> None:
    assert gel_onset_c(0.6, CONSTANTS) == gel_onset_c(0.43, CONSTANTS) == 61.0
    assert 67.0 < gel_onset_c(0.25, CONSTANTS) < 69.0
    normal, dry_hot = settled_dryer(126.0), settled_dryer(190.0, 100.0)
    assert normal.gel_margin_k > 10.0
    assert not normal.is_gel_risk
    assert normal.gelatinised_share == 0.0
    assert dry_hot.is_gel_risk
    assert dry_hot.gelatinised_share == pytest.approx(
        0.060, abs=0.02
    )  # hot but dry: little melts; 0.0597 in 192 slices
    # very humid air: the wet bulb itself lies beyond the onset, and the wet cake cooks
    humid = _duct((190.0, 30.0, 0.6, 0.25, 20.0), ADIABATIC)
    assert humid.gel_margin_k < 0.0
    assert humid.gelatinised_share > 0.01
    assert _duct((126.0, 17.8, 0.6, 0.008, 20.0)).gelatinised_share == 0.0


@pytest.mark.parametrize("monolayer_db", [0.060, 0.088, 0.095])
def test_the_isotherm_is_exposed_and_decides_the_spoilage_verdict(monolayer_db: float) -> None:
    isotherm = Isotherm(P.with_values({"isotherm.monolayer_db": monolayer_db}).isotherm)
    at_065_db = isotherm.moisture_db(0.65, 25.0)
    assert at_065_db == pytest.approx(0.154 * monolayer_db / 0.088, rel=0.01)
    assert isotherm.activity(at_065_db, 25.0) == pytest.approx(0.65)
    assert math.isclose(isotherm.activity(0.154, 40.0), Isotherm(isotherm.parameters).activity(0.154, 40.0))
    assert isotherm.activity(0.154, 40.0) > isotherm.activity(0.154, 20.0)
