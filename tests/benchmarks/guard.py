"""One shift with everything that goes wrong, with and without each guard: what bad powder would have left the house?

    python tests/benchmarks/guard.py [--seeds 1] [--first 1] [--jobs 2] [--root-kg 600] [--arm all …] [--json FILE]

Each seed is a shift of its own: another plant, other lots, the troubles at other times. In it: a wet lot, a film on the
window of the moisture meter that is wiped at last, a torn sieve, metal in the powder, a burner that trips, a cabinet
that does not answer. An operator passes the test pieces and takes an oven sample each hour.
Bad powder is what the *plant* knows to be too wet (true moisture above the critical limit), to hold metal, or to show
more specks than the limit. Released: in a bag that the bag book does not hold. Good powder that is held is held
wrongly: bags are held whole.

With all guards on, the evidence pack of each shift is made, and below the table stands how many of them tell each
trouble by an entry of its kind from within half an hour.

With --seeds 50 it takes 45 minutes of CPU (seven seconds a shift); one seed in all arms one minute. What each single
guard is worth against its own trouble: ``guard_each.py``. Exit code 1 when any bad powder was released with all guards.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from linecontrol.analysis.evidence import gather
from linecontrol.config import read_line
from linecontrol.history import Historian, open_reader
from linecontrol.line.build import line_tags
from linecontrol.twin.powder import verdict
from linecontrol.twin.trial import EPOCH, Outcome, Trial, line_at_step, run_trial
from linecontrol.twin.unguarded import EFFECT_WATCH, LINK_WATCH, METER_WATCH, guards_of

RECIPE = "kudzu-lobata-standard"
TEAR = ("IL-201", "IL-202", "OPRP-specks")
ARMS: dict[str, Sequence[str]] = {
    "all": (),
    "without CCP1 moisture": ("CCP1-moisture", METER_WATCH),
    "without meter watch": (METER_WATCH,),
    "without CCP2 metal": ("CCP2-metal",),
    "without tear and specks": TEAR,
    "without effect watch": (EFFECT_WATCH,),
    "without link watch": (LINK_WATCH,),
    "none": tuple(guards_of(read_line("demo"))),
}


@dataclass(frozen=True, slots=True)
class Shift:
    """One seed in one arm."""

    seed: int
    arm: str
    root_kg: float


def troubles(seed: int) -> list[str]:
    """The shift's troubles, at times drawn from the seed [plant s]."""
    draw = Random(f"{seed}:shift")

    def at(early: float, late: float) -> str:
        return f"{draw.uniform(early, late):.0f}"

    return [
        f"wet-lot:hopper:{draw.uniform(6.0, 12.0):.1f}@{at(300, 900)}",
        f"drift:drying:MT-306=-{draw.uniform(2.0, 4.0):.1f}@{at(1700, 2000)}+1500",
        f"screen-tear:sieves:{draw.uniform(0.1, 0.3):.2f}@{at(2300, 2900)}+300",
        f"metal-shower:packing@{at(3800, 4300)}+{draw.uniform(5.0, 25.0):.0f}",
        f"burner-trip:heater@{at(4600, 5000)}+240",
        f"silent:drying@{at(5500, 6000)}+{draw.uniform(20.0, 90.0):.0f}",
    ]


def work(shift: Shift) -> dict[str, Any]:
    """Run one shift; in a process of its own."""
    logging.disable(logging.WARNING)
    trial = Trial(
        RECIPE,
        seed=shift.seed,
        values={"root_kg": shift.root_kg},
        faults=troubles(shift.seed),
        policy="checks",
        without=ARMS[shift.arm],
        powder=True,
    )
    out = run_trial(trial)
    explained = sorted({row.ccp for row in out.kept.deviations.values()}) if out.kept is not None else []
    bags = list(out.kept.bags.values()) if out.kept is not None else []
    return {
        "told": told(asyncio.run(pack_of(out))) if shift.arm == "all" else {},
        "seed": shift.seed,
        "arm": shift.arm,
        "state": out.record["state"],
        "reason": out.record["reason"],
        "deviations": explained,
        **verdict(out.powder, bags),
    }


