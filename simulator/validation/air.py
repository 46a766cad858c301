"""Humid air against other formulas and a library's table; sorption; powder in bags."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from math import exp, log

from simulator.machines.bags import bag_climate
from simulator.psychrometrics import (
    Isotherm,
    air_enthalpy_kj_kg,
    dew_point_c,
    humid_volume_m3_kg,
    humidity_kg_kg,
    saturation_pressure_pa,
    wet_bulb_c,
)
from simulator.validation.bench import Bench
from simulator.validation.check import Check, Kind, Span

AIR, SORPTION, BAGS = "Humid air", "Sorption", "Bags"
_COOLPROP = "CoolProp 8.0.0, ten points of humid air it printed (ASHRAE RP-1485, real gas)"
# CoolProp 8.0.0, 101325 Pa: °C, relative humidity; kg/kg, wet bulb °C, dew point °C, kJ/kg, m3/kg
_PRINTED = (
    (10, 0.5, 0.003808, 5.53, 0.06, 19.65, 0.8066),
    (18, 0.6, 0.00773, 13.41, 10.13, 37.69, 0.8347),
    (25, 0.9, 0.018097, 23.72, 23.25, 71.22, 0.8688),
    (40, 0.3, 0.013971, 25.09, 19.14, 76.21, 0.9068),
    (55, 0.3, 0.030623, 36.01, 31.9, 135.04, 0.9752),
    (55, 0.8, 0.088962, 50.83, 50.42, 286.68, 1.0618),
    (90, 0.05, 0.022406, 38.44, 26.71, 150.46, 1.0658),
    (126, 0.005, 0.007437, 38.36, 9.56, 147.46, 1.1445),
    (160, 0.003, 0.011595, 43.97, 16.24, 194.15, 1.2502),
    (190, 0.005, 0.04106, 53.19, 36.89, 309.71, 1.399),
)
# moisture [% wb] at 25, 40 and 60 °C by water activity, worked by hand from the default constants
_BY_HAND = {
    0.40: (9.59, 8.80, 7.93),
    0.50: (10.95, 10.09, 9.14),
    0.60: (12.47, 11.54, 10.50),
    0.65: (13.33, 12.36, 11.28),
    0.70: (14.27, 13.26, 12.13),
    0.75: (15.33, 14.27, 13.09),
    0.80: (16.52, 15.42, 14.18),
}


def wagner_pa(temp_c: float) -> float:
    """Saturation pressure of water after Wagner and Pruss (IAPWS 1995), another form than the plant's."""
    kelvin = temp_c + 273.15
    tau = 1.0 - kelvin / 647.096
    terms = -7.85951783 * tau + 1.84408259 * tau**1.5 - 11.7866497 * tau**3
    terms += 22.6807411 * tau**3.5 - 15.9618719 * tau**4 + 1.80122502 * tau**7.5
    return 22.064e6 * exp(647.096 / kelvin * terms)


def bisected_bulb_c(temp_c: float, humidity: float) -> float:
    """Adiabatic saturation by bisection of the air's enthalpy balance, on ``wagner_pa``."""
    low, high = -5.0, min(temp_c, 99.0)
    for _ in range(60):
        bulb_c = 0.5 * (low + high)
        vapour_pa = min(wagner_pa(bulb_c), 100_000.0)
        saturated = 0.622 * vapour_pa / (101_325.0 - vapour_pa)
        gained = 1.006 * temp_c + humidity * (2501.0 + 1.86 * temp_c) + (saturated - humidity) * 4.19 * bulb_c
        needed = 1.006 * bulb_c + saturated * (2501.0 + 1.86 * bulb_c)
        low, high = (bulb_c, high) if needed < gained else (low, bulb_c)
    return 0.5 * (low + high)


def _states(count: int = 200) -> Iterator[tuple[float, float]]:
    rng = random.Random(3)
    while count:
        temp_c, humidity = rng.uniform(5.0, 199.0), float(10 ** rng.uniform(-2.7, -0.9))
        if humidity < 0.95 * humidity_kg_kg(temp_c, 1.0):
            count -= 1
            yield temp_c, humidity


def _pressure_pct(_: Bench) -> float:
    return max(100.0 * abs(saturation_pressure_pa(t) / wagner_pa(t) - 1.0) for t in range(1, 200))


