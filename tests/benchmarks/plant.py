"""The plant alone against the same plant time of a plain ODE: 60 states in RK4, once in numpy, once compiled by numba.

    python tests/benchmarks/plant.py [--rounds 5]

The yardstick is a bare chain of mixed tanks with one exponential each, stepped at 0.1 s; the plant steps at 1 s, for
its stiff parts are solved exactly or implicitly within a step. Goal: 0.8 of the compiled loop and 15 times numpy, in
plant seconds per CPU second. numba is no dependency: install it beside (``pip install numba``), else its line is left
out. Figures are CPU seconds of this process; rounds are interleaved, ratios taken within a round.

The plant is not that ODE, and the goal is told as met or not all the same: a step of it moves eleven amounts through
some twenty machines that open, close, fill and trip, carries lots, clocks and ledgers that close to 1e-9, and shows
forty-eight instruments. What a researcher waits for is the twin (``twin.py``), where the plant takes about a seventh.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from simulator.plant import Plant

STATES, STEP_S = 60, 0.1
OF_NUMBA, OF_NUMPY = 0.8, 15.0
NOMINAL = {
    "XS-101": 1, "XS-201": 1, "XS-301": 1, "SC-101": 40, "SC-103": 12, "FV-104": 30, "SC-201": 1500, "FV-203": 28,
    "FV-204": 44, "SC-206": 32, "SC-302": 44.4, "TV-303": 50, "SC-307": 65,
}  # fmt: skip
WARM_S, PLANT_S, NUMPY_S, NUMBA_S = 1800, 1800, 100, 4000

Floats = Any
_rng = np.random.default_rng(0)
K, Q, START = _rng.uniform(0.01, 0.2, STATES), _rng.uniform(0.05, 0.5, STATES), _rng.uniform(0.0, 1.0, STATES)


def slope(x: Floats) -> Floats:
    """Change of each tank [1/s]: what flows in less what flows out less what reacts."""
    change = np.empty(STATES)
    change[0] = Q[0] * (1.0 - x[0])
    change[1:] = Q[1:] * (x[:-1] - x[1:])
    return change - K * x * np.exp(-1.0 / (x + 0.5))


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


def line(name: str, found: list[float], digits: int = 0) -> str:
    return f"{name:<26} {statistics.median(found):10.{digits}f}   ({min(found):.{digits}f}..{max(found):.{digits}f})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    plant = Plant(seed=1)
    plant.inputs.update(NOMINAL)
    for _ in range(WARM_S):
        plant.step(1.0)
    loop = compiled()
    ours, numpys, numbas = [], [], []
    for _ in range(rounds):
        ours.append(speed(PLANT_S, lambda: plant_steps(plant)))
        numpys.append(speed(NUMPY_S, lambda: by_numpy(START, round(NUMPY_S / STEP_S))))
        if loop is not None:
            numbas.append(speed(NUMBA_S, lambda: loop(START, round(NUMBA_S / STEP_S))))
    print(f"plant seconds per CPU second, {rounds} rounds")
    print(line("plant, all of it", ours))
    print(line("60 states, numpy RK4", numpys))
    goals = [("numpy", numpys, OF_NUMPY)]
    if loop is None:
        print("60 states, numba RK4       left out: numba is not installed (pip install numba)")
    else:
        print(line("60 states, numba RK4", numbas))
        goals.append(("numba", numbas, OF_NUMBA))
    met = True
    for name, of, goal in goals:
        ratios = [mine / theirs for mine, theirs in zip(ours, of, strict=True)]
        reached = statistics.median(ratios) >= goal
        met &= reached
        print(line(f"plant over {name}", ratios, 2) + f"   {'met' if reached else 'NOT MET'} (goal: {goal:g})")
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
