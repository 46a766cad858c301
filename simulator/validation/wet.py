"""Washing, rasping, sieving, cyclones, settling, the peeler and what time does to wet starch."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from math import log, pi, sqrt

from simulator import material as m
from simulator.ledger import Books
from simulator.machines.concentrator import caught_share, cyclone_cut_um, settling_cut_um, viscosity_pa_s
from simulator.machines.rasp import Rasp
from simulator.machines.sieves import Sieves
from simulator.machines.trommel import Trommel
from simulator.validation.bench import Bench
from simulator.validation.check import Check, Kind, Span
from simulator.wet_clocks import WetClocks, growth_per_h, ph

WASH, RASP, SIEVES = "Washing", "Rasp", "Sieves"
MILK, PEELER, CLOCKS = "Cyclones and settling", "Peeler and cake", "Germs and souring"
_FREED = ((500.0, 0.41), (300.0, 0.61), (200.0, 0.78), (150.0, 0.90), (80.0, 1.00))
_STAGES = ((1, 3.0), (2, 2.0), (3, 2.0), (3, 3.0), (4, 4.0))


def root(soil: float) -> m.Material:
    """A kilogram of clean root and some soil on it."""
    roots = m.empty()
    roots[m.BOUND], roots[m.COARSE], roots[m.WATER], roots[m.SOLUBLE] = 0.18, 0.07, 0.70, 0.05
    roots[m.SOIL] = soil
    roots[m.HEAT] = m.heat_capacity_kj_k(roots) * 11.0
    return roots


def _soil_pct(bench: Bench, water_m3_h: float) -> float:
    """Behind a drum fed with 1 t/h of which a twentieth is soil per clean root, after ten minutes."""
    drum = Trommel(bench.parameters.trommel, Books())
    for _ in range(600):
        drum.step(m.part(root(0.05), 1000.0 / 3600.0 / 1.05), 12.0, water_m3_h, 13.0, False, True, 1.0)
    return drum.soil_pct_wb


def _soil_by_law(bench: Bench, water_m3_h: float) -> Span:
    """Three mixed sections of the washing law in series."""
    p = bench.parameters.trommel
    kt = p.wash_rate_per_min * p.residence_s / 60.0 * sqrt(water_m3_h / 3.0)
    return Span.near(100.0 * 0.05 / 1.05 * (1.0 - p.screen_soil_share) * (1.0 + kt / 3.0) ** -3, 0.15)


def _washing() -> Iterator[Check[Bench]]:
    yield Check(WASH, "soil behind the drum, 1 t/h and 3 m3/h", "% wb", Kind.DESIGN, "G", "practice: under 0.1-0.3 %",
                lambda bench: _soil_pct(bench, 3.0), Span(0.0, 0.3))  # fmt: skip
    for water in (1.5, 3.0, 6.0):
        yield Check(
            WASH, f"soil behind the drum at {water} m3/h, against its law", "% wb", Kind.INDEPENDENT, "D",
            "exp(-k t sqrt(q)) in three mixed sections, by hand; within 15 %",
            partial(_soil_pct, water_m3_h=water), partial(_soil_by_law, water_m3_h=water),
        )  # fmt: skip


def _ground(bench: Bench, size_um: float | None = None) -> tuple[Rasp, float]:
    """A rasp at its reference load, its size set; and the share of the starch that its mash holds free."""
    p = bench.parameters.rasp
    rasp = Rasp(p if size_um is None else replace(p, size_um=size_um, wear_size_per_h=0.0), Books())
    mash = m.empty()
    for _ in range(120):
        mash = rasp.step(m.part(root(0.0), p.reference_kg_h / 3600.0), p.reference_rpm, True, 1.0)
    return rasp, mash[m.FREE] / m.starch_kg(mash)


def _freed(bench: Bench, size_um: float) -> float:
    return _ground(bench, size_um)[1]


def _cutting_kwh_t(bench: Bench, size_um: float) -> float:
    p = bench.parameters.rasp
    return (_ground(bench, size_um)[0].power_kw - p.idle_kw) / p.reference_kg_h * 1000.0


def _rasp() -> Iterator[Check[Bench]]:
    for size_um, freed in _FREED:
        yield Check(RASP, f"starch freed in mash of {size_um:.0f} um", "kg/kg", Kind.INDEPENDENT, "D",
                    "cells of 80 um cut open at the surface of a cube, worked by hand",
                    partial(_freed, size_um=size_um),
                    Span.printed(freed, 0.01))  # fmt: skip
    yield Check(RASP, "cutting energy at 75 um over the factor for kudzu", "kWh/t", Kind.DESIGN, "S",
                "industrial cassava grinder 37.03 kJ/kg (Eng. Agric. 2019)",
                lambda bench: _cutting_kwh_t(bench, 75.0) / bench.parameters.rasp.kudzu_energy_factor,
                Span.near(10.3, 0.02))  # fmt: skip
    yield Check(RASP, "all energy of the rasp per root at its reference load", "kWh/t", Kind.PUBLISHED, "S",
                "hammer mill, arrowroot, 8.7-13.6, times 1.5-2 for fibre (the factor is general knowledge)",
                lambda bench: _ground(bench)[0].power_kw / bench.parameters.rasp.reference_kg_h * 1000.0,
                Span(13.0, 27.2))  # fmt: skip


def _left(bench: Bench, stages: int, ratio: float) -> float:
    """Free starch left in the pulp of the machine, run on the equation's assumptions until it is steady."""
    p = replace(bench.parameters.sieves, stages=stages, wash_efficiency=1.0, blinding_per_t=0.0)
    sieves = Sieves(p, Books(), bench.parameters.clocks.adhering_share)
    mash = m.empty()
    mash[m.COARSE], mash[m.FREE] = 0.01, 0.03
    mash[m.WATER] = 0.01 * (1.0 / p.pulp_dry_share - 1.0)
    for _ in range(600):
        sieves.step(list(mash), 38.5, ratio * mash[m.WATER] * 3.6, 13.0, True, 1.0)
    return sieves.free_left