async def pack_of(out: Outcome) -> dict[str, Any]:
    """The evidence pack of a shift, from a history of its own."""
    assert out.kept is not None
    with tempfile.TemporaryDirectory() as place:
        url, tags = f"sqlite:///{place}/history.sqlite3", line_tags(line_at_step(out.trial.line))
        history = Historian(url, Path(place) / "spool", "demo", tags, memory_rows=5_000_000, save_patience_s=600.0)
        await history.start()
        await out.kept.store(history)
        await history.stop()
        with open_reader(url) as reader:
            pack = gather(reader, out.trial.run_id, EPOCH)
    return pack | {"faults": list(out.trial.faults)}


TELLS = {
    "wet-lot": ("root-hopper",),
    "drift": ("CCP1-moisture", "MIC-306", "MT-306", "XV-312"),
    "screen-tear": ("IL-201", "IL-202", "OPRP-specks"),
    "metal-shower": ("CCP2-metal", "QT-321"),
    "burner-trip": ("TIC-303", "XA-301", "CCP1-moisture", "IL-302"),
    "silent": ("drying.LINK-DOWN",),
}
"""What an entry about each trouble is named after: a limit, an interlock, a meter, a loop or an alarm."""
WITHIN_S = 1800.0


def told(pack: Mapping[str, Any]) -> dict[str, bool]:
    """Of each trouble: whether the pack has an entry about it, from its beginning to half an hour later."""
    entries = [(row["opened"], row["ccp"]) for row in pack["deviations"]]
    entries += [(one["time"], f"{one['source']} {one['text']}") for one in (*pack["alarms"], *pack["events"])]
    found = {}
    for fault in pack["faults"]:
        name, began = fault.partition(":")[0], EPOCH + float(fault.rpartition("@")[2].partition("+")[0])
        told_then = [text for time, text in entries if began <= time <= began + WITHIN_S]
        found[name] = any(word in text for text in told_then for word in TELLS[name])
    return found


_COLUMNS = ("bad_released", "bad_released_wet", "bad_released_metal", "bad_released_specks", "bad_held", "bad_diverted")


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Grams of bad powder a shift, and kilograms of good powder wrongly kept back, by arm: mean and worst."""
    lines = ["bad powder, g a shift (mean; worst)                             good powder, kg a shift"]
    lines.append(
        f"{'':24} {'released':>16}{'wet':>8}{'metal':>8}{'specks':>8}{'held':>8}{'diverted':>9}"
        f" {'released':>9} {'held':>7} {'diverted':>8}  complete"
    )
    for arm in dict.fromkeys(row["arm"] for row in rows):
        mine = [row for row in rows if row["arm"] == arm]

        def mean(key: str, factor: float = 1.0, of: Sequence[dict[str, Any]] = mine) -> float:
            return factor * math.fsum(row[key] for row in of) / len(of)

        worst = 1000.0 * max(row["bad_released"] for row in mine)
        bad = "".join(f"{mean(key, 1000.0):8.0f}" for key in _COLUMNS[1:-1]) + f"{mean(_COLUMNS[-1], 1000.0):9.0f}"
        good = [mean(key) for key in ("good_released", "good_held", "good_diverted")]
        done = sum(row["state"] == "Complete" for row in mine)
        lines.append(
            f"{arm:24} {mean('bad_released', 1000.0):8.0f}; {worst:6.0f}{bad}"
            f" {good[0]:9.1f} {good[1]:7.1f} {good[2]:8.1f}  {done}/{len(mine)}"
        )
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--root-kg", type=float, default=600.0)
    parser.add_argument("--arm", action="append", choices=list(ARMS))
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    shifts = [
        Shift(seed, arm, asked.root_kg)
        for seed in range(asked.first, asked.first + asked.seeds)
        for arm in (asked.arm or ARMS)
    ]
    rows = []
    with ProcessPoolExecutor(asked.jobs) as pool:
        for row in pool.map(work, shifts):
            rows.append(row)
            if asked.json is not None:
                asked.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    print("\n".join(table(rows)))
    packs = [row["told"] for row in rows if row["told"]]
    if packs:
        counts = ", ".join(f"{name} {sum(one[name] for one in packs)}" for name in TELLS)
        print(f"told in the evidence pack, of {len(packs)} shifts: {counts}")
    return int(any(row["arm"] == "all" and row["bad_released"] > 0.0 for row in rows))


if __name__ == "__main__":
    sys.exit(main())
