"""Recall over 1000 runs: how long both questions take, and how long verifying all their evidence takes.

    .venv/bin/python tests/benchmarks/recall.py [--runs 1000] [--bags 12]

Fills a history of its own in a temporary folder through the historian, then asks it cold (a new reader each time).
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from random import Random

from linecontrol.guard.genealogy import Machine, Passage, Throughput, passage_of
from linecontrol.history import BagRow, Historian, LotRow, LotUseRow, RunRow, open_reader
from linecontrol.history.trace import bags_of_lot, roots_of_bag
from linecontrol.history.verify import verify

T0 = 1_700_000_000.0


def passage() -> Passage:
    """One as long as a real one: ten machines, 120 bins each."""
    import numpy as np

    flow = np.full(2880, 900.0)
    machines = [Machine(f"m{n}", "drying", "q", 2, mean_s=200.0) for n in range(10)]
    weights = np.zeros(2880)
    weights[-60:] = 1.0
    return passage_of(machines, Throughput(0.0, 10.0, {"q": flow}), weights)


async def fill(url: str, folder: Path, runs: int, bags: int) -> None:
    rng, spread = Random(1), passage().as_json()
    history = Historian(url, folder / "spool", "demo", [], save_patience_s=60.0)
    await history.start()
    for run in range(runs):
        at, name = T0 + 30_000.0 * run, f"run-{run:04d}"
        lots = [f"lot-{run // 3}", f"lot-{run // 3 + 1}"]
        if run % 3 == 0:
            history.trace(LotRow(lots[0], "lobata", 900.0, at, "operator:li"))
        history.trace(LotUseRow(f"U{run}", name, lots[0], at, at, "operator:li"))
        for number in range(1, bags + 1):
            share = rng.random()
            closed = at + 2000.0 * number
            history.trace(
                BagRow(
                    *(f"{name}-B{number:03d}", name, number, "good", closed - 2000.0, closed, closed, 25.0),
                    *(12.8, 13.4, 22.0, 0.61, 0.52, 0.86, 0.0),
                    lots=[(lots[0], share, 25.0 * share), (lots[1], 1.0 - share, 25.0 * (1.0 - share))],
                    passage=spread,
                )
            )
        await history.save_run(
            RunRow(name, "standard", "h", "Complete", at + 29_000.0, at, at + 28_900.0, {"run_id": name})
        )
    history.trace(LotRow(f"lot-{(runs - 1) // 3 + 1}", "lobata", 900.0, T0, "operator:li"))
    await history.flush()
    await history.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--bags", type=int, default=12)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        url = f"sqlite:///{folder / 'history.sqlite3'}"
        began = time.perf_counter()
        asyncio.run(fill(url, folder, asked.runs, asked.bags))
        size = (folder / "history.sqlite3").stat().st_size / 2**20
        lasted_s = time.perf_counter() - began
        print(f"{asked.runs} runs, {asked.runs * asked.bags} bags, {size:.0f} MiB, filled in {lasted_s:.0f} s")
        rng = Random(2)
        times: dict[str, list[float]] = {"lot to bags": [], "bag to roots": []}
        for _ in range(20):
            run = rng.randrange(asked.runs)
            began = time.perf_counter()
            with open_reader(url) as reader:
                _, bags = bags_of_lot(reader, f"lot-{run // 3}")
            times["lot to bags"].append(time.perf_counter() - began)
            assert len(bags) >= asked.bags
            began = time.perf_counter()
            with open_reader(url) as reader:
                found = roots_of_bag(reader, f"run-{run:04d}-B001")
            times["bag to roots"].append(time.perf_counter() - began)
            assert len(found.lots) == 2
        for name, taken in times.items():
            print(f"{name}: median {1e3 * statistics.median(taken):.1f} ms, worst {1e3 * max(taken):.1f} ms")
        began = time.perf_counter()
        with open_reader(url) as reader:
            checked = verify(reader)
        assert checked.is_sound, checked.findings[:3]
        print(f"verify: {checked.records} records in {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
