"""Assessment beside its limits: verdicts on loops of known trouble, and the Harris index on series of known index.

Run: python tests/benchmarks/assessment.py [--loops N] [--json]

Four classes of loops (well, too quick, disturbed from outside, sticking valve), N of each; everything else is drawn by
lot. Limits: 85 % right ("cannot tell" counts as wrong), "stiction" said of at most 5 % of the others; 95 % intervals of
the index hold the truth in 90 to 99 % of the series.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads that wait for each other would only be slower

import numpy as np
from scipy.signal import lfilter

from linecontrol.control.assessment import assess, harris

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "control"))
from assessment_loops import CLASSES, simulate

RIGHT, LIGHTLY = 0.85, 0.05
COVERED = (0.90, 0.99)


def verdicts(loops: int) -> dict[str, float]:
    right, lightly, cannot = 0, 0, 0
    for kind in CLASSES:
        said: Counter[str] = Counter()
        for seed in range(loops):
            loop = simulate(kind, seed)
            said[assess(loop.t_s, loop.pv, loop.sp, loop.op).diagnosis.verdict] += 1
        right += said[kind]
        cannot += said["cannot tell"]
        lightly += said["stiction"] if kind != "stiction" else 0
        print(f"  {kind:20} {dict(said)}")
    total = loops * len(CLASSES)
    return {
        "right": right / total,
        "right_of_decided": right / (total - cannot),
        "false_stiction": lightly / (total - loops),
    }


def index_coverage(series: int) -> dict[str, float]:
    """AR(1) series: the first terms of its impulse response are what a controller with that delay cannot reach."""
    held = []
    for seed in range(series):
        rng = np.random.default_rng([23, seed])
        pole, delay = float(rng.uniform(0.5, 0.95)), int(rng.integers(1, 10))
        powers = pole ** (2.0 * np.arange(2000))
        truth = float(powers[:delay].sum() / powers.sum())
        found = harris(np.asarray(lfilter([1.0], [1.0, -pole], rng.normal(size=3000)))[500:], delay, seed=seed)
        held.append(found is not None and found.low <= truth <= found.high)
    return {"index_covered": float(np.mean(held))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loops", type=int, default=50, help="of each class")
    parser.add_argument("--json", action="store_true", help="the figures once more, as JSON, last line")
    asked = parser.parse_args()
    figures = verdicts(asked.loops) | index_coverage(4 * asked.loops)
    checks = (
        ("right", f">= {RIGHT:.0%}", figures["right"] >= RIGHT),
        ("false_stiction", f"<= {LIGHTLY:.0%}", figures["false_stiction"] <= LIGHTLY),
        (
            "index_covered",
            f"{COVERED[0]:.0%} to {COVERED[1]:.0%}",
            COVERED[0] <= figures["index_covered"] <= COVERED[1],
        ),
    )
    print(f"  right of those decided  {figures['right_of_decided']:.1%}")
    for name, limit, ok in checks:
        print(f"  {name:22} {figures[name]:7.1%}   limit {limit:12} {'PASS' if ok else 'FAIL'}")
    if asked.json:
        print(json.dumps(figures))
    sys.exit(0 if all(ok for _, _, ok in checks) else 1)


if __name__ == "__main__":
    main()
