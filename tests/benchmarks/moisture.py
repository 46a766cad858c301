"""The moisture controller beside nobody, an operator and a clairvoyant, on two kinds of dryers, beside its limits.

    python tests/benchmarks/moisture.py [--seeds 20] [--hours 3] [--kinds simulator family] [--jobs 2] [--json FILE]

Each seed is one dryer: a record of some hours with one step test, commissioning from it alone, then paired runs on
fresh disturbances, the first half hour not judged: sound; with a meter that sticks or drifts; and on the dryer as it
has become (kinetics -20 %, lags +20 %, way to the meter +40 %). "Bound" is an LQG with feed sensors on the true dryer
(``moisture_bound.py``); moisture is the true one at the meter. Factors over nobody or the operator hold for these
plants only. No figure depends on the speed of the machine.

Time outside 12-14 % wb with a sick meter is told for each fault; the limit is held against the mean over all of them.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from moisture_runs import FAULTS, KINDS, Bench, Clairvoyant, Hand, Nobody, Ours, Policy, bound_of, record, run

from linecontrol.control.moisture import CannotCommission, MoistureMode, commission

MODES = ("pid", "cascade", "feedforward", "predictive")
STYLES = ("open", "open", "hand", "pi")  # of the record, going round with the seeds
ALARMS = ("nir-stuck", "nir-drift", "disagreement")
RECORD, RUN = 1, 2
Rows = dict[str, Any]


def one(kind: str, seed: int, hours: float, faulted: Sequence[str]) -> Rows:
    """All of one dryer, as plain values; ``faulted``: modes that meet the meter's faults."""
    bench = KINDS[kind](seed)
    style = STYLES[(seed // 4) % len(STYLES)]
    found: Rows = {"kind": kind, "seed": seed, "structure": bench.kind, "style": style, "runs": {}}
    try:
        model = commission(record(bench.fresh(RECORD), style=style, hours=(4.0, 3.0, 5.0)[seed % 3]))
    except CannotCommission as refused:
        return found | {"refused": f"{refused.code}: {refused.reason}"}
    found |= {"gain": model.moisture.gain("heat"), "warnings": model.warnings, "hours": hours}
    rig = bench.fresh(RUN)
    outlet_c = model.outlet.constant if model.outlet is not None else math.nan
    policies: dict[str, Callable[[], Policy]] = {
        "nobody": lambda: Nobody(rig.inlet_c),
        "operator": lambda: Hand(rig, outlet_c, seed),
        **{mode: (lambda mode=mode: Ours(model, rig, MoistureMode(mode))) for mode in MODES},
    }
    bound = bound_of(bench)
    found["runs"]["bound"] = {"sound": _plain(bench, Clairvoyant(bound), hours)}
    for name, policy in policies.items():
        conditions = {
            "sound": _plain(bench, policy(), hours),
            "changed": _plain(bench, policy(), hours, changed=True),
        }
        if name in faulted:
            conditions |= {fault: _plain(bench, policy(), hours, value) for fault, value in FAULTS.items()}
        found["runs"][name] = conditions
    return found


def _plain(bench: Bench, policy: Policy, hours: float, fault: float | None = None, *, changed: bool = False) -> Rows:
    rig = (bench.changed if changed else bench.fresh)(RUN)
    return {k: v for k, v in asdict(run(rig, policy, hours, fault)).items() if k != "trace"}


# -- what is told
def told(rows: Sequence[Rows]) -> Rows:
    """Figures of one kind of plant, by policy."""
    table: Rows = {}
    bound = np.array([row["runs"]["bound"]["sound"]["rms_pct"] for row in rows])
    nobody = np.array([row["runs"]["nobody"]["sound"]["out_share"] for row in rows])
    for name in ("nobody", "operator", *MODES, "bound"):
        runs = [row["runs"][name] for row in rows]
        sound = [r["sound"] for r in runs]
        ratio = np.array([s["rms_pct"] for s in sound]) / bound
        out = np.array([s["out_share"] for s in sound])
        figures: Rows = {
            "rms_pct": float(np.median([s["rms_pct"] for s in sound])),
            "ratio": float(np.median(ratio)),
            "ratio_low": float(np.min(ratio)),
            "ratio_high": float(np.max(ratio)),
            "out_pct": 100.0 * float(np.mean(out)),
            "out_of_nobody": float(np.mean(out) / np.mean(nobody)) if np.any(nobody) else math.nan,
            "movement_k_h": float(np.median([s["movement_k_h"] for s in sound])),
            "reversals_h": float(np.median([s["reversals_h"] for s in sound])),
        }
        watched = sum(s["hours"] for s in sound)
        for alarm in ALARMS:
            figures[f"false {alarm}"] = 8.0 / watched * sum(s["alarms"].get(alarm, 0) for s in sound)
        if "changed" in runs[0]:
            worse = np.array([r["changed"]["rms_pct"] / r["sound"]["rms_pct"] for r in runs])
            figures |= {"changed": float(np.median(worse)), "changed_high": float(np.max(worse))}
        if "stuck" in runs[0]:
            for fault in FAULTS:
                figures[f"out {fault}"] = 100.0 * float(np.mean([r[fault]["out_share"] for r in runs]))
            figures["out sick"] = float(np.mean([figures[f"out {fault}"] for fault in FAULTS]))
            late = [r["stuck"]["detected_s"] for r in runs]
            figures["detected_s"] = float(np.median(late))
            figures["detected_worst_s"] = float(np.max(late)) if all(map(math.isfinite, late)) else math.inf
        table[name] = figures
    return table


LIMITS: tuple[tuple[str, str, float, float, float], ...] = (
    ("rms over bound, median", "ratio", 2.5, 1.6, 1.25),
    ("time out of band over nobody's", "out_of_nobody", 1 / 40, 1 / 150, 1 / 600),
    ("time out with a sick meter, mean [%]", "out sick", 3.0, 1.5, 0.8),
    ("changed over sound, median", "changed", 1.25, 1.15, 1.10),
    ("stuck meter detected, worst [s]", "detected_worst_s", 30.0, 10.0, 10.0),
    ("false nir-stuck per 8 h", "false nir-stuck", 1.0, 1.0, 1.0),
    ("false nir-drift per 8 h", "false nir-drift", 1.0, 1.0, 1.0),
    ("false disagreement per 8 h", "false disagreement", 1.0, 1.0, 1.0),
)


def judged(figures: Rows) -> Iterator[tuple[str, float, float, float, float]]:
    """What was found beside its limits; nothing where it was not run."""
    for title, key, *limits in LIMITS:
        if key in figures:
            yield title, figures[key], limits[0], limits[1], limits[2]


def show(kind: str, rows: Sequence[Rows], mode: str) -> bool:
    """Print one kind of plant; True when the mode meets every "must"."""
    done = [row for row in rows if "refused" not in row]
    print(f"\n{kind}: {len(done)} dryers, {done[0]['hours'] if done else 0:g} h each")
    for row in rows:
        if "refused" in row:
            print(f"  seed {row['seed']} ({row['structure']}, {row['style']}): refused, {row['refused']}")
    if not done:
        return False
    table = told(done)
    print(f"  {'':12}{'rms %':>7}{'/bound':>8}{'range':>14}{'out %':>8}{'/nobody':>9}{'K/h':>7}{'turns/h':>9}"
          f"{'changed':>9}{'worst':>7}{'out sick %':>12}{'false/8h':>10}")  # fmt: skip
    for name, f in table.items():
        spread = f"{f['ratio_low']:.2f}-{f['ratio_high']:.2f}"
        false = sum(f[f"false {alarm}"] for alarm in ALARMS)
        print(f"  {name:12}{f['rms_pct']:7.3f}{f['ratio']:8.2f}{spread:>14}{f['out_pct']:8.2f}{f['out_of_nobody']:9.4f}"
              f"{f['movement_k_h']:7.0f}{f['reversals_h']:9.0f}{f.get('changed', math.nan):9.2f}"
              f"{f.get('changed_high', math.nan):7.2f}{f.get('out sick', math.nan):12.2f}{false:10.2f}")  # fmt: skip
    for name, f in table.items():
        if "out sick" in f:
            each = "  ".join(f"{fault} {f[f'out {fault}']:.2f}" for fault in FAULTS)
            print(f"  {name}, time out with a sick meter [%]: {each}")
    print(f"  {mode} beside the limits:")
    met = True
    for title, value, must, goal, stretch in judged(table[mode]):
        met &= value <= must
        verdict = [f"{word} {limit:.4g} {'PASS' if value <= limit else 'FAIL'}"
                   for word, limit in (("must", must), ("goal", goal), ("stretch", stretch))]  # fmt: skip
        print(f"    {title:40}{value:9.4f}   {'   '.join(verdict)}")
    return met


def by_seed(rows: Sequence[Rows], mode: str) -> None:
    """One line per dryer: where it is weak."""
    print("\n  dryer by dryer")
    for row in rows:
        if "refused" in row:
            continue
        runs = row["runs"]
        ours, bound = runs[mode], runs["bound"]["sound"]
        sick = "  ".join(f"{100.0 * ours[fault]['out_share']:5.2f}" for fault in FAULTS if fault in ours)
        alarms = {flag: n for flag, n in ours["sound"]["alarms"].items() if flag in ALARMS or flag == "fallback"}
        print(f"  {row['kind']:10}{row['seed']:3} {row['structure']:12}{row['style']:5} gain {row['gain'][0]:6.3f}"
              f"  bound {bound['rms_pct']:.3f}  ratio {ours['sound']['rms_pct'] / bound['rms_pct']:5.2f}"
              f"  out {100.0 * ours['sound']['out_share']:5.2f}"
              f"  changed {ours['changed']['rms_pct'] / ours['sound']['rms_pct']:5.2f}  sick {sick}"
              f"  stuck {ours.get('stuck', {}).get('detected_s', math.nan):4.0f} s  {alarms or ''}")  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="dryers of each kind")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--kinds", nargs="+", choices=tuple(KINDS), default=list(KINDS))
    parser.add_argument("--mode", choices=MODES, default="predictive", help="which is held against the limits")
    parser.add_argument("--faulted", nargs="*", choices=MODES, default=["predictive"], help="modes given a sick meter")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--each", action="store_true", help="one line per dryer too")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    asked = parser.parse_args()
    seeds = range(asked.first, asked.first + asked.seeds)
    found: Rows = {kind: [] for kind in asked.kinds}
    with ProcessPoolExecutor(asked.jobs) as pool:
        work = [
            (kind, pool.submit(one, kind, seed, asked.hours, asked.faulted)) for kind in asked.kinds for seed in seeds
        ]
        for kind, future in work:
            found[kind].append(future.result())
    met = [show(kind, rows, asked.mode) for kind, rows in found.items()]
    if asked.each:
        for rows in found.values():
            by_seed(rows, asked.mode)
    if asked.json:
        asked.json.write_text(json.dumps(found), encoding="utf-8")
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