def _bulb_k(_: Bench) -> float:
    return max(abs(wet_bulb_c(t, y) - bisected_bulb_c(t, y)) for t, y in _states())


def _vapour_pa(humidity: float) -> float:
    return 101_325.0 * humidity / (0.62198 + humidity)


def _worst(error: Callable[..., float]) -> Callable[[Bench], float]:
    return lambda _: max(error(*row) for row in _PRINTED)


def _air() -> Iterator[Check[Bench]]:
    def row(name: str, unit: str, source: str, value: Callable[[Bench], float], most: float) -> Check[Bench]:
        return Check(AIR, name, unit, Kind.INDEPENDENT, "S", source, value, Span(0.0, most))

    yield row("saturation pressure, worst of 1-199 °C", "%", "Wagner and Pruss, IAPWS", _pressure_pct, 0.1)
    yield row("wet bulb, worst of 200 states of 5-199 °C", "K", "enthalpy balance on Wagner and Pruss, bisected",
              _bulb_k, 0.15)  # fmt: skip
    yield row("wet bulb, worst of a library's table", "K", _COOLPROP,
              _worst(lambda t, _r, y, b, _d, _h, _v: abs(wet_bulb_c(t, y) - b)), 0.15)  # fmt: skip
    yield row("dew point, worst of a library's table", "K", _COOLPROP,
              _worst(lambda _t, _r, y, _b, d, _h, _v: abs(dew_point_c(_vapour_pa(y)) - d)), 0.15)  # fmt: skip
    yield row("humidity of saturated air, worst of a library's table", "%", _COOLPROP,
              _worst(lambda t, r, y, _b, _d, _h, _v: 100.0 * abs(humidity_kg_kg(t, r) / y - 1.0)), 1.0)  # fmt: skip
    yield row("enthalpy in % of h + 20 kJ/kg, worst of a library's table", "%", _COOLPROP,
              _worst(lambda t, _r, y, _b, _d, h, _v: 100.0 * abs(air_enthalpy_kj_kg(t, y) - h) / (h + 20.0)),
              1.0)  # fmt: skip
    yield row("volume, worst of a library's table", "%", _COOLPROP,
              _worst(lambda t, _r, y, _b, _d, _h, v: 100.0 * abs(humid_volume_m3_kg(t, y) / v - 1.0)),
              0.2)  # fmt: skip


def _table_error_pct(bench: Bench) -> float:
    isotherm, worst = bench.isotherm, 0.0
    for activity, row in _BY_HAND.items():
        for temp_c, by_hand_pct in zip((25.0, 40.0, 60.0), row, strict=True):
            moisture_db = isotherm.moisture_db(activity, temp_c)
            worst = max(worst, abs(100.0 * moisture_db / (1.0 + moisture_db) - by_hand_pct))
    return worst


def _there_and_back(bench: Bench) -> float:
    isotherm = bench.isotherm
    points = [(0.05 * k, temp_c) for k in range(1, 19) for temp_c in (5.0, 25.0, 60.0, 110.0)]
    return max(abs(isotherm.activity(isotherm.moisture_db(aw, t), t) - aw) for aw, t in points)


def _falls_pct(bench: Bench) -> float:
    """Greatest change of moisture from 30 to 60 °C below water activity 0.85; negative where sorption falls."""
    isotherm = bench.isotherm
    return max(
        100.0 * (isotherm.moisture_db(0.05 * k, 60.0) - isotherm.moisture_db(0.05 * k, 30.0)) for k in range(1, 18)
    )


def _net_heat_kj_mol(bench: Bench) -> float:
    """Net heat of sorption at 5 % db around 35 °C, from the isotherm's own temperatures (Clausius-Clapeyron)."""
    low, high = (log(bench.isotherm.activity(0.05, t)) for t in (25.0, 50.0))
    return 8.314e-3 * (high - low) / (1.0 / 298.15 - 1.0 / 323.15)


def _at_065_pct(bench: Bench) -> float:
    return 100.0 * bench.isotherm.moisture_db(0.65, 25.0)


def _thin_at_065_pct(bench: Bench) -> float:
    thin = bench.parameters.with_values({"isotherm.monolayer_db": 0.060})
    return 100.0 * Isotherm(thin.isotherm).moisture_db(0.65, 25.0)


