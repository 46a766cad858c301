"""The tuner beside its limits, on process types of the literature.

Run: python tests/benchmarks/tuning.py [--seeds N] [--tests N] [--relays N] [--json]

Parts: gains from exact models; gains from noisy step tests, judged on the *true* process; relay tests under an unknown
load; coverage of the 95 % intervals. "IAE / optimum" is the IAE after a load step over the least IAE that any PID (same
filter) reaches on the true process at the same max(Ms, Mt).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path

import numpy as np

from linecontrol.control.tuning import (
    IsaGains,
    Limits,
    Process,
    best_gains,
    identify,
    identify_relay,
    load_iae,
    margins,
    response,
    tune,
)

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "control"))
from tuning_plants import Rational, coloured, literature, relay_test, step_test

Row = tuple[float, float]  # max(Ms, Mt) on the true process; IAE over the optimum


def judged(plant: Rational, gains: IsaGains, hold_s: float) -> Row:
    """On the true process; (inf, inf) when unstable."""
    there = margins(plant, gains, period_s=hold_s)
    if not there.stable:
        return math.inf, math.inf
    peak = max(there.worst, 1.02)
    best = best_gains([plant], Limits(peak, peak), n=gains.n, period_s=hold_s)
    return there.worst, load_iae(plant, gains, period_s=hold_s) / load_iae(plant, best, period_s=hold_s)


def exact() -> dict[str, float]:
    """No noise: what the classes of models cost."""
    rng = np.random.default_rng(0)
    rows = []
    for plant in literature():
        t, u, y = step_test(plant, rng, noise=1e-4)
        found = identify(t, u, y)
        tuned = tune(found, period_s=0.0) if found else found
        if not tuned:
            print(f"  {plant.name:24} refused: {tuned.reason}")
            continue
        peak, ratio = judged(plant, tuned.best.gains, 0.0)
        rows.append((peak, ratio))
        ms, mt = margins(plant, tuned.best.gains).ms, margins(plant, tuned.best.gains).mt
        print(f"  {plant.name:24} {found.kind:16} Ms {ms:5.3f}  Mt {mt:5.3f}  IAE/optimum {ratio:5.3f}")
    return summary(rows, len(literature()))


def noisy(seeds: int) -> dict[str, float]:
    """White and correlated noise of 3 and 8 % of the step's answer."""
    rows, total, refusals = [], 0, {}
    for seed in range(seeds):
        for n, plant in enumerate(literature()):
            for noise, phi in ((0.03, 0.0), (0.08, 0.0), (0.03, 0.8)):
                total += 1
                rng = np.random.default_rng([seed, n, round(100 * noise), round(10 * phi)])
                t, u, y = step_test(plant, rng, noise=noise, phi=phi)
                found = identify(t, u, y)
                tuned = tune(found, period_s=0.0) if found else found
                if not tuned:
                    refusals[tuned.code] = refusals.get(tuned.code, 0) + 1
                    continue
                rows.append(judged(plant, tuned.best.gains, 0.0))
    print(f"  refused: {refusals or 'none'}")
    return summary(rows, total)


def summary(rows: list[Row], total: int) -> dict[str, float]:
    peaks, ratios = np.array([r[0] for r in rows]), np.array([r[1] for r in rows if math.isfinite(r[1])])
    return {
        "tests": total,
        "tuned": len(rows),
        "unstable": int(np.sum(~np.isfinite(peaks))),
        "peak_median": float(np.median(peaks)),
        "peak_p95": float(np.quantile(peaks, 0.95)),
        "iae_median": float(np.median(ratios)),
        "iae_p90": float(np.quantile(ratios, 0.9)),
    }


def relay(count: int) -> dict[str, float]:
    """Unknown load of +-0.3 of the smaller move, noise 0 to 10 % of it."""
    gain_error, delay_error, refused, negative = [], [], 0, 0
    for n in range(count):
        rng = np.random.default_rng([7, n])
        ratio = float(rng.choice([0.2, 1.0, 5.0]))
        gain = float(rng.choice([1.0, -1.0]))
        load = 0.3 * float(rng.choice([-1.0, 1.0]))
        t, u, y = relay_test(1.0, ratio, gain=gain, load=load, noise=float(rng.choice([0.0, 0.02, 0.1])), seed=n)
        found = identify_relay(t, u, y)
        if not found:
            refused += 1
            continue
        negative += int(found.process.gain * gain < 0.0)
        gain_error.append(abs(found.process.gain / gain - 1.0))
        delay_error.append(abs(found.process.delay_s / ratio - 1.0))
    return {
        "tests": count,
        "refused": refused,
        "wrong_sign": negative,
        "gain_error_p95": float(np.quantile(gain_error, 0.95)),
        "gain_error_max": max(gain_error),
        "gain_within_10pct": float(np.mean(np.array(gain_error) <= 0.1)),
        "delay_error_p95": float(np.quantile(delay_error, 0.95)),
        "delay_error_max": max(delay_error),
        "delay_within_15pct": float(np.mean(np.array(delay_error) <= 0.15)),
    }


def coverage(tests: int, phi: float) -> dict[str, float]:
    """Share of 95 % intervals that hold the truth; random FOPDT, random drift, AR(1) noise."""
    hits: dict[str, list[bool]] = {"gain": [], "t1_s": [], "delay_s": []}
    refused = 0
    for n in range(tests):
        rng = np.random.default_rng([11, n, round(100 * phi)])
        truth = Process(float(rng.uniform(0.5, 3.0)), float(rng.uniform(10, 30)), float(rng.uniform(3, 20)))
        t = np.arange(0.0, 360.0)
        u = np.where((t >= 60.0) & (t < 210.0), 1.0, 0.0)
        y = 40.0 + rng.normal() * t / 3600.0 + response(truth, t, u)
        y += coloured(rng, len(t), phi, 0.05 * truth.gain)
        found = identify(t, u, y, classes=["fopdt"])
        if not found:
            refused += 1
            continue
        for name, held in hits.items():
            held.append(getattr(truth, name) in found.intervals[name])
    shares = {f"covered_{name}": float(np.mean(held)) for name, held in hits.items()}
    return {"tests": tests, "refused": refused, **shares}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4, help="noisy step tests per process and kind of noise")
    parser.add_argument("--tests", type=int, default=500, help="simulated tests for the coverage, per kind of noise")
    parser.add_argument("--relays", type=int, default=100)
    parser.add_argument("--json", action="store_true", help="the figures once more, as JSON, last line")
    asked = parser.parse_args()
    parts = {
        "exact": (exact, "max(Ms, Mt) <= 1.5; IAE/optimum near 1"),
        "noisy": (
            lambda: noisy(asked.seeds),
            "no unstable; peak p95 <= 1.6 (goal 1.5); IAE/optimum median <= 1.2 (1.05), p90 <= 1.7 (1.35)",
        ),
        "relay": (lambda: relay(asked.relays), "gain <= 10 %, delay <= 15 % or refused; never a wrong sign"),
        "coverage white": (lambda: coverage(asked.tests, 0.0), "0.92 to 0.97"),
        "coverage AR(1) 0.9": (lambda: coverage(asked.tests, 0.9), "0.92 to 0.97"),
    }
    figures = {}
    for name, (run, limit) in parts.items():
        print(f"{name} (limits: {limit})")
        began = time.perf_counter()
        figures[name] = run()
        for key, value in figures[name].items():
            print(f"  {key:22} {value:.4g}")
        print(f"  ({time.perf_counter() - began:.0f} s)")
    if asked.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
