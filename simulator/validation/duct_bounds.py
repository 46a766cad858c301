"""What physics forbids in the flash duct, over tens of thousands of operating points at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from simulator.lanes import over_lanes
from simulator.machines.duct import dry_through_duct
from simulator.machines.many_dryers import Floats
from simulator.psychrometrics import air_enthalpy_kj_kg, humidity_kg_kg, water_activity
from simulator.validation.bench import Bench
from simulator.validation.check import Check, Kind, Span

POINTS = 20_000
DUCT = "Bounds of the flash duct, 20 000 random points"
_CP = 1.25  # dry starch [kJ/(kg K)]
_GUESS_C = (40.0, 40.0, 40.0, 40.0)
# inlet °C, kg air per kg dry, cake kg/kg dry, humidity kg/kg, cake °C, walls °C
_LOW, _HIGH = (60.0, 8.0, 0.35, 0.002, 5.0, 15.0), (200.0, 40.0, 1.0, 0.02, 30.0, 90.0)

through_lanes = over_lanes(dry_through_duct)
_enthalpy_kj_kg = over_lanes(air_enthalpy_kj_kg)


class Points(NamedTuple):
    """Where ducts work, as arrays (N,): cake moisture in kg/kg dry."""

    inlet_c: Floats
    air_per_solid: Floats
    cake_db: Floats
    humidity: Floats
    cake_c: Floats


def _points() -> tuple[Points, Floats]:
    """Random operating points, and a temperature of the walls for each."""
    *at, walls_c = np.random.default_rng(11).uniform(_LOW, _HIGH, (POINTS, len(_LOW))).T
    return Points(*at), walls_c


def _through(bench: Bench, at: Points, walls_c: Floats | None) -> Any:
    """A ``DuctEnd`` of arrays: walls at a temperature, or none at all."""
    constants = bench.parameters.dryer.duct(bench.parameters.isotherm)
    if walls_c is None:
        constants, walls_c = constants._replace(wall_kw_k=0.0), np.zeros(())
    heat = (_CP + 4.18 * at.cake_db) * at.cake_c
    walls = (walls_c, walls_c, walls_c)
    return through_lanes(
        at.cake_db, heat, _CP, at.air_per_solid, 0.6, 2.5, at.inlet_c, at.humidity, walls, _GUESS_C, constants
    )


class _Ends(NamedTuple):
    """Where all points lead: with walls, and without (adiabatic)."""

    at: Points
    walls_c: Floats
    walled: Any
    bare: Any


def _ends(bench: Bench) -> _Ends:
    def work() -> _Ends:
        at, walls_c = _points()
        return _Ends(at, walls_c, _through(bench, at, walls_c), _through(bench, at, None))

    return bench.once("duct", work)


def _heat_gap(bench: Bench) -> Floats:
    at, _, end, _ = _ends(bench)
    came = at.air_per_solid * _enthalpy_kj_kg(at.inlet_c, at.humidity) + (_CP + 4.18 * at.cake_db) * at.cake_c
    went = at.air_per_solid * _enthalpy_kj_kg(end.air_c, end.humidity) + sum(end.wall_kj_kg)
    return np.asarray(np.abs((went + (_CP + 4.18 * end.moisture_db) * end.product_c) / came - 1.0))


def _water_gap(bench: Bench) -> Floats:
    at, _, end, _ = _ends(bench)
    return np.asarray(np.abs(end.humidity - at.humidity - (at.cake_db - end.moisture_db) / at.air_per_solid))


def _beyond_air_k(bench: Bench) -> Floats:
    """How far powder is above the air, below its wet bulb, or air above inlet and walls; negative where it is not."""
    at, walls_c, end, _ = _ends(bench)
    gaps = (end.product_c - end.air_c, end.wet_bulb_c - end.product_c, end.air_c - np.maximum(at.inlet_c, walls_c))
    return np.asarray(np.maximum.reduce(gaps))


def _too_dry_db(bench: Bench) -> Floats:
    at, _, _, end = _ends(bench)
    outlets = zip(np.asarray(end.air_c).tolist(), np.asarray(end.humidity).tolist(), strict=True)
    driest_db = np.array([bench.isotherm.moisture_db(water_activity(c, humidity), c) for c, humidity in outlets])
    return np.asarray(np.minimum(driest_db, at.cake_db) - end.moisture_db)


def _fog(bench: Bench) -> Floats:
    end = _ends(bench).bare
    return np.asarray(end.humidity - over_lanes(humidity_kg_kg)(end.air_c, 1.0))


def _gain_of_heat(bench: Bench) -> Floats:
    """Water that one more kelvin evaporates, over what its heat could."""
    at, _, _, base = _ends(bench)
    hotter = _through(bench, at._replace(inlet_c=at.inlet_c + 1.0), None)
    most_db = at.air_per_solid * (1.006 + 1.88 * at.humidity) / (2501.0 - 2.3 * base.bulbs_c[0])
    return np.asarray((base.moisture_db - hotter.moisture_db) / most_db)


def _gain_of_cake(bench: Bench) -> Floats:
    """Water that wetter cake leaves in the powder, over what it brought and what warming it cost."""
    at, _, _, base = _ends(bench)
    wetter = _through(bench, at._replace(cake_db=at.cake_db + 0.01), None)
    most_db = 0.01 * (1.0 + 4.18 * np.maximum(0.0, base.bulbs_c[0] - at.cake_c) / 2300.0)
    return np.asarray((wetter.moisture_db - base.moisture_db) / most_db)


def _wrong_ways(bench: Bench) -> float:
    """How often more air, hotter or drier air, warmer or drier cake left wetter powder."""
    at, walls_c, base, _ = _ends(bench)
    wrong = 0.0
    for better in (
        at._replace(air_per_solid=1.05 * at.air_per_solid),
        at._replace(inlet_c=at.inlet_c + 1.0),
        at._replace(humidity=0.5 * at.humidity),
        at._replace(cake_c=at.cake_c + 5.0),
        at._replace(cake_db=at.cake_db - 0.01),
    ):
        ends_db = _through(bench, better, walls_c).moisture_db
        wrong += float(np.count_nonzero(~(ends_db <= base.moisture_db + 1e-9)))
    return wrong


def _worst(bench: Bench, measure: Callable[[Bench], Floats]) -> float:
    return float(measure(bench).max())  # NaN of any point is the answer, and breaks the bound


def _duct() -> Iterator[Check[Bench]]:
    def row(name: str, unit: str, source: str, measure: Callable[[Bench], Floats], most: float) -> Check[Bench]:
        value = partial(_worst, measure=measure)
        return Check(DUCT, name, unit, Kind.BOUND, "D", source, value, Span.at_most(most))

    yield row("heat that appears or vanishes", "share", "first law, by enthalpies", _heat_gap, 1e-12)
    yield row("water that appears or vanishes", "kg/kg", "mass balance of powder and air", _water_gap, 1e-14)
    yield row("powder above its air or below the wet bulb", "K", "second law", _beyond_air_k, 1e-9)
    yield row("powder drier than its isotherm", "kg/kg", "sorption equilibrium at the outlet; slices leave 0.002",
              _too_dry_db, 2e-3)  # fmt: skip
    yield row("air wetter than saturated", "kg/kg", "saturation at the outlet; slices leave 0.002", _fog, 2e-3)
    yield row("gain of inlet air over its energy ceiling", "share", "a kelvin evaporates no more than its heat",
              _gain_of_heat, 1.0)  # fmt: skip
    yield row("gain of cake moisture over its ceiling", "share", "wetter cake brings no more than itself",
              _gain_of_cake, 1.0)  # fmt: skip
    why = "more, hotter or drier air, warmer or drier cake: never wetter powder"
    yield Check(DUCT, "wrong direction", "of 100 000", Kind.BOUND, "D", why, _wrong_ways, Span.at_most(0.0))


CHECKS: tuple[Check[Bench], ...] = tuple(_duct())
