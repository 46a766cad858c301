"""What physics forbids, over random operating points and over every plant that was run; and the instruments."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from math import sqrt
from typing import NamedTuple

from simulator.actuation import INPUT_TAGS
from simulator.ledger import Ledger
from simulator.machines.duct import DuctConstants, DuctEnd, dry_through_duct, duct_constants
from simulator.plant import Plant
from simulator.psychrometrics import air_enthalpy_kj_kg, humidity_kg_kg, water_activity
from simulator.sensors import Noise, Sensors, instrument_rows
from simulator.taps import RATE_TAGS, TOTAL_TAGS
from simulator.validation.bench import NOMINAL, Bench, powder_pct
from simulator.validation.check import Check, Kind, Span

DUCT, BOOKS, INSTRUMENTS = "Bounds of the flash duct, 300 random points", "Books of every plant run", "Instruments"
_CP = 1.25  # dry starch [kJ/(kg K)]
_GUESS_C = (40.0, 40.0, 40.0, 40.0)
_LOOKS = 20_000
MASSES = ("starch", "fibre", "water", "soil", "solubles", "energy")
TIMES = ("wet_age", "germs", "browning")


class Point(NamedTuple):
    """Where a duct works: cake moisture in kg/kg dry."""

    inlet_c: float
    air_per_solid: float
    cake_db: float
    humidity: float
    cake_c: float


def _constants(bench: Bench) -> DuctConstants:
    p = bench.parameters.dryer
    gel = (p.gel_onset_c, p.gel_moisture_db, p.gel_rise_k, p.gel_bend_k, p.gel_rate)
    return duct_constants(
        p.exchange_kw_kg_k, p.critical_moisture_db, p.curve_exponent, p.wall_inside_kw_k, bench.parameters.isotherm, gel
    )


def _through(bench: Bench, at: Point, wall_c: float | None) -> DuctEnd:
    """Walls at a temperature, or none at all."""
    constants = _constants(bench)
    if wall_c is None:
        constants, wall_c = constants._replace(wall_kw_k=0.0), 0.0
    heat = (_CP + 4.18 * at.cake_db) * at.cake_c
    return dry_through_duct(
        at.cake_db, heat, _CP, at.air_per_solid, 0.6, 2.5, at.inlet_c, at.humidity, (wall_c,) * 3, _GUESS_C, constants
    )


def _points(count: int = 300) -> list[tuple[Point, float]]:
    """Random operating points, and a temperature of the walls."""
    rng = random.Random(11)
    low, high = (60.0, 8.0, 0.35, 0.002, 5.0), (200.0, 40.0, 1.0, 0.02, 30.0)
    drawn = [Point(*(rng.uniform(a, b) for a, b in zip(low, high, strict=True))) for _ in range(count)]
    return [(point, rng.uniform(15.0, 90.0)) for point in drawn]


def _worst(measure: Callable[[Bench, Point, float], float]) -> Callable[[Bench], float]:
    return lambda bench: max(measure(bench, at, wall_c) for at, wall_c in _points())


def _heat_gap(bench: Bench, at: Point, wall_c: float) -> float:
    end = _through(bench, at, wall_c)
    came = at.air_per_solid * air_enthalpy_kj_kg(at.inlet_c, at.humidity) + (_CP + 4.18 * at.cake_db) * at.cake_c
    went = at.air_per_solid * air_enthalpy_kj_kg(end.air_c, end.humidity) + sum(end.wall_kj_kg)
    return abs((went + (_CP + 4.18 * end.moisture_db) * end.product_c) / came - 1.0)


def _water_gap(bench: Bench, at: Point, wall_c: float) -> float:
    end = _through(bench, at, wall_c)
    return abs(end.humidity - at.humidity - (at.cake_db - end.moisture_db) / at.air_per_solid)


def _beyond_air_k(bench: Bench, at: Point, wall_c: float) -> float:
    """How far powder is above the air, below its wet bulb, or air above inlet and walls; negative where it is not."""
    end = _through(bench, at, wall_c)
    return max(end.product_c - end.air_c, end.wet_bulb_c - end.product_c, end.air_c - max(at.inlet_c, wall_c))


def _too_dry_db(bench: Bench, at: Point, _: float) -> float:
    end = _through(bench, at, None)
    driest_db = bench.isotherm.moisture_db(water_activity(end.air_c, end.humidity), end.air_c)
    return min(driest_db, at.cake_db) - end.moisture_db


def _fog(bench: Bench, at: Point, _: float) -> float:
    end = _through(bench, at, None)
    return end.humidity - humidity_kg_kg(end.air_c, 1.0)


def _gain_of_heat(bench: Bench, at: Point, _: float) -> float:
    """Water that one more kelvin evaporates, over what its heat could."""
    base, hotter = (_through(bench, at._replace(inlet_c=at.inlet_c + k), None) for k in (0.0, 1.0))
    most_db = at.air_per_solid * (1.006 + 1.88 * at.humidity) / (2501.0 - 2.3 * base.bulbs_c[0])
    return (base.moisture_db - hotter.moisture_db) / most_db


def _gain_of_cake(bench: Bench, at: Point, _: float) -> float:
    """Water that wetter cake leaves in the powder, over what it brought and what warming it cost."""
    base, wetter = (_through(bench, at._replace(cake_db=at.cake_db + x), None) for x in (0.0, 0.01))
    most_db = 0.01 * (1.0 + 4.18 * max(0.0, base.bulbs_c[0] - at.cake_c) / 2300.0)
    return (wetter.moisture_db - base.moisture_db) / most_db


def _wrong_ways(bench: Bench) -> float:
    """How often more air, warmer cake or drier air left wetter powder."""
    wrong = 0
    for at, wall_c in _points():
        base_db = _through(bench, at, wall_c).moisture_db
        for better in (
            at._replace(air_per_solid=1.05 * at.air_per_solid),
            at._replace(cake_c=at.cake_c + 5.0),
            at._replace(humidity=0.5 * at.humidity),
        ):
            wrong += _through(bench, better, wall_c).moisture_db > base_db + 1e-9
    return float(wrong)


def _duct() -> Iterator[Check[Bench]]:
    def row(name: str, unit: str, source: str, value: Callable[[Bench], float], most: float) -> Check[Bench]:
        return Check(DUCT, name, unit, Kind.BOUND, "D", source, value, Span.at_most(most))

    yield row("heat that appears or vanishes", "share", "first law, by enthalpies", _worst(_heat_gap), 1e-12)
    yield row("water that appears or vanishes", "kg/kg", "mass balance of powder and air", _worst(_water_gap), 1e-14)
    yield row("powder above its air or below the wet bulb", "K", "second law", _worst(_beyond_air_k), 1e-9)
    yield row("powder drier than its isotherm", "kg/kg", "sorption equilibrium at the outlet; slices leave 0.002",
              _worst(_too_dry_db), 2e-3)  # fmt: skip
    yield row("air wetter than saturated", "kg/kg", "saturation at the outlet; slices leave 0.002", _worst(_fog), 2e-3)
    yield row("gain of inlet air over its energy ceiling", "share", "a kelvin evaporates no more than its heat",
              _worst(_gain_of_heat), 1.0)  # fmt: skip
    yield row("gain of cake moisture over its ceiling", "share", "wetter cake brings no more than itself",
              _worst(_gain_of_cake), 1.01)  # fmt: skip
    yield row("wrong direction", "of 900", "more air, warmer cake, drier air: never wetter powder", _wrong_ways, 0.0)


def abused(bench: Bench) -> Plant:
    """A plant whose actuators somebody moves at random, with power dips, for two hours."""

    def work() -> Plant:
        rng, plant = random.Random(4), bench.plant()
        plant.inputs.update(NOMINAL)
        for second in range(7200):
            if second > 1500 and second % 60 == 0:
                plant.inputs.update(NOMINAL)
                plant.inputs[rng.choice(INPUT_TAGS)] = rng.choice((0.0, 1.0, 20.0, 100.0, 1500.0, float("nan")))
                plant.has_mains = rng.random() < 0.95
            plant.step(1.0)
        return plant

    return bench.once("abused", work)


def _every(bench: Bench) -> list[Plant]:
    """Every plant of the bench so far, the abused one and two kinds of line among them."""
    abused(bench)
    for kind in ("mechanised", "manual"):
        bench.steady("lobata_wild", kind)
    return bench.plants


def _ledgers(plant: Plant) -> dict[str, Ledger]:
    return plant.ledgers | plant.time_ledgers


def _unbalanced(name: str) -> Callable[[Bench], float]:
    return lambda bench: max(_ledgers(plant)[name].relative_error for plant in _every(bench))


def _least_held_kg(bench: Bench) -> float:
    return min(min(what[:7]) for plant in _every(bench) for what in plant.held().values())


def _books() -> Iterator[Check[Bench]]:
    for name in (*MASSES, *TIMES):
        yield Check(BOOKS, f"{name.replace('_', ' ')} that no book accounts for", "share", Kind.BOUND, "D",
                    "what came in and time made = what left and is held, worst of all plants", _unbalanced(name),
                    Span(0.0, 1e-9))  # fmt: skip
    yield Check(BOOKS, "least hold-up of any component in any machine", "kg", Kind.BOUND, "D", "nothing is negative",
                _least_held_kg, Span.at_least(-1e-9))  # fmt: skip
    yield Check(BOOKS, "powder moisture, steps of 1 s against 0.5 s", "% wb", Kind.INDEPENDENT, "D",
                "the same machines at half the step, mean of ten minutes", _step_error_pct,
                Span(-0.02, 0.02))  # fmt: skip


def _step_error_pct(bench: Bench) -> float:
    means = []
    for dt_s in (1.0, 0.5):
        plant, seen = bench.plant(bench.quiet), []
        plant.inputs.update(NOMINAL)
        for k in range(round(2400 / dt_s)):
            plant.step(dt_s)
            if k * dt_s >= 1800.0:
                seen.append(powder_pct(plant.dryer))
        means.append(statistics.fmean(seen))
    return means[0] - means[1]


def _shown(_: Bench) -> dict[str, list[float]]:
    """What instruments show of something that stands still."""
    rows, _totals = instrument_rows()
    middle = {row.tag: 0.5 * (row.low + row.high) for row in rows}
    sensors, noise = Sensors("1:calibration", middle), Noise("1:noise")
    values, nothing = [middle[tag] for tag in RATE_TAGS], [0.0] * len(TOTAL_TAGS)
    seen: dict[str, list[float]] = {tag: [] for tag in RATE_TAGS}
    for _k in range(_LOOKS):
        sensors.step(values, nothing, noise.take(len(RATE_TAGS)), 1.0)
        shown = sensors.shown()
        for tag in RATE_TAGS:
            seen[tag].append(shown[tag])
    return seen


def _noise_ratios(bench: Bench) -> list[float]:
    """Standard deviation shown over the declared one with its rounding.

    Only of instruments whose last digit is finer than their noise: elsewhere rounding is no noise of its own.
    """
    seen = bench.once("shown", lambda: _shown(bench))
    rows = [row for row in instrument_rows()[0] if row.quantum <= row.noise_sd]
    return [statistics.stdev(seen[row.tag]) / sqrt(row.noise_sd**2 + row.quantum**2 / 12.0) for row in rows]


def _picked_ratio(bench: Bench, pick: Callable[[list[float]], float]) -> float:
    return pick(_noise_ratios(bench))


def _sd(bench: Bench, tag: str) -> float:
    return statistics.stdev(bench.once("shown", lambda: _shown(bench))[tag])


def _lag_s(_: Bench, tag: str) -> float:
    """Time to 63 % of a step, without noise."""
    rows, _totals = instrument_rows()
    start = {row.tag: 0.5 * (row.low + row.high) for row in rows}
    sensors, at = Sensors("1:calibration", start), RATE_TAGS.index(tag)
    values, still = [start[name] for name in RATE_TAGS], [0.0] * len(RATE_TAGS)
    before = sensors.shown()[tag]
    values[at] += 10.0
    for k in range(2000):
        sensors.step(values, [0.0] * len(TOTAL_TAGS), still, 0.1)
        if sensors.shown()[tag] - before > 6.32:
            return 0.1 * (k + 1)
    return float("nan")


def _instruments() -> Iterator[Check[Bench]]:
    for word, pick in (("least", min), ("greatest", max)):
        yield Check(INSTRUMENTS, f"noise shown over noise declared, {word}", "-", Kind.INDEPENDENT, "D",
                    "sensors.yaml with rounding, 20 000 readings of all that have finer digits; within 4 %",
                    partial(_picked_ratio, pick=pick), Span.about(1.0, 0.04))  # fmt: skip
    for tag, name, unit, spread, lag in (
        ("MT-306", "NIR moisture", "% wb", Span(0.195, 0.305), Span(2.0, 10.0)),
        ("TT-303", "Pt100 in air", "K", Span.about(0.2, 0.005), Span(10.0, 30.0)),
    ):
        yield Check(INSTRUMENTS, f"{name}: standard deviation shown", unit, Kind.DESIGN, "G",
                    "usual instruments, 0.005 for chance", partial(_sd, tag=tag), spread)  # fmt: skip
        yield Check(INSTRUMENTS, f"{name}: lag", "s", Kind.DESIGN, "G", "usual instruments",
                    partial(_lag_s, tag=tag), lag)  # fmt: skip


CHECKS: tuple[Check[Bench], ...] = (*_duct(), *_books(), *_instruments())
