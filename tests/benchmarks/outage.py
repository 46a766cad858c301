"""How fast an outage is seen, told and over, for four faults on both protocols, twice each, inside a run.

    python tests/benchmarks/outage.py [--json]

Real time (speed 1). Limits: every tag BAD within 3 scans (of 0.5 s), an event within 5 s, GOOD within 2 s of the
device's answering again; CPU afterwards what it was before. For comparison: the best of five open peers in the same
test took 0.4 to 8.8 s to BAD after a kill, never noticed a hang or a Modbus exception, and needed 1.6 to 11.7 s to be
good again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "line"))

from line_rig import demo_at, driven, end, simulator, start_simulator

from linecontrol.core.image import LiveFeed
from linecontrol.core.model import Event, Quality
from linecontrol.line.assembly import Line

STATIONS = ("screening", "drying")
SOME_SCANS = 4
LASTS_S = 4.0  # of an outage, once it was told
NAN_TAG = {"screening": "WT-101", "drying": "TT-304"}


class Bench:
    def __init__(self, line: Line) -> None:
        self.line = line
        self.events: list[tuple[float, Event]] = []
        line.listeners.append(lambda event: self.events.append((time.monotonic(), event)))

    def tags(self, station: str, fault: str) -> list[str]:
        return [NAN_TAG[station]] if fault == "nan" else [n for n in self.line.stations[station].tags if n != "MT-306"]

    async def until(self, tags: list[str], quality: Quality) -> float:
        while any(self.line.image.at(tag, self.line.clock.now()).status.quality is not quality for tag in tags):
            await asyncio.sleep(0.005)
        return time.monotonic()

    async def some_scans(self) -> None:
        """Until each station has answered some more times: what was begun just now is over."""
        feed, left = LiveFeed(), dict.fromkeys(STATIONS, SOME_SCANS)
        self.line.image.attach(feed)
        while any(count > 0 for count in left.values()):
            for scan in await feed.take():
                if scan.station in left:
                    left[scan.station] -= 1
        self.line.image.detach(feed)

    async def outage(
        self, station: str, fault: str, begin: Callable[[], Awaitable[Any]], finish: Callable[[], Awaitable[Any]]
    ) -> dict[str, Any]:
        tags = self.tags(station, fault)
        await self.until(tags, Quality.GOOD)
        await self.some_scans()
        self.events.clear()
        began = time.monotonic()
        await begin()
        bad = await self.until(tags, Quality.BAD)
        while not (told := [at for at, event in self.events if event.active and event.source == station]):
            await asyncio.sleep(0.005)
        await asyncio.sleep(LASTS_S)
        await finish()
        answered = time.monotonic()
        good = await self.until(tags, Quality.GOOD)
        return {
            "station": station,
            "fault": fault,
            "bad_s": bad - began,
            "event_s": told[0] - began,
            "good_s": max(0.0, good - answered),
        }


async def measure() -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        async with simulator(1.0) as sim, driven(demo_at(sim.endpoints), Path(folder), 1.0) as line:
            bench = Bench(line)
            await line.runs.start("kudzu-lobata-standard", {}, who="operator:bench")
            await bench.some_scans()
            before = await cpu_share()
            for _ in range(2):
                for station in STATIONS:
                    for fault in ("silent", "exception", "nan"):
                        spec = f"{fault}:{station}" + (f":{NAN_TAG[station]}" if fault == "nan" else "")
                        rows.append(
                            await bench.outage(
                                station,
                                fault,
                                lambda s=spec: sim.tell(f"fault {s}"),  # type: ignore[misc]
                                lambda s=spec: sim.tell(f"clear {s}"),  # type: ignore[misc]
                            )
                        )
                for station in STATIONS:  # a killed process takes both down; each is watched once
                    current = sim

                    async def revive() -> None:
                        nonlocal sim
                        sim = await start_simulator(1.0, ports=current.endpoints)  # noqa: B023

                    rows.append(await bench.outage(station, "killed", current.kill, revive))
            await bench.some_scans()
            after = await cpu_share()
            await end(sim.process)
    return {"outages": rows, "cpu_before": before, "cpu_after": after}


async def cpu_share(seconds: float = 5.0) -> float:
    """CPU of this process over a few idle seconds, as a share of one core."""
    start, used = time.monotonic(), sum(os.times()[:2])
    await asyncio.sleep(seconds)
    return (sum(os.times()[:2]) - used) / (time.monotonic() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = asyncio.run(measure())
    if options.json:
        print(json.dumps(found))
        return
    print(f"{'fault':12}{'station':12}{'BAD after':>12}{'event after':>13}{'GOOD again':>12}")
    for row in found["outages"]:
        print(
            f"{row['fault']:12}{row['station']:12}{row['bad_s']:10.2f} s{row['event_s']:11.2f} s{row['good_s']:10.2f} s"
        )
    for key, limit, words in (("bad_s", 1.5, "3 scans"), ("event_s", 5.0, "5 s"), ("good_s", 2.0, "2 s")):
        worst = max(row[key] for row in found["outages"])
        print(f"worst {key}: {worst:.2f} s, limit {words}: {'PASS' if worst <= limit else 'FAIL'}")
    before, after = found["cpu_before"], found["cpu_after"]
    verdict = "PASS" if after <= 1.3 * before + 0.01 else "FAIL"
    print(f"CPU before {100 * before:.1f} %, after {100 * after:.1f} % of a core: {verdict}")


if __name__ == "__main__":
    main()
