"""The plant alone against the same plant time of a plain ODE: 60 states in RK4, once in numpy, once compiled by numba;
and the dryers of many lines at once against one at a time, and against that ODE of as many lines.

    python tests/benchmarks/plant.py [--rounds 5] [--lanes 1000 4000]

The yardstick is a bare chain of mixed tanks with one exponential each, stepped at 0.1 s; the plant steps at 1 s, for
its stiff parts are solved exactly or implicitly within a step. Goal: 0.8 of the compiled loop and 15 times numpy, in
plant seconds per CPU second. numba is no dependency: install it beside (``pip install numba``), else its line is left
out. Figures are CPU seconds of this process; rounds are interleaved, ratios taken within a round.

The plant is not that ODE, and the goal is told as met or not all the same: a step of it moves eleven amounts through
some twenty machines that open, close, fill and trip, carries lots, clocks and ledgers that close to 1e-9, and shows
forty-eight instruments. What a researcher waits for is the twin (``twin.py``), where the plant takes about a seventh.

The dryers (``machines/many_dryers.py``) are one section of it: exchanger, walls and the twelve slices of humid air of
the duct. Their figures are line seconds per CPU second, each line another operating point; those that step one by one
keep their ledgers, too, a sixth of their time. The same duct compiled by numba, one line after the other, is beside
them: what a compiler would make of the scalar source.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from simulator import material as m
from simulator import psychrometrics
from simulator.ledger import Books
from simulator.machines import duct
from simulator.machines.dryer import FlashDryer
from simulator.machines.heater import Heater
from simulator.machines.many_dryers import ManyDryers
from simulator.parameters import default_parameters
from simulator.plant import Plant
from simulator.psychrometrics import Isotherm

STATES, STEP_S = 60, 0.1
OF_NUMBA, OF_NUMPY = 0.8, 15.0
NOMINAL = {
    "XS-101": 1, "XS-201": 1, "XS-301": 1, "SC-101": 40, "SC-103": 12, "FV-104": 30, "SC-201": 1500, "FV-203": 28,
    "FV-204": 44, "SC-206": 32, "SC-302": 44.4, "TV-303": 50, "SC-307": 65,
}  # fmt: skip
WARM_S, PLANT_S, NUMPY_S, NUMBA_S = 1800, 1800, 100, 4000
ONE_S, MANY_S, CHAINS_S, DUCTS = 5000, 60, 2, 100_000

Floats = Any
_rng = np.random.default_rng(0)
K, Q, START = _rng.uniform(0.01, 0.2, STATES), _rng.uniform(0.05, 0.5, STATES), _rng.uniform(0.0, 1.0, STATES)


def slope(x: Floats) -> Floats:
    """Change of each tank [1/s]: what flows in less what flows out less what reacts. ``x``: (60,), or (60, N)."""
    q, k = (Q, K) if x.ndim == 1 else (Q[:, None], K[:, None])
    change = np.empty(x.shape)
    change[0] = q[0] * (1.0 - x[0])
    change[1:] = q[1:] * (x[:-1] - x[1:])
    return change - k * x * np.exp(-1.0 / (x + 0.5))


def by_numpy(x: Floats, steps: int) -> Floats:
    """RK4 on whole arrays."""
    h = STEP_S
    for _ in range(steps):
        a = slope(x)
        b = slope(x + h / 2 * a)
        c = slope(x + h / 2 * b)
        x = x + h / 6 * (a + 2 * b + 2 * c + slope(x + h * c))
    return x


def compiled() -> Callable[[Floats, int], Floats] | None:
    """The same as a loop over single numbers, compiled; None without numba."""
    try:
        import numba  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return None

    @numba.njit  # type: ignore[untyped-decorator,unused-ignore]
    def change(x: Floats, out: Floats, q: Floats, k: Floats) -> None:
        for i in range(x.size):
            inflow = 1.0 if i == 0 else x[i - 1]
            out[i] = q[i] * (inflow - x[i]) - k[i] * x[i] * np.exp(-1.0 / (x[i] + 0.5))

    @numba.njit  # type: ignore[untyped-decorator,unused-ignore]
    def steps_of(start: Floats, steps: int, h: float, q: Floats, k: Floats) -> Floats:
        x = start.copy()
        a, b, c, d = np.empty(x.size), np.empty(x.size), np.empty(x.size), np.empty(x.size)
        for _ in range(steps):
            change(x, a, q, k)
            change(x + h / 2 * a, b, q, k)
            change(x + h / 2 * b, c, q, k)
            change(x + h * c, d, q, k)
            for i in range(x.size):
                x[i] += h / 6 * (a[i] + 2 * b[i] + 2 * c[i] + d[i])
        return x

    def run(x: Floats, steps: int) -> Floats:
        return steps_of(x, steps, STEP_S, Q, K)

    apart = float(np.abs(run(START, 500) - by_numpy(START, 500)).max())  # compiles, too
    if apart > 1e-12:
        raise SystemExit(f"the compiled loop is {apart:g} away from numpy's")
    return run


def speed(plant_s: float, work: Callable[[], object]) -> float:
    """Plant seconds in one CPU second."""
    began = time.process_time()
    work()
    return plant_s / (time.process_time() - began)


def plant_steps(plant: Plant) -> None:
    for _ in range(PLANT_S):
        plant.step(1.0)
        plant.measure()
        if plant.hopper.mass_kg < 400.0:
            plant.load(1000.0)


class Dryers:
    """As many dryers as lanes, warm, each at an operating point of its own."""

    def __init__(self, lanes: int) -> None:
        self.p = p = default_parameters()
        rng = np.random.default_rng(1)
        self.solids, self.cake_db, self.air, self.humidity = rng.uniform(
            (0.02, 0.5, 0.45, 0.005), (0.05, 0.75, 0.75, 0.015), (lanes, 4)
        ).T
        self.useful_kw, self.room_c, self.cake_c = 105.0 * self.air, np.full(lanes, 18.0), np.full(lanes, 17.0)
        self.many = ManyDryers(p.dryer, p.isotherm, p.heater, self.room_c)
        self.at_once(600)
        self.dryer = FlashDryer(p.dryer, Isotherm(p.isotherm), 18.0, Books())
        self.heater = Heater(p.heater, 18.0, Books())
        self.one_by_one(600)

    def at_once(self, seconds: int) -> None:
        for _ in range(seconds):
            inlet_c = self.many.heat(self.useful_kw, self.air, self.room_c, self.humidity, 1.0)
            self.many.step(self.solids, self.cake_db, self.cake_c, self.air, inlet_c, self.humidity, self.room_c, 1.0)

    def one_by_one(self, seconds: int) -> None:
        heater, dryer = self.heater, self.dryer
        cake = m.empty()
        cake[m.FREE], cake[m.WATER] = 0.034, 0.0208
        cake[m.HEAT] = m.heat_capacity_kj_k(cake) * 17.0
        for _ in range(seconds):
            heater.step(0.62, 50.0, True, 18.0, 0.0077, 1.0)
            dryer.step(list(cake), 0.62, heater.inlet_c, 0.0077, 18.0, 1.0)


def compiled_ducts() -> Callable[[], float] | None:
    """The very duct of the plant, compiled, through many operating points one after the other; None without numba."""
    try:
        import numba  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return None

    def made(function: Any, **others: Any) -> Any:
        return numba.njit(FunctionType(function.__code__, function.__globals__ | others, None, function.__defaults__))

    saturation = made(psychrometrics._saturation_pa)
    dry = made(duct.dry_through_duct, wet_bulb_c=made(psychrometrics.wet_bulb_c, _saturation_pa=saturation))
    p = default_parameters()
    constants, walls, bulbs = p.dryer.duct(p.isotherm), (70.0, 50.0, 45.0), (38.0, 38.0, 38.5, 39.0)

    @numba.njit  # type: ignore[untyped-decorator,unused-ignore]
    def through(n: int) -> float:
        total = 0.0
        for k in range(n):
            inlet_c = 100.0 + 70.0 * k / n
            total += dry(0.61, 64.0, 1.25, 18.0, 0.62, 2.5, inlet_c, 0.0077, walls, bulbs, constants).moisture_db
        return total

    through(1)  # compiles
    return lambda: through(DUCTS)


def line(name: str, found: list[float], digits: int = 0) -> str:
    return f"{name:<26} {statistics.median(found):10.{digits}f}   ({min(found):.{digits}f}..{max(found):.{digits}f})"


def ratio(name: str, mine: list[float], of: list[float], goal: float) -> bool:
    """Print ratios taken within a round; returns whether their median meets the goal."""
    ratios = [a / b for a, b in zip(mine, of, strict=True)]
    reached = statistics.median(ratios) >= goal
    print(line(name, ratios, 2) + f"   {'met' if reached else 'NOT MET'} (goal: {goal:g})")
    return reached


def the_plant(rounds: int, loop: Callable[[Floats, int], Floats] | None) -> bool:
    """One line, all of it."""
    plant = Plant(seed=1)
    plant.inputs.update(NOMINAL)
    for _ in range(WARM_S):
        plant.step(1.0)
    ours, numpys, numbas = [], [], []
    for _ in range(rounds):
        ours.append(speed(PLANT_S, lambda: plant_steps(plant)))
        numpys.append(speed(NUMPY_S, lambda: by_numpy(START, round(NUMPY_S / STEP_S))))
        if loop is not None:
            numbas.append(speed(NUMBA_S, lambda: loop(START, round(NUMBA_S / STEP_S))))
    print(f"plant seconds per CPU second, {rounds} rounds")
    print(line("plant, all of it", ours))
    print(line("60 states, numpy RK4", numpys))
    if loop is None:
        print("60 states, numba RK4       left out: numba is not installed (pip install numba)")
    else:
        print(line("60 states, numba RK4", numbas))
    met = ratio("plant over numpy", ours, numpys, OF_NUMPY)
    return met if loop is None else ratio("plant over numba", ours, numbas, OF_NUMBA) and met


def the_dryers(rounds: int, lanes: int, loop: Callable[[Floats, int], Floats] | None) -> None:
    """One section of many lines."""
    dryers, ducts = Dryers(lanes), compiled_ducts()
    chains = np.tile(START[:, None], lanes)
    one, many, numpys, chained, numbas, compiled_s = [], [], [], [], [], []
    for _ in range(rounds):
        one.append(speed(ONE_S, lambda: dryers.one_by_one(ONE_S)))
        many.append(speed(lanes * MANY_S, lambda: dryers.at_once(MANY_S)))
        numpys.append(speed(NUMPY_S, lambda: by_numpy(START, round(NUMPY_S / STEP_S))))
        chained.append(speed(lanes * CHAINS_S, lambda: by_numpy(chains, round(CHAINS_S / STEP_S))))
        if loop is not None and ducts is not None:
            numbas.append(speed(NUMBA_S, lambda: loop(START, round(NUMBA_S / STEP_S))))
            compiled_s.append(speed(DUCTS, ducts))
    print(f"\nline seconds per CPU second, dryers of {lanes} lines, {rounds} rounds")
    print(line("dryers, one by one", one))
    print(line("dryers, all at once", many))
    print(line("60 states each, numpy", chained))
    if compiled_s:
        print(line("their ducts in numba", compiled_s))
    ratio("at once over one by one", many, one, 1.0)
    ratio("at once over 1 numpy ODE", many, numpys, OF_NUMPY)
    ratio("at once over numpy ODEs", many, chained, OF_NUMPY)
    if compiled_s:
        ratio("at once over 1 numba ODE", many, numbas, OF_NUMBA)
        ratio("at once over numba ducts", many, compiled_s, OF_NUMBA)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lanes", type=int, nargs="*", default=[1000, 4000])
    asked = parser.parse_args()
    loop = compiled()
    met = the_plant(asked.rounds, loop)
    for lanes in asked.lanes:
        the_dryers(asked.rounds, lanes, loop)
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
