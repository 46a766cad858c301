"""Each guard against the trouble it is there for: with all guards, without this one, with this one alone, with none.

    python tests/benchmarks/guard_each.py [--seeds 5] [--first 1] [--jobs 2] [--only NAME …] [--arm ARM …] [--json FILE]

What it costs is told in what it is about: grams of bad powder that leave the house (the plant knows which), or seconds
in which a machine went on in spite of a danger. A trial is a short run of 60 kg with one trouble at a time drawn from
its seed; or, for what only refuses commands, a person's wrong hand on a cold line. The simulated PLCs keep their own
permits, as real ones should: where nothing happens without the guard, one of them or another guard stands behind it,
and the last two columns say what this one does with no other there.

A seed takes about three minutes of one core, half of it with ``--arm all --arm without``. Exit code 1 when bad powder
left with all guards on.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import math
import re
import statistics
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from linecontrol.config import read_line
from linecontrol.core.garbage import seldom
from linecontrol.core.model import Command
from linecontrol.line.assembly import Line
from linecontrol.twin import operators
from linecontrol.twin.loop import run_virtual
from linecontrol.twin.powder import IN_HOUSE, verdict
from linecontrol.twin.trial import Trial, Twin
from linecontrol.twin.unguarded import EFFECT_WATCH, LINK_WATCH, METER_WATCH, guards_of

RECIPE = "kudzu-lobata-standard"
VALUES = {
    "root_kg": 60.0, "feed_pct": 40.0, "screen_runout_s": 60.0, "centrifuge_runout_s": 420.0, "warm_up_per_min": 40.0,
    "start_level": 5.0, "settle_s": 60.0,
}  # fmt: skip
"""Dries from 900 s on for ten minutes."""
ARMS = ("all", "without", "alone", "none")
WATCH_S = 180.0  # after a wrong hand
Condition = tuple[str, str, float]  # tag, "above" or "below", limit
ONCE = re.compile(r"@(\d+)\+(\d+)$")  # when a trouble begins, how long it lasts [s]


@dataclass(frozen=True, slots=True)
class Case:
    """A trouble and the guards that meet it.

    Attributes:
        guards: taken away together in the arm "without". trouble: as ``--fault`` takes them; ``{at}`` is drawn.
        hand: (tag, value, wait [s]) one after the other, instead of a run.
        danger: seconds in which all of it holds are counted; () = grams of bad powder that leave.
        warm: bags warmer than this that nothing holds are counted instead [°C].
        patience_s: so long the operator waits for what holds the run.
        after_s: seconds of danger are counted so long after the trouble's end; grams of powder until the run's.
    """

    title: str
    guards: Sequence[str]
    trouble: Sequence[str] = ()
    hand: Sequence[tuple[str, float, float]] = ()
    danger: Sequence[Condition] = ()
    warm: float = math.nan
    plant: Mapping[str, float] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=lambda: VALUES)
    patience_s: float = 3600.0
    after_s: float = 120.0

    @property
    def unit(self) -> str:
        return "s" if self.danger else "g"


CASES = {
    "CCP1-moisture": Case("wet powder, the burner is out", ("CCP1-moisture",), ["burner-trip:heater@{at}+240"]),
    METER_WATCH: Case(
        "a film on the moisture meter's window", (METER_WATCH,), ["drift:drying:MT-306=-3@1800+1500"],
        values={"root_kg": 300.0},
    ),
    "CCP2-metal": Case("metal in the powder", ("CCP2-metal",), ["metal-shower:packing@{at}+15"]),
    "OPRP-specks": Case("torn sieve, seen by the camera", ("OPRP-specks",), ["screen-tear:sieves:0.3@400+500"]),
    "IL-201": Case("torn sieve, seen in the milk", ("IL-201",), ["screen-tear:sieves:0.3@400+500"]),
    "IL-202": Case("torn sieve, seen by pressure", ("IL-202",), ["screen-tear:sieves:0.3@400+500"]),
    "OPRP-bag-temp": Case("bags filled warm", ("OPRP-bag-temp",), ["cooler-warm:packing:0.1@{at}"], warm=32.0),
    "CCP1-product-temp": Case(
        "hot powder into good bags", ("CCP1-product-temp",), ["offset:drying:TT-303=-110@{at}+400"],
        danger=[("TT-305", "above", 60.0), ("ZT-312", "below", 0.5), ("WT-313", "above", 20.0)],
    ),
    "IL-310": Case(
        "the run goes on with hot powder", ("IL-310",), ["offset:drying:TT-303=-110@{at}+400"],
        danger=[("TT-305", "above", 60.0), ("TV-303", "above", 0.5), ("WT-313", "above", 20.0)],
    ),
    EFFECT_WATCH: Case(
        "cake is fed on, the burner is out", (EFFECT_WATCH,), ["burner-trip:heater@{at}+240"],
        danger=[("TT-303", "below", 65.0), ("SC-302", "above", 5.0)],
    ),
    LINK_WATCH: Case(
        "roots are fed on, the dryer is silent", (LINK_WATCH,), ["silent:drying@370+200"],
        danger=[("SC-101", "above", 1.0), ("drying", "below", 0.5)],
    ),
    "IL-302": Case(
        "heat without air", ("IL-302",), ["belt-slip:exhaust:0.8@{at}+200"],
        danger=[("FT-307", "below", 600.0), ("TV-303", "above", 0.5)],
    ),
    "IL-307": Case(
        "feed without suction", ("IL-307",), ["belt-slip:exhaust:0.6@{at}+300"],
        danger=[("PT-308", "above", -30.0), ("SC-302", "above", 5.0)],
    ),
    "IL-308": Case(
        "heat and feed in explosive dust (as shown)", ("IL-308",), ["offset:drying:AT-319=+20@{at}+120"],
        danger=[("AT-319", "above", 15.0), ("SC-302", "above", 0.5)],
    ),
    "IL-309": Case(
        "heat and feed with sparks in the duct", ("IL-309",), ["sparks:dryer@{at}+120"],
        danger=[("XT-322", "above", 0.5), ("SC-302", "above", 0.5)],
    ),
    "IL-203": Case(
        "the milk tank is over full", ("IL-203",), ["external-write:grinding:SC-206=0@500+600"],
        danger=[("LT-205", "above", 97.0), ("FV-203", "above", 0.5)],
        after_s=6000.0,  # it takes 80 minutes to fill
    ),
    "IL-401": Case(
        "wet material that stood for hours", ("IL-401",), ["silent:drying@{at}+14400"],
        danger=[("WET.GROWTH", "above", 0.3), ("SC-302", "above", 0.5)], plant={"site.ambient_c": 34.0},
        patience_s=6 * 3600.0, after_s=3600.0,
    ),
    "IL-101": Case(
        "roots onto a standing rasp", ("IL-101",), hand=[("XC-101", 1.0, 5.0), ("SC-101", 30.0, 0.0)],
        danger=[("ST-201", "below", 300.0), ("SC-101", "above", 0.5)],
    ),
    "IL-301": Case(
        "heat before air", ("IL-301",), hand=[("XC-301", 1.0, 5.0), ("TV-303", 40.0, 0.0)],
        danger=[("FT-307", "below", 600.0), ("TV-303", "above", 0.5)],
    ),
    "IL-303": Case(
        "wet cake into a cold duct", ("IL-303",),
        hand=[("XC-301", 1.0, 5.0), ("SC-307", 60.0, 40.0), ("SC-302", 20.0, 0.0)],
        danger=[("TT-303", "below", 60.0), ("SC-302", "above", 0.5)],
    ),
    "IL-304": Case(
        "the fan stops over a hot duct", ("IL-304",),
        hand=[
            ("XC-301", 1.0, 5.0), ("SC-307", 60.0, 30.0), ("TV-303", 60.0, 150.0), ("TV-303", 0.0, 5.0),
            ("SC-307", 0.0, 0.0),
        ],
        danger=[("TT-303", "above", 85.0), ("SC-307", "below", 20.0)],
    ),
    "IL-305": Case(
        "the fan stops before the heater", ("IL-305",),
        hand=[("XC-301", 1.0, 5.0), ("SC-307", 60.0, 30.0), ("TV-303", 20.0, 10.0), ("SC-307", 0.0, 0.0)],
        danger=[("TV-303", "above", 0.5), ("SC-307", "below", 20.0)],
    ),
    "IL-306": Case(
        "feed without suction, by hand", ("IL-306",), ["belt-slip:exhaust:0.6@200"],
        hand=[("XC-301", 1.0, 5.0), ("SC-307", 60.0, 30.0), ("TV-303", 40.0, 250.0), ("SC-302", 20.0, 0.0)],
        danger=[("PT-308", "above", -40.0), ("SC-302", "above", 0.5)],
    ),
}  # fmt: skip


def work(asked: tuple[str, str, int]) -> dict[str, Any]:
    """One case in one arm with one seed; in a process of its own."""
    name, arm, seed = asked
    logging.disable(logging.WARNING)
    case, draw = CASES[name], Random(f"{seed}:{name}")
    guards = guards_of(read_line("demo"))
    taken = {
        "all": (),
        "without": case.guards,
        "alone": [one for one in guards if one not in case.guards],
        "none": guards,
    }[arm]
    operators.GIVE_UP_AFTER_S = case.patience_s
    trouble = [text.format(at=f"{draw.uniform(1000.0, 1150.0):.0f}") for text in case.trouble]
    trial = Trial(
        RECIPE,
        seed=seed,
        values=case.values,
        plant=case.plant,
        faults=trouble,
        policy="checks",
        without=taken,
        powder=True,
    )
    with seldom():
        cost, state = run_virtual(_run(case, trial))
    return {"case": name, "arm": arm, "seed": seed, "cost": cost, "state": state}


async def _run(case: Case, trial: Trial) -> tuple[float, str]:
    twin, seconds = Twin(trial), [0.0]
    passing = asyncio.create_task(twin.pass_time(), name="plant")
    try:
        async with twin.line as line:
            await line.ready()
            watching = asyncio.create_task(_watch(line, case.danger, seconds))
            if case.hand:
                for tag, value, wait_s in case.hand:
                    await line.gate.submit(Command(tag, value, "operator:hasty", "by hand"))
                    await line.clock.sleep(wait_s)
                await line.clock.sleep(WATCH_S)
                state = ""
            else:
                await line.runs.start(trial.recipe, trial.values, who="operator:checks", run_id=trial.run_id)
                await _work(twin, case, trial)
                state = str(line.runs.current_record()["state"])
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    finally:
        passing.cancel()
        await asyncio.gather(passing, return_exceptions=True)
    assert twin.recording is not None
    assert twin.powder is not None
    if case.danger:
        return seconds[0], state
    bags = list(twin.recording.kept.bags.values())
    if not math.isnan(case.warm):
        warm = [bag for bag in bags if bag.status not in IN_HOUSE and (bag.temp_c or 0.0) > case.warm]
        return 1000.0 * sum(bag.weight_kg for bag in warm), state
    return 1000.0 * verdict(twin.powder.packets, bags)["bad_released"], state


async def _work(twin: Twin, case: Case, trial: Trial) -> None:
    """Until the run has ended; or, where seconds are counted, until the trouble is well over."""

    async def to_the_end() -> None:
        await twin.operator().work()
        await twin.line.runs.settled()
        await twin.line.clock.sleep(5.0)

    if not case.danger:
        return await to_the_end()
    (begins, lasts), *_ = (ONCE.findall(text)[0] for text in trial.faults)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(float(begins) + float(lasts) + case.after_s):
            await to_the_end()


async def _watch(line: Line, danger: Sequence[Condition], seconds: list[float]) -> None:
    """Count the seconds in which all conditions hold; a station by its name is 1 while it answers."""
    while danger:
        await line.clock.sleep(1.0)
        now = line.clock.now()
        values = (
            (float(line.stations[tag].is_up) if tag in line.stations else line.image.at(tag, now).number, way, limit)
            for tag, way, limit in danger
        )
        seconds[0] += all(value > limit if way == "above" else value < limit for value, way, limit in values)


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each trouble cost, mean and worst, by case and arm."""
    lines = [
        f"{'guard':18} {'trouble':40} {'':3} {'all':>16} {'without it':>18} {'with it alone':>18} {'with none':>18}"
    ]
    for name in dict.fromkeys(row["case"] for row in rows):
        cells = []
        for arm in ARMS:
            costs = [row["cost"] for row in rows if (row["case"], row["arm"]) == (name, arm)]
            cells.append(f"{statistics.fmean(costs):8.1f}; {max(costs):7.0f}" if costs else "-")
        case = CASES[name]
        lines.append(
            f"{name:18} {case.title:40} {case.unit:3} {cells[0]:>16} {cells[1]:>18} {cells[2]:>18} {cells[3]:>18}"
        )
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", action="append", choices=list(CASES))
    parser.add_argument("--arm", action="append", choices=ARMS)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    trials = [
        (name, arm, seed)
        for name in (asked.only or CASES)
        for arm in asked.arm or ARMS
        for seed in range(asked.first, asked.first + asked.seeds)
    ]
    rows = []
    with ProcessPoolExecutor(asked.jobs) as pool:
        for row in pool.map(work, trials):
            rows.append(row)
            if asked.json is not None:
                asked.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    print("cost of each trouble (mean; worst)")
    print("\n".join(table(rows)))
    return int(any(row["arm"] == "all" and CASES[row["case"]].unit == "g" and row["cost"] > 0.0 for row in rows))


if __name__ == "__main__":
    sys.exit(main())
