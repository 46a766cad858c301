"""The tuner beside its limits, on process types of the literature.

Run: python tests/benchmarks/tuning.py [--seeds N] [--tests N] [--relays N] [--json]

Parts: gains from exact models; gains from noisy step tests, judged on the *true* process; relay tests under an unknown
load; coverage of the 95 % intervals, the class known and not. Each figure stands beside its limit with PASS or FAIL;
exit code 1 when one fails. The speed of the PID is in pid.py. "IAE / optimum" is the IAE after a load step over the
least IAE that any PID (same filter) reaches on the true process at the same max(Ms, Mt).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads that wait for each other would only be slower

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

INF = math.inf
LIMITS: dict[str, dict[str, tuple[float, float]]] = {  # part, figure: lowest and highest accepted
    "exact": {"unstable": (0, 0), "peak_p95": (1, 1.55), "iae_median": (1, 1.05)},
    "noisy": {
        "unstable": (0, 0),
        "peak_p95": (1, 1.5),
        "iae_median": (1, 1.05),
        "iae_p90": (1, 1.35),
        "worst_said": (1, INF),
    },
    "relay": {"wrong_sign": (0, 0), "gain_error_max": (0, 0.10), "delay_error_max": (0, 0.15)},
    "coverage": {"covered_gain": (0.92, 0.97), "covered_t1_s": (0.92, 0.97), "covered_delay_s": (0.92, 0.97)},
}
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
    rows, total, refusals, said = [], 0, {}, []
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
                said.append(tuned.best.worst.ms)
    print(f"  refused: {refusals or 'none'}")
    return summary(rows, total) | {"worst_said": float(np.max(said)), "worst_said_median": float(np.median(said))}


def summary(rows: list[Row], total: int) -> dict[str, float]:
    peaks, ratios = np.array([r[0] for r in rows]), np.array([r[1] for r in rows if math.isfinite(r[1])])
    return {
        "tests": total,
        "tuned": len(rows),
        "unstable": int(np.sum(~np.isfinite(peaks))),
        "peak_median": float(np.median(peaks)),
        "peak_p95": float(np.quantile(peaks, 0.95)),
        "peak_max": float(np.max(peaks)),
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


def coverage(tests: int, phi: float, classes: list[str] | None) -> dict[str, float]:
    """Share of 95 % intervals that hold the truth; random FOPDT, random drift, AR(1) noise. ``classes``: None = the
    class is not known; lag and delay are then counted where the right one was found."""
    hits: dict[str, list[bool]] = {"gain": [], "t1_s": [], "delay_s": []}
    refused = 0
    for n in range(tests):
        rng = np.random.default_rng([11, n, round(100 * phi)])
        truth = Process(float(rng.uniform(0.5, 3.0)), float(rng.uniform(10, 30)), float(rng.uniform(3, 20)))
        t = np.arange(0.0, 360.0)
        u = np.where((t >= 60.0) & (t < 210.0), 1.0, 0.0)
        y = 40.0 + rng.normal() * t / 3600.0 + response(truth, t, u)
        y += coloured(rng, len(t), phi, 0.05 * truth.gain)
        found = identify(t, u, y, classes=classes)
        if not found:
            refused += 1
            continue
        for name, held in hits.items():
            if name == "gain" or found.kind == "fopdt":
                held.append(getattr(truth, name) in found.intervals[name])
    shares = {f"covered_{name}": float(np.mean(held)) for name, held in hits.items()}
    return {"tests": tests, "refused": refused, "right_class": len(hits["t1_s"]) / (tests - refused), **shares}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4, help="noisy step tests per process and kind of noise")
    parser.add_argument("--tests", type=int, default=500, help="simulated tests for the coverage, per kind of noise")
    parser.add_argument("--relays", type=int, default=100)
    parser.add_argument("--json", action="store_true", help="the figures once more, as JSON, last line")
    asked = parser.parse_args()
    known, few = ["fopdt"], max(1, asked.tests // 5)
    parts = {
        "exact": exact,
        "noisy": lambda: noisy(asked.seeds),
        "relay": lambda: relay(asked.relays),
        "coverage, white noise": lambda: coverage(asked.tests, 0.0, known),
        "coverage, AR(1) 0.9": lambda: coverage(asked.tests, 0.9, known),
        "class not known, white noise": lambda: coverage(few, 0.0, None),
        "class not known, AR(1) 0.9": lambda: coverage(few, 0.9, None),
    }
    figures, failed = {}, 0
    for name, run in parts.items():
        print(name)
        began = time.perf_counter()
        figures[name] = run()
        failed += sum(shown(name, key, value) for key, value in figures[name].items())
        print(f"  ({time.perf_counter() - began:.0f} s)")
    if asked.json:
        print(json.dumps(figures))
    sys.exit(1 if failed else 0)


def shown(part: str, name: str, value: float) -> bool:
    """Print one figure beside its limit; True when it fails."""
    limit = LIMITS.get(part.partition(",")[0], {}).get(name)
    if limit is None:
        print(f"  {name:22} {value:.4g}")
        return False
    ok = limit[0] <= value <= limit[1]
    print(f"  {name:22} {value:<10.4g} limit {limit[0]:g} to {limit[1]:g}   {'PASS' if ok else 'FAIL'}")
    return not ok


if __name__ == "__main__":
    main()