def _sieves() -> Iterator[Check[Bench]]:
    for stages, ratio in _STAGES:
        kremser = (ratio - 1.0) / (ratio ** (stages + 1) - 1.0)
        yield Check(SIEVES, f"free starch left in the pulp, N = {stages}, A = {ratio:.0f}", "kg/kg", Kind.INDEPENDENT,
                    "D", "Kremser's equation for counter-current washing",
                    partial(_left, stages=stages, ratio=ratio),
                    Span.near(kremser, 0.001))  # fmt: skip
    yield Check(SIEVES, "dry matter of drained pulp", "% wb", Kind.PUBLISHED, "S", "cassava 10-12 and 12-15 %",
                lambda bench: _shift(bench)["pulp_dry_pct"], Span(10.0, 15.0))  # fmt: skip


def _cut_um(bench: Bench) -> float:
    p = bench.parameters.concentrator
    return cyclone_cut_um(p.cyclone_l_min, p.cyclone_length_mm, p.cyclone_bar, 14.0)


def _cut_by_similarity(bench: Bench) -> Span:
    """Stk50 Eu = 0.0611 of Rietema's shape, as Svarovsky writes it, from the same flow and pressure drop."""
    p = bench.parameters.concentrator
    flow, width, drop = p.cyclone_l_min / 60_000.0, 0.010, p.cyclone_bar * 1e5
    speed = 4.0 * flow / (pi * width**2)
    euler = drop / (998.0 * speed**2 / 2.0)
    stokes = 0.0611 / euler
    return Span.near(1e6 * sqrt(18.0 * viscosity_pa_s(14.0) * width * stokes / (532.0 * speed)), 0.20)


def _page_um() -> float:
    """0.55 sqrt(mu Dc / (drho v sin theta)) for 10 mm, 8 m/s, 10 degrees."""
    return 1e6 * 0.55 * sqrt(1.17e-3 * 0.010 / (532.0 * 8.0 * 0.1736))


def _caught(bench: Bench) -> float:
    p = bench.parameters.concentrator
    return caught_share(p.granule_um, p.granule_spread, _cut_um(bench), p.cyclone_sharpness, p.cyclone_passes)


