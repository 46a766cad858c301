"""The moisture controller on the whole simulated line: every way of running it, seed by seed on the same roots.

    python tests/benchmarks/moisture_line.py [--seeds 20] [--first 1] [--root-kg 1000] [--jobs 2] [--json FILE]

Each seed is one recipe run of the twin, from the first root to the last bag: nobody (``hold``), an honest operator
(``manual``) and the four strategies of the loop, once with the dryer as it was commissioned, once with a dryer that has
become another one (as in ``moisture.py``), and, for the strategies, with a meter that gets stuck or drifts up or down.

Printed: root mean square of the powder's true moisture about its set point in good bags, powder out of specification
and too wet powder in good bags. The clairvoyant bound is in ``moisture.py``, on the dryer alone.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import statistics
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from moisture_section import CHANGED

from linecontrol.config import read_line
from linecontrol.twin.trial import Trial, run_trial
from simulator.parameters import default_parameters

RECIPE = "kudzu-lobata-standard"
SET_POINT = 12.8  # % wb, of the recipe
PEOPLE = ("hold", "manual")
STRATEGIES = ("pid", "cascade", "feedforward", "predictive")
METER = {"stuck": "stuck:drying:MT-306@{at}+1800", "drift +1": "drift:drying:MT-306=1@{at}+3600",
         "drift -1": "drift:drying:MT-306=-1@{at}+3600"}  # fmt: skip
METER_AT_S = 2700.0  # powder has been running for half an hour by then

Row = dict[str, Any]


def lines(folder: Path) -> dict[str, str]:
    """The demo line with each strategy at its start, as files in ``folder``."""
    demo = read_line("demo").path.parent
    (folder / "demo.moisture.json").write_bytes((demo / "demo.moisture.json").read_bytes())
    text, found = (demo / "demo.yaml").read_text(encoding="utf-8"), {}
    for mode in STRATEGIES:
        path = folder / f"{mode}.yaml"
        path.write_text(text.replace("mode: predictive", f"mode: {mode}"), encoding="utf-8")
        (folder / f"{mode}.accepted.json").write_bytes((demo / "demo.accepted.json").read_bytes())
        found[mode] = str(path)
    return found


def changed() -> dict[str, float]:
    """Plant parameters of the dryer that has become another."""
    usual = default_parameters()
    found = {}
    for name, factor in CHANGED:
        part, key = name.split(".")
        found[name] = factor * getattr(getattr(usual, part), key)
    return found


def one(trial: Trial) -> Row:
    """The figures of one run."""
    logging.disable()
    outcome = run_trial(trial)
    truth = outcome.truth
    made_kg = truth["good_kg"] + truth["out_of_spec_kg"] - truth["wet_in_good_kg"]
    off_pct = truth["moisture_mean_pct_wb"] - SET_POINT
    return {
        "state": outcome.record["state"],
        "rms_pct": math.hypot(off_pct, truth["moisture_sd_pct_wb"]),
        "out_pct": 100.0 * truth["out_of_spec_kg"] / made_kg,
        "wet_kg": truth["wet_in_good_kg"],
        "alarms": outcome.record["alarms"],
    }


def trials(asked: argparse.Namespace, files: dict[str, str]) -> list[tuple[tuple[str, str], Trial]]:
    """What is to be run: (case, mode) and its trial."""
    other, values = changed(), {"root_kg": asked.root_kg}
    found: list[tuple[tuple[str, str], Trial]] = []

    def add(case: str, mode: str, seed: int, **how: Any) -> None:
        who = {"policy": mode} if mode in PEOPLE else {"line": files[mode]}
        found.append(((case, mode), Trial(RECIPE, seed=seed, values=values, **who, **how)))

    for seed in range(asked.first, asked.first + asked.seeds):
        for mode in (*PEOPLE, *STRATEGIES):
            add("as commissioned", mode, seed)
            add("another dryer", mode, seed, plant=other)
        for case, fault in METER.items():
            for mode in STRATEGIES:
                add(case, mode, seed, faults=(fault.format(at=METER_AT_S),))
    return found


def table(rows: list[tuple[tuple[str, str], Row]]) -> None:
    """Print what came out, one case after the other."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for key, row in rows:
        groups.setdefault(key, []).append(row)
    print(f"\n{'':31}{'rms % wb':>9} {'worst':>6} {'out %':>7} {'worst':>6} {'wet kg':>7} {'complete':>9}")
    for case in dict.fromkeys(case for case, _ in groups):
        for mode in dict.fromkeys(mode for at, mode in groups if at == case):
            found = groups[case, mode]
            rms, out = [row["rms_pct"] for row in found], [row["out_pct"] for row in found]
            whole = sum(row["state"] == "Complete" for row in found)
            print(
                f"{case:18}{mode:13}{statistics.median(rms):9.3f} {max(rms):6.3f} {statistics.mean(out):7.2f}"
                f" {max(out):6.2f} {sum(row['wet_kg'] for row in found):7.2f} {whole:5}/{len(found)}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--root-kg", type=float, default=1000.0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path, help="every run's figures here")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(asked.jobs) as pool:
        wanted = trials(asked, lines(Path(folder)))
        waiting = [(key, pool.submit(one, trial)) for key, trial in wanted]
        rows = []
        for number, (key, future) in enumerate(waiting, 1):
            rows.append((key, future.result()))
            if sys.stderr.isatty():
                print(f"\r{number} of {len(waiting)} runs", end="", file=sys.stderr, flush=True)
    table(rows)
    if asked.json:
        asked.json.write_text(json.dumps([{"case": key[0], "mode": key[1], **row} for key, row in rows], indent=1))


if __name__ == "__main__":
    main()
