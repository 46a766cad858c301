"""Does `compare` find a known difference between two recipes, with the power it states, and none where there is none?

Two recipes are run on the twin, each on the same lots. What they are really apart is known from the plant's ledger,
which no part of the comparison sees. The measured records are then compared

* as one experiment of 50 runs, 25 lots each run by both recipes, by `compare_records` (the mixed model of lots);
* as many experiments drawn from all runs: how often a difference is found, beside the power that `power_of` states
  for the spread and difference of the pool;
* as many experiments in which there is no difference: runs of one recipe divided at random, and pairs whose two recipes
  are exchanged at random.

    python tests/benchmarks/compare.py            60 lots, 120 runs of the twin: some 5 minutes of one core
    python tests/benchmarks/compare.py --lots 30 --jobs 2
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linecontrol.analysis.compare import compare_records
from linecontrol.analysis.statistics.groups import welch
from linecontrol.analysis.statistics.power import power_of
from linecontrol.config import shipped_dir
from linecontrol.twin.campaign import numbered, rows_of
from linecontrol.twin.trial import Trial

RECIPE = "kudzu-lobata-standard"
CHANGED = ('unit: "%", value: 21, low: 10', 'unit: "%", value: 19.2, low: 10')  # of the sieve water valve
ROOT_KG = 60.0
LOTS = 25  # of the one experiment: 50 runs
EXPERIMENTS = 2000
ALPHA = 0.05
Floats = NDArray[np.float64]


def other_recipe(folder: Path) -> Path:
    """A recipe of its own, which washes the sieve with less water: a little starch stays in the fibre."""
    text = (shipped_dir("recipes") / f"{RECIPE}.yaml").read_text(encoding="utf-8")
    for old, new in ((f"name: {RECIPE}", "name: kudzu-lobata-less-water"), CHANGED):
        if old not in text:
            raise SystemExit(f"{RECIPE}: {old!r} is not in it any more")
        text = text.replace(old, new, 1)
    path = folder / "kudzu-lobata-less-water.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def run_all(lots: int, jobs: int) -> list[dict[str, Any]]:
    with TemporaryDirectory() as folder:
        recipes = (RECIPE, str(other_recipe(Path(folder))))
        trials = [
            Trial(recipe, seed=seed, values={"root_kg": ROOT_KG}, every_s=3600.0)
            for seed in range(1, lots + 1)
            for recipe in recipes
        ]
        rows = list(rows_of(numbered(trials), jobs, None, None))
    for row in rows:
        if "error" in row or row["record"]["state"] != "Complete":
            raise SystemExit(f"a run did not end well: {row.get('error') or row['record']}")
    return rows


def paired_found(differences: Floats) -> NDArray[np.bool_]:
    """Two-sided t test of each row of differences within lots."""
    from scipy.stats import t as student

    n = differences.shape[-1]
    with np.errstate(divide="ignore"):  # two lots may differ by the very same amount
        t = differences.mean(axis=-1) / (differences.std(axis=-1, ddof=1) / math.sqrt(n))
    return np.asarray(np.abs(t) > student.ppf(1.0 - ALPHA / 2.0, n - 1))


def drawn(rng: np.random.Generator, size: int, count: int) -> NDArray[np.intp]:
    """Which lots each experiment takes, without replacement: (EXPERIMENTS, count)."""
    return np.argsort(rng.random((EXPERIMENTS, size)), axis=1)[:, :count]


def share(found: NDArray[np.bool_]) -> str:
    p = float(found.mean())
    return f"{100 * p:5.1f} % ± {196 * math.sqrt(max(p * (1 - p), 1e-9) / len(found)):.1f}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lots", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    began = time.monotonic()
    rows = run_all(asked.lots, asked.jobs)
    print(f"{len(rows)} runs of the twin in {time.monotonic() - began:.0f} s")

    records = [row["record"] for row in rows]
    a = np.array([100.0 * r["extraction_yield"] for r in records[0::2]])
    b = np.array([100.0 * r["extraction_yield"] for r in records[1::2]])
    true = np.array([100.0 * row["truth"]["extraction_yield"] for row in rows])
    known = float((true[1::2] - true[0::2]).mean())
    print(f"true yields: {true[0::2].mean():.2f} and {true[1::2].mean():.2f} %: {known:+.3f} points, "
          f"{100 * known / true[0::2].mean():+.2f} % of it")  # fmt: skip

    [one] = compare_records(records[: 2 * LOTS], "recipe", lots="yes")
    [row] = one.differences
    sign = 1.0 if row.b == "kudzu-lobata-less-water" else -1.0
    low, high = sorted((sign * row.low, sign * row.high))
    print(f"one experiment, {LOTS} lots by both: {sign * row.difference:+.3f} (95 %: {low:+.3f} to {high:+.3f}), "
          f"p = {row.p_adjusted:.1e}, {'found' if row.is_found else 'NOT FOUND'}; "
          f"the known one is {'in' if low <= known <= high else 'NOT in'} the interval")  # fmt: skip
    [plain] = one.runs
    print(f"    the same without looking at lots: p = {plain.p:.2f}, {'found' if plain.is_found else 'not found'}")

    rng = np.random.default_rng(1)
    apart, sd_pair = b - a, float((b - a).std(ddof=1))
    sd_run = math.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2.0)
    print(f"spread: {sd_run:.3f} from run to run, {sd_pair:.3f} of differences within a lot")
    print(f"\n{'design':34}{'stated power':>14}{'found':>18}{'found, no difference':>24}")
    size = len(a)
    for n in (2, 3, 4, 6, LOTS):
        chosen = drawn(rng, size, n)
        exchanged = rng.choice([-1.0, 1.0], (EXPERIMENTS, n))
        stated = power_of(float(apart.mean()), sd_pair, n, paired=True, alpha=ALPHA)
        null = paired_found((apart[chosen] - apart.mean()) * exchanged)
        print(f"{f'{n} lots, each by both':34}{100 * stated:12.1f} %{share(paired_found(apart[chosen])):>18}"
              f"{share(null):>24}")  # fmt: skip
    for n in (10, LOTS):
        lots = drawn(rng, size, 2 * n)  # a lot is run once, by one of them
        x, y = a[lots[:, :n]], b[lots[:, n:]]
        stated = power_of(float(apart.mean()), sd_run, n, alpha=ALPHA)
        found, null = welch(x, y)[2] < ALPHA, welch(x, a[lots[:, n:]])[2] < ALPHA
        print(f"{f'{n} and {n} lots, each by one':34}{100 * stated:12.1f} %{share(found):>18}{share(null):>24}")


if __name__ == "__main__":
    main()