def _milk() -> Iterator[Check[Bench]]:
    yield Check(MILK, "d50 of a 10 mm cyclone", "um", Kind.INDEPENDENT, "G",
                "Stk50 Eu = 0.061 of Rietema's shape (Svarovsky), by hand; within 20 %", _cut_um,
                _cut_by_similarity)  # fmt: skip
    yield Check(MILK, "d50 of a 10 mm cyclone, against an engineering page", "um", Kind.PUBLISHED, "S",
                "0.55 sqrt(mu D/(drho v sin theta)) at 8 m/s and 10° (myengineeringtools)", _cut_um,
                Span.near(_page_um(), 0.20))  # fmt: skip
    yield Check(MILK, "granules caught by two passes at 14 °C", "kg/kg", Kind.DESIGN, "G",
                "stage factor of a mechanised line", _caught, Span.about(0.97, 0.01))  # fmt: skip
    yield Check(MILK, "granule that settles 1 m in 10.2 h at 20 °C", "um", Kind.INDEPENDENT, "D",
                "Stokes by hand with 500 kg/m3 over water: 9.8 cm/h; within 5 %",
                lambda _: settling_cut_um(10.2, 1.0, 20.0),
                Span.near(10.0, 0.05))  # fmt: skip
    yield Check(MILK, "viscosity of water, worst of 10, 20, 40 °C", "%", Kind.INDEPENDENT, "G",
                "steam tables 1.306, 1.002, 0.653 mPa s",
                lambda _: max(abs(viscosity_pa_s(t) / v - 1.0) * 100.0
                              for t, v in ((10.0, 1.306e-3), (20.0, 1.002e-3), (40.0, 0.653e-3))),
                Span(0.0, 2.0))  # fmt: skip
    yield Check(MILK, "dry matter of raw milk", "% wb", Kind.PUBLISHED, "S", "cassava 2-3 % before the cyclones",
                lambda bench: _shift(bench)["raw_dry_pct"], Span(1.5, 3.5))  # fmt: skip
    yield Check(MILK, "dry matter of concentrated milk", "% wb", Kind.PUBLISHED, "S",
                "cassava, about 15 % after the cyclones", lambda bench: _shift(bench)["milk_dry_pct"],
                Span.printed(15.0, 1.0))  # fmt: skip


def _shift(bench: Bench) -> dict[str, float]:
    return bench.once("shift", lambda: _run_shift(bench))


def _run_shift(bench: Bench) -> dict[str, float]:
    """Two and a half hours at the nominal settings: peeler cycles after the first half hour, and streams."""
    plant = bench.plant()
    plant.inputs.update({"XS-101": 1, "XS-201": 1, "XS-301": 1, "SC-101": 40, "SC-103": 12, "FV-104": 30})
    plant.inputs.update({"SC-201": 1500, "FV-203": 28, "FV-204": 44, "SC-206": 32, "SC-302": 44.4, "SC-307": 65})
    plant.inputs["TV-303"] = 50
    plant.load(3000.0, plant.lot)
    was, shown, peaks, at_s, raw = plant.peeler.phase, [0.0], [], [], []
    pulp = list(plant.books.exits["pulp"])
    for second in range(9000):
        plant.step(1.0)
        if second == 1800:
            pulp = list(plant.books.exits["pulp"])
        if second >= 1800 and was != "feed" and plant.peeler.phase == "feed":
            at_s.append(plant.time_s)
            peaks.append(statistics.fmean(shown[-15:]))
        if second >= 1800 and second % 60 == 0:
            raw.append(m.dry_kg(plant.concentrator.tank) / m.mass_kg(plant.concentrator.tank))
        was = plant.peeler.phase
        shown.append(plant.peeler.cake_pct_wb)
    pulped = m.minus(plant.books.exits["pulp"], pulp)
    milk = plant.milk_tank.milk
    return {
        "cycle_s": statistics.fmean(b - a for a, b in pairwise(at_s)),
        "cake_pct": statistics.fmean(peaks),
        "first_pct": statistics.fmean(peaks[:6]),
        "scatter_pct": statistics.stdev(b - a for a, b in pairwise(peaks)) / sqrt(2.0),
        "drift_pct_h": statistics.linear_regression([t / 3600.0 for t in at_s], peaks).slope,
        "pulp_dry_pct": 100.0 * m.dry_kg(pulped) / m.mass_kg(pulped),
        "raw_dry_pct": 100.0 * statistics.fmean(raw),
        "cake_minutes": plant.cake_hopper.mass_kg / (plant.cake_hopper.rate_kg_s * 60.0),
        "milk_dry_pct": 100.0 * m.dry_kg(milk) / m.mass_kg(milk),
    }


