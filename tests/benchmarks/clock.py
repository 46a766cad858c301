"""Scan lateness beside a sleeping thread's, idle and under load, measured side by side in the same run.

    python tests/benchmarks/clock.py [--seconds 60] [--real-time] [--json]

Limits: median lateness at most 1.25 times, 99th percentile at most 1.5 times a thread's sleep; never early; 99th
percentile under the load of ``clock_load.py`` at most 3 times the idle one; longest pause of the garbage collector on
the scan thread at most 1 ms with 400,000 live objects.

With ``--real-time`` every beat is measured in the real-time class that the service file of docs/install.md asks for,
and the clients of the load in the ordinary one; it needs the permission (root, or ``ulimit -r 1``).

On Linux the lateness under load is also given net of the time the thread was ready to run but no processor was free: on
a machine with other work to do, that is the part this program can do something about.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from clock_load import fill, loaded_line

from linecontrol.cli.serving import run_event_loop
from linecontrol.core.clock import Clock
from linecontrol.core.ticker import Tick, ticker

PERIOD_S = 0.01
METHODS = ("thread", "asyncio", "ours", "loaded")
NAMES = ("a sleeping thread", "asyncio.sleep", "our scan beat", "our beat under load")
RATIOS = (
    ("ratio_p50", "ours", "thread", "p50_us", 1.25),
    ("ratio_p99", "ours", "thread", "p99_us", 1.5),
    ("ratio_loaded_p99", "loaded", "ours", "p99_us", 3.0),
    ("ratio_loaded_own_p99", "loaded", "ours", "own_p99_us", 3.0),
)


def thread_sleep(seconds: float) -> list[float]:
    """Lateness [s] of a thread that sleeps to absolute deadlines: the floor the machine sets."""
    late, start = [], time.perf_counter() + PERIOD_S
    for k in range(int(seconds / PERIOD_S)):
        wait_s = start + k * PERIOD_S - time.perf_counter()
        if wait_s > 0:
            time.sleep(wait_s)
        late.append(time.perf_counter() - start - k * PERIOD_S)
    return late


async def our_ticks(seconds: float, late: Lateness) -> None:
    """Our beat in an event loop, as a station's scan sees it."""
    with ticker(Clock(), PERIOD_S) as beat:
        while len(late.all) < seconds / PERIOD_S:
            late.note(await beat.next())


async def loaded_ticks(seconds: float, late: Lateness, folder: Path) -> None:
    """The same beat while this process also records, serves its API and answers a long query."""
    async with loaded_line(folder) as publish:
        gc.collect()
        gc.freeze()  # as a line does when it has started
        late.start()
        with ticker(Clock(), PERIOD_S) as beat:
            for number in range(int(seconds / PERIOD_S)):
                late.note(await beat.next())
                publish(number)


class Lateness:
    """Of beats [s]: ``all`` as it was, ``own`` less the time this thread waited for a processor."""

    def __init__(self) -> None:
        self.all: list[float] = []
        self.own: list[float] = []
        self.start()

    def start(self) -> None:
        self._waited_s = waited_for_processor_s()

    def note(self, tick: Tick) -> None:
        """This beat, and those it comes in place of because they could not be served."""
        now = time.monotonic()
        waited_s = waited_for_processor_s()
        late = [now - tick.due + PERIOD_S * skipped for skipped in range(tick.missed + 1)]
        self.all += late
        self.own += [max(0.0, one - waited_s + self._waited_s) for one in late]
        self._waited_s = waited_s


def waited_for_processor_s() -> float:
    try:
        return int(Path("/proc/thread-self/schedstat").read_text("ascii").split()[1]) / 1e9
    except FileNotFoundError:  # not Linux
        return 0.0


async def asyncio_sleep(seconds: float) -> list[float]:
    late, start = [], time.perf_counter() + PERIOD_S
    for k in range(int(seconds / PERIOD_S)):
        wait_s = start + k * PERIOD_S - time.perf_counter()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        late.append(time.perf_counter() - start - k * PERIOD_S)
    return late


