"""The alarm system: what it costs, how it bears a storm, and whether a clean day is quiet.

    python tests/benchmarks/alarms.py [cost] [storm] [day] [--seed 1] [--hours 24]

cost: CPU of one look at every alarm of the demo line, as a share of a control cycle of one second.
storm: 200 alarms in a minute without a common cause: how many are told, and how long an acknowledge takes (pure part).
day: clean hours on the twin, run after run; limits: at most one alarm told an hour, no flood, no nuisance.
Without words: all three.
"""

from __future__ import annotations

import argparse
import logging
import math
import statistics
import time
from collections import Counter
from random import Random

from linecontrol.config import read_line
from linecontrol.core.model import DataType, Sample, Status
from linecontrol.guard.alarms import AlarmRow, AlarmSystem, Kind, Priority
from linecontrol.guard.alarms.kpis import floods_of, peak
from linecontrol.line.alarm_rows import alarm_rows, event_rows
from linecontrol.line.build import line_tags
from linecontrol.twin.trial import Trial, run_trial

MOST_PER_HOUR = 1.0
TELLS = 10


def cost() -> None:
    """CPU of one look at all alarms, every tag changing each second."""
    config = read_line("demo")
    system = AlarmSystem(alarm_rows(config), event_rows(config))
    tags = {tag.name: tag for tag in line_tags(config)}
    draw, scans = Random(1), []
    for _ in range(50):
        scan = {}
        for name in system.tags:
            tag = tags[name]
            if tag.type is DataType.BOOL:
                value: float | bool = False
            elif math.isfinite(tag.high - tag.low):
                value = tag.low + (0.3 + 0.01 * draw.random()) * (tag.high - tag.low)
            else:
                value = 1.0
            scan[name] = Sample(value, Status.GOOD, 0.0)
        scans.append(scan)
    took = []
    for second in range(20_000):
        scan = scans[second % len(scans)]
        began = time.process_time_ns()
        system.tick(float(second), scan, "Running")
        took.append(time.process_time_ns() - began)
        system.changes.clear()
    mean_us = statistics.fmean(took) / 1000.0
    print(f"cost: {len(system.alarms)} alarms on {len(system.tags)} tags: {mean_us:.0f} us of CPU a look,")
    print(f"      {mean_us / 1e6:.4%} of a real second, {mean_us / 1000.0:.1%} of one at 1,000 times real time")


def storm() -> None:
    """200 alarms in a minute, and the time of an acknowledge in it."""
    text = read_line("demo").controller_alarms.events[0].text.text()
    rank = [Priority.LOW] * 16 + [Priority.MEDIUM] * 3 + [Priority.HIGH]
    rows = [
        AlarmRow(f"T-{n}.HIGH", f"T-{n}", "dryer", Kind.HIGH, rank[n % 20], text, text, text, 60.0, limit=10.0)
        for n in range(200)
    ]
    system, values = AlarmSystem(rows, []), {f"T-{n}": 0.0 for n in range(200)}
    changes: Counter[str] = Counter()
    for second in range(60):
        for n in range(200 * second // 60, 200 * (second + 1) // 60):
            values[f"T-{n}"] = 11.0
        system.tick(float(second), {n: Sample(v, Status.GOOD, 0.0) for n, v in values.items()}, "Running")
        changes.update(change.verb for change in system.changes)
        system.changes.clear()
    took = []
    for row in rows:
        began = time.perf_counter()
        system.acknowledge(60.0, [row.name], "li")
        took.append(time.perf_counter() - began)
    worst = sorted(took)[int(0.99 * len(took))]
    print(f"storm: {changes['raised']} recorded, {changes['annunciated']} told (limit {TELLS}),", end=" ")
    print(f"acknowledge p99 {1000.0 * worst:.2f} ms (over the API: tests/api/test_api_alarms.py, -rP)")


def day(hours: float, seed: int) -> bool:
    """Clean runs on the twin, one after the other."""
    passed_s, came, told, names, chattering = 0.0, 0, 0, Counter[str](), set[str]()
    floods = most = 0
    began, number = time.process_time(), 0
    while passed_s < 3600.0 * hours:
        trial = Trial("kudzu-lobata-standard", number=number, seed=seed + number, values={"root_kg": 1500.0})
        outcome = run_trial(trial)
        assert outcome.kept is not None
        raised = [event for event in outcome.kept.events if event.kind == "alarm.raised"]
        told += sum(bool(event.data.get("annunciated")) for event in outcome.kept.events)
        chattering |= {event.source for event in outcome.kept.events if event.kind == "alarm.proposed"}
        names.update(event.source for event in raised)
        times = [event.time for event in raised]
        floods, most = floods + len(floods_of(times, times[-1] if times else 0.0)), max(most, peak(times))
        came, passed_s, number = came + len(raised), passed_s + outcome.line_s, number + 1
        print(f"  {passed_s / 3600.0:5.1f} h: {came} alarms, {told} told", flush=True)
    spent = time.process_time() - began
    rate = told * 3600.0 / passed_s
    print(
        f"day: {passed_s / 3600.0:.1f} h in {number} runs ({passed_s / spent:.0f} x real time): {came} alarms,", end=" "
    )
    print(f"{told} told, {rate:.2f} an hour (limit {MOST_PER_HOUR:g}); floods {floods}, most in ten minutes {most}")
    print(f"     nuisances: {', '.join(sorted(chattering)) or 'none'}; most frequent: {names.most_common(5)}")
    return rate <= MOST_PER_HOUR and not floods and not chattering


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=["cost", "storm", "day", []])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hours", type=float, default=24.0)
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    wanted = given.what or ["cost", "storm", "day"]
    if "cost" in wanted:
        cost()
    if "storm" in wanted:
        storm()
    return 0 if "day" not in wanted or day(given.hours, given.seed) else 1


if __name__ == "__main__":
    raise SystemExit(main())