def _peeler() -> Iterator[Check[Bench]]:
    def row(name: str, unit: str, mark: str, source: str, key: str, span: Span) -> Check[Bench]:
        kind = Kind.PUBLISHED if mark == "S" else Kind.DESIGN
        return Check(PEELER, name, unit, kind, mark, source, lambda bench: _shift(bench)[key], span)

    yield row("cake moisture, first twenty minutes after half an hour", "% wb", "S", "cassava, peeler 37-38 %",
              "first_pct", Span(36.5, 38.5))  # fmt: skip
    yield row("cake moisture, mean of two hours without a rinse", "% wb", "S", "kudzu starch to the dryer 35-45 %",
              "cake_pct", Span(35.0, 45.0))  # fmt: skip
    yield row("peeler cycle: sawtooth of cake flow", "s", "G", "3-6 min", "cycle_s", Span(180.0, 360.0))  # fmt: skip
    yield row("scatter from cycle to cycle", "% wb", "G", "0.5-1.0", "scatter_pct", Span(0.5, 1.0))  # fmt: skip
    yield row("drift of cake moisture until a rinse", "% wb/h", "G", "cloth blinding 0.5; trend of two hours",
              "drift_pct_h", Span.about(0.5, 0.25))  # fmt: skip
    yield row("time that cake waits in the hopper", "min", "G", "10-20 smooth the sawtooth", "cake_minutes",
              Span(10.0, 20.0))  # fmt: skip
    yield Check(PEELER, "cake moisture of the craft line", "% wb", Kind.PUBLISHED, "S",
                "kudzu starch to the dryer 35-45 %", lambda bench: bench.steady("lobata_wild", "manual")["cake_pct"],
                Span(35.0, 45.0))  # fmt: skip


def _waited(bench: Bench, temp_c: float, hours: float, log_cfu_g: float) -> m.Material:
    """Starch milk left in a tank."""
    p = bench.parameters.clocks
    milk, clocks = m.empty(), WetClocks(p, Books())
    milk[m.FREE], milk[m.WATER] = 10.0, 40.0
    milk[m.HEAT] = m.heat_capacity_kj_k(milk) * temp_c
    milk[m.GERMS] = 50.0 * 10.0 ** (log_cfu_g - 6.0)
    for _ in range(round(hours * 3600.0 / p.interval_s)):
        clocks.is_due(p.interval_s)
        clocks.elapse((milk,), m.empty(), temp_c)
    return milk


def _doubling_h(bench: Bench, temp_c: float) -> float:
    return log(2.0) / growth_per_h(temp_c, bench.parameters.clocks)


def _gain_log(bench: Bench) -> float:
    return m.germs_log_cfu_g(_waited(bench, 28.0, 10.0, 4.0)) - 4.0


def _clocks() -> Iterator[Check[Bench]]:
    for temp_c, hours in ((15.0, 7.7), (25.0, 1.9), (37.0, 0.75)):
        yield Check(CLOCKS, f"doubling time at {temp_c:.0f} °C", "h", Kind.INDEPENDENT, "D",
                    "square-root law sqrt(mu) = 0.030 (T - 5), by hand",
                    partial(_doubling_h, temp_c=temp_c),
                    Span.near(hours, 0.02))  # fmt: skip
    yield Check(CLOCKS, "growth in slurry, 10 h at 28 °C", "log CFU/g", Kind.INDEPENDENT, "D",
                "square-root law, 8 h behind a lag of 2 h, by hand: 1.7", _gain_log,
                Span.printed(1.7, 0.1))  # fmt: skip
    yield Check(CLOCKS, "pH of slurry after 8 h at 30 °C", "pH", Kind.PUBLISHED, "S",
                "rice slurry from 6.8 to 4.0 in 8 h, temperature not said: an analogue",
                lambda bench: ph(m.germs_log_cfu_g(_waited(bench, 30.0, 8.0, 4.0)), bench.parameters.clocks),
                Span.printed(4.0, 0.1))  # fmt: skip


CHECKS: tuple[Check[Bench], ...] = (*_washing(), *_rasp(), *_sieves(), *_milk(), *_peeler(), *_clocks())