def _sorption() -> Iterator[Check[Bench]]:
    flour = "no visible fungi for six months: corn and wheat flour 10.5-10.7 % db (Abdullah 2000): analogues"
    yield Check(SORPTION, "isotherm, worst of 21 points", "% wb", Kind.INDEPENDENT, "D",
                "GAB table at 25, 40, 60 °C worked by hand", _table_error_pct, Span(0.0, 0.02))  # fmt: skip
    yield Check(SORPTION, "activity of moisture of activity, worst", "-", Kind.INDEPENDENT, "D",
                "the inverse gives back what went in", _there_and_back, Span(0.0, 1e-6))  # fmt: skip
    yield Check(SORPTION, "moisture at water activity 0.65, 25 °C", "% db", Kind.PUBLISHED, "S", flour, _at_065_pct,
                Span(10.45, 10.75))  # fmt: skip
    yield Check(SORPTION, "the same with isotherm.monolayer_db 0.060", "% db", Kind.PUBLISHED, "S", flour,
                _thin_at_065_pct, Span(10.45, 10.75))  # fmt: skip
    yield Check(SORPTION, "change of sorption from 30 to 60 °C, greatest below 0.85", "% db", Kind.PUBLISHED, "S",
                "falls with temperature (potato and maize starch, Al-Muhtaseb 2004)", _falls_pct,
                Span.at_most(0.0))  # fmt: skip
    yield Check(SORPTION, "net heat of sorption at 5 % db", "kJ/mol", Kind.PUBLISHED, "S",
                "amaranth starch 30 at 5 % db (J. Food Eng. 42): an analogue", _net_heat_kj_mol,
                Span.printed(30.0, 10.0))  # fmt: skip


def _activity_at(bench: Bench, moisture_pct: float, temp_c: float) -> float:
    return bag_climate(moisture_pct / (100.0 - moisture_pct), temp_c, bench.isotherm)[0]


def _bags(bench: Bench) -> dict[str, float]:
    """Of four lines run with a slow hand on the burner, from their cold start on."""
    for species in ("lobata_wild", "thomsonii_selected"):
        for kind in ("mechanised", "manual"):
            bench.steady(species, kind)
    bags = [bag for plant in bench.steady_plants for bag in plant.packing.bagging.bags]
    return {
        "temp": max(bag.temp_c for bag in bags),
        "activity": max(bag.water_activity for bag in bags),
        "sweating": float(sum(bag.sweats for bag in bags)),
    }


def _packed() -> Iterator[Check[Bench]]:
    fungi = "no visible fungi for six months at 0.65 and 25 °C (flours, Abdullah 2000)"
    yield Check(BAGS, "water activity of a bag at 40 °C and 13.3 % wb", "-", Kind.INDEPENDENT, "D", "by hand: 0.70",
                lambda bench: _activity_at(bench, 13.3, 40.0), Span.printed(0.70, 0.01))  # fmt: skip
    yield Check(BAGS, "water activity at the setpoint, 13.0 % wb and 25 °C", "-", Kind.PUBLISHED, "S", fungi,
                lambda bench: _activity_at(bench, 13.0, 25.0), Span(0.0, 0.65))  # fmt: skip
    yield Check(BAGS, "water activity at the critical limit, 14.0 % wb and 25 °C", "-", Kind.PUBLISHED, "S", fungi,
                lambda bench: _activity_at(bench, 14.0, 25.0), Span(0.0, 0.65))  # fmt: skip
    yield Check(BAGS, "greatest water activity of a bag since a cold start", "-", Kind.PUBLISHED, "S", fungi,
                lambda bench: _bags(bench)["activity"], Span(0.0, 0.65))  # fmt: skip
    yield Check(BAGS, "warmest bag of these lines", "°C", Kind.DESIGN, "G", "below 30 at bagging",
                lambda bench: _bags(bench)["temp"], Span.at_most(30.0))  # fmt: skip
    yield Check(BAGS, "bags of these lines that sweat", "bags", Kind.DESIGN, "D", "none below 30 °C in this room",
                lambda bench: _bags(bench)["sweating"], Span(0.0, 0.0))  # fmt: skip


CHECKS: tuple[Check[Bench], ...] = (*_air(), *_sorption(), *_packed())