def longest_gc_pause_s(frozen: bool) -> float:
    """Longest collection while small objects are made beside 400,000 live ones."""
    live = [{"name": str(i), "value": float(i)} for i in range(400_000)]
    if frozen:
        gc.collect()
        gc.freeze()
    pauses, began = [0.0], 0.0

    def watch(phase: str, _details: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = time.perf_counter()
        else:
            pauses.append(time.perf_counter() - began)

    gc.callbacks.append(watch)
    kept: list[list[Any]] = []
    for i in range(300_000):
        kept.append([i])
        if len(kept) > 2_000:
            kept.clear()
    gc.callbacks.remove(watch)
    gc.unfreeze()
    assert live
    return max(pauses)


def measure(method: str, seconds: float, folder: Path) -> dict[str, float]:
    if method == "thread":
        return summary(thread_sleep(seconds))
    if method == "asyncio":
        return summary(asyncio.run(asyncio_sleep(seconds)))
    late = Lateness()
    run_event_loop(our_ticks(seconds, late) if method == "ours" else loaded_ticks(seconds, late, folder))
    return {**summary(late.all), "own_p99_us": summary(late.own)["p99_us"]}


def in_own_process(method: str, seconds: float, folder: Path, real_time: bool) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", method, "--seconds", str(seconds), "--folder", str(folder)]
    command += ["--real-time"] if real_time else []
    out = subprocess.check_output(command)
    found: dict[str, float] = json.loads(out)
    return found


def summary(late: list[float]) -> dict[str, float]:
    ordered = sorted(late)
    return {
        "first_us": ordered[0] * 1e6,
        "p50_us": ordered[len(ordered) // 2] * 1e6,
        "p99_us": ordered[int(len(ordered) * 0.99)] * 1e6,
        "max_us": ordered[-1] * 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--real-time", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", choices=METHODS)
    parser.add_argument("--folder", type=Path, default=Path())
    options = parser.parse_args()
    if options.real_time and options.one:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    if options.one:
        print(json.dumps(measure(options.one, options.seconds, options.folder)))
        return
    each_s = options.seconds / options.rounds
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(fill(Path(folder)))
        rounds = [
            {m: in_own_process(m, each_s, Path(folder), options.real_time) for m in METHODS}
            for _ in range(options.rounds)
        ]
    report(rounds, options.json)


def ratio(rounds: list[dict[str, Any]], one: str, other: str, key: str) -> dict[str, float]:
    ratios = [r[one][key] / r[other][key] for r in rounds]
    return {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}


def report(rounds: list[dict[str, Any]], as_json: bool) -> None:
    result: dict[str, Any] = {m: {k: statistics.median(r[m][k] for r in rounds) for k in rounds[0][m]} for m in METHODS}
    for name, one, other, key, _ in RATIOS:
        result[name] = ratio(rounds, one, other, key)
    result["earliest_us"] = min(r["ours"]["first_us"] for r in rounds)
    result["gc_pause_ms"] = {"plain": longest_gc_pause_s(False) * 1e3, "frozen": longest_gc_pause_s(True) * 1e3}
    if as_json:
        print(json.dumps(result))
        return
    print(f"{'10 ms beat, lateness [us]':28}{'p50':>8}{'p99':>8}{'max':>9}")
    for method, name in zip(METHODS, NAMES, strict=True):
        row = result[method]
        print(f"{name:28}{row['p50_us']:8.0f}{row['p99_us']:8.0f}{row['max_us']:9.0f}")
    for key, one, other, _, limit in RATIOS:
        row = result[key]
        verdict = "PASS" if row["median"] <= limit else "FAIL"
        span = f"{row['low']:.2f} to {row['high']:.2f}"
        print(f"{key} {one} / {other}: {row['median']:.2f} ({span}), limit {limit}: {verdict}")
    print(
        f"earliest: {result['earliest_us']:.0f} us after its time: {'PASS' if result['earliest_us'] >= 0 else 'FAIL'}"
    )
    pause = result["gc_pause_ms"]
    verdict = "PASS" if pause["frozen"] <= 1.0 else "FAIL"
    print(f"longest gc pause: {pause['plain']:.1f} ms, after gc.freeze {pause['frozen']:.2f} ms, limit 1 ms: {verdict}")


if __name__ == "__main__":
    main()
