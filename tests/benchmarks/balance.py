"""Reconciled yield and gross errors over simulated balances: do the intervals cover, do the alarms come as they claim?

    python tests/benchmarks/balance.py [--balances 2000] [--seed 1]

Each balance is a small line of its own (roots, water, powder, fibre and waste water with their starch), drawn anew,
then measured with declared errors. Limits: the 95 % interval of the yield covers in 93.5 to 96.5 %, false alarms
in 3.5 to 6.5 %. Beside them: the yield without reconciling, and how often an error of 4, 6 and 10 declared standard
uncertainties in one measurement that balances can see is found, and named.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from linecontrol.analysis.reconcile import Balance, Flowsheet, Reconciled, Variable, reconcile
from linecontrol.analysis.reconcile.expression import parse, parse_balance

BALANCES = [
    Balance("mass", parse_balance("roots + water = powder + fibre + waste")),
    Balance(
        "starch",
        parse_balance("roots * roots.starch = powder * powder.starch + fibre * fibre.starch + waste * waste.starch"),
    ),
]
YIELD = parse("powder * powder.starch / (roots * roots.starch)")
RELATIVE = {"roots": 0.005, "water": 0.01, "powder": 0.003, "fibre": 0.015, "waste": 0.012}
SHARES = {"roots.starch": 0.006, "powder.starch": 0.006, "fibre.starch": 0.005, "waste.starch": 0.0006}


def line(rng: np.random.Generator) -> dict[str, float]:
    """True masses [kg] and starch as a share."""
    roots, starch, share = rng.uniform(200, 1500), rng.uniform(0.15, 0.27), rng.uniform(0.55, 0.85)
    powder_starch = rng.uniform(0.83, 0.88)
    powder = roots * starch * share / powder_starch
    fibre, water = roots * rng.uniform(0.4, 0.6), roots * rng.uniform(2.0, 4.0)
    waste = roots + water - powder - fibre
    lost = roots * starch * (1.0 - share)
    fibre_starch = lost * rng.uniform(0.5, 0.8) / fibre
    return {
        "roots": roots,
        "water": water,
        "powder": powder,
        "fibre": fibre,
        "waste": waste,
        "roots.starch": starch,
        "powder.starch": powder_starch,
        "fibre.starch": fibre_starch,
        "waste.starch": (lost - fibre * fibre_starch) / waste,
    }


def measured(rng: np.random.Generator, true: dict[str, float], wrong: str = "", by: float = 0.0) -> Reconciled:
    rows = []
    for name, value in true.items():
        u = SHARES.get(name, RELATIVE.get(name, 0.0) * value)
        error = u * (rng.standard_normal() + (by if name == wrong else 0.0))
        rows.append(Variable(name, value + error, u))
    return reconcile(Flowsheet(rows, BALANCES, {"yield": YIELD}))


def within(share: float, low: float, high: float) -> str:
    return f"{100 * share:5.2f} %   limit {low} to {high} %: {'PASS' if low <= 100 * share <= high else 'FAIL'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--balances", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    rng = np.random.default_rng(asked.seed)
    covered = raw_covered = alarms = 0
    narrower, began = [], time.process_time()
    for _ in range(asked.balances):
        true = line(rng)
        right = true["powder"] * true["powder.starch"] / (true["roots"] * true["roots.starch"])
        found = measured(rng, true)
        raw, (low, high) = found.raw["yield"], found.wanted["yield"].interval
        assert raw is not None
        covered += low <= right <= high
        raw_covered += raw.interval[0] <= right <= raw.interval[1]
        narrower.append(found.wanted["yield"].u / raw.u)
        alarms += found.errors.is_alarm
    each_ms = 1000.0 * (time.process_time() - began) / asked.balances
    n = asked.balances
    print(f"{n} balances, {each_ms:.1f} ms each")
    print("95 % interval of the reconciled yield covers", within(covered / n, 93.5, 96.5))
    print(f"  as measured, without reconciling:          {100 * raw_covered / n:5.2f} %")
    print(f"  reconciled u over u as measured, median:   {np.median(narrower):.2f}")
    print("false alarms of a gross error               ", within(alarms / n, 3.5, 6.5))
    for by in (4.0, 6.0, 10.0):
        seen = named = 0
        tries = max(50, n // 20)
        for k in range(tries):
            wrong = ("water", "waste", "roots.starch", "fibre.starch")[k % 4]
            found = measured(rng, line(rng), wrong, by)
            seen += found.errors.is_alarm
            named += found.errors.is_alarm and any(wrong in suspect.names for suspect in found.errors.found)
        print(f"one value off by {by:.0f} u: found {100 * seen / tries:3.0f} %, and named {100 * named / tries:3.0f} %")


if __name__ == "__main__":
    main()
