"""What the books of every plant that was run forbid; and the instruments."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from math import sqrt

from simulator.actuation import INPUT_TAGS
from simulator.ledger import Ledger
from simulator.plant import Plant
from simulator.sensors import Noise, Sensors, instrument_rows
from simulator.taps import RATE_TAGS, TOTAL_TAGS
from simulator.validation.bench import NOMINAL, Bench, powder_pct
from simulator.validation.check import Check, Kind, Span

BOOKS, INSTRUMENTS = "Books of every plant run", "Instruments"
_LOOKS = 20_000
MASSES = ("starch", "fibre", "water", "soil", "solubles", "energy")
TIMES = ("wet_age", "germs", "browning")


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


CHECKS: tuple[Check[Bench], ...] = (*_books(), *_instruments())
