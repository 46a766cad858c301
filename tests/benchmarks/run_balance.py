"""The yield of whole runs on the twin against the plant's own books: does the 95 % interval cover what was really made?

    python tests/benchmarks/run_balance.py [--seeds 12] [--first 1] [--jobs 2] [--species NAME]

Each seed is a lot of its own on a plant whose instruments have calibration errors of their own; the laboratory takes
samples during the run and its values are entered after it. Three yields of every run are held against the books: as
the meters measured it, reconciled as the run ended (what the laboratory would say is still assumed), and reconciled
with the laboratory's values. For each: how often the 95 % interval covers, with the exact 95 % interval of that share,
how wide it is, and the mean error. A share that is significantly below 95 % fails. Beside them: false alarms of a gross
error, of which there is none in these plants.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

from scipy import stats

from linecontrol.twin.trial import Trial, run_trial

NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Found:
    """One run: the yield by the books, then (value, u) measured, reconciled, reconciled with the laboratory."""

    seed: int
    true: float
    yields: tuple[tuple[float, float], ...]
    alarms: tuple[bool, bool]
    versions: int


NAMES = ("as measured", "reconciled, no laboratory", "reconciled, with laboratory")


def one_run(seed: int, species: str = "", root_kg: float = 300.0) -> Found:
    values = {"root_kg": root_kg}
    outcome = run_trial(Trial("kudzu-lobata-standard", seed=seed, species=species, values=values, has_laboratory=True))
    assert outcome.kept is not None
    first, last = outcome.kept.versions[0].record, outcome.record
    reconciled = [(r["extraction_yield_reconciled"], r["extraction_yield_reconciled_u"]) for r in (first, last)]
    return Found(
        seed,
        outcome.truth["extraction_yield"],
        ((last["extraction_yield"], last["extraction_yield_u"]), *reconciled),
        (first["balance"]["gross_error"]["found"], last["balance"]["gross_error"]["found"]),
        len(outcome.kept.versions),
    )


def covered(found: Sequence[Found], which: int) -> int:
    """How often the 95 % interval of this yield holds the true one."""
    return sum(abs(row.yields[which][0] - row.true) <= NORMAL_95 * row.yields[which][1] for row in found)


def exact_interval(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share after Clopper and Pearson."""
    low = float(stats.beta.ppf(0.025, hits, n - hits + 1)) if hits else 0.0
    high = float(stats.beta.ppf(0.975, hits + 1, n - hits)) if hits < n else 1.0
    return low, high


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--species", default="")
    asked = parser.parse_args()
    seeds = range(asked.first, asked.first + asked.seeds)
    with ProcessPoolExecutor(asked.jobs) as pool:
        found = list(pool.map(partial(one_run, species=asked.species), seeds))
    n, failed = len(found), False
    print(f"{n} runs of 300 kg, seeds {seeds.start} to {seeds.stop - 1}")
    for which, name in enumerate(NAMES):
        hits = covered(found, which)
        low, high = exact_interval(hits, n)
        errors = [row.yields[which][0] - row.true for row in found]
        u = statistics.median(row.yields[which][1] for row in found)
        rms = math.sqrt(statistics.fmean((e / row.yields[which][1]) ** 2 for e, row in zip(errors, found, strict=True)))
        is_short = high < 0.95
        failed |= is_short and which > 0
        print(
            f"{name:<28} covers {hits}/{n} = {100 * hits / n:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
            f"{' FAIL' if is_short else ''}; u {100 * u:.2f} pt, mean error {100 * statistics.fmean(errors):+.2f} pt,"
            f" rms of error/u {rms:.2f}"
        )
    for which, name in enumerate(NAMES[1:]):
        alarms = sum(row.alarms[which] for row in found)
        low, high = exact_interval(alarms, n)
        print(f"false gross errors, {name}: {alarms}/{n} ({100 * low:.1f} to {100 * high:.1f} %)")
    print("FAIL" if failed else "PASS")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
