"""Scan lateness beside a sleeping thread's, measured side by side in the same run.

    python tests/benchmarks/clock.py [--seconds 60] [--json]

Limits: median lateness at most 1.25 times, 99th percentile at most 1.5 times a thread's sleep; never early; longest
pause of the garbage collector on the scan thread at most 1 ms with 400,000 live objects.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import subprocess
import sys
import time
from typing import Any

PERIOD_S = 0.01


def thread_sleep(seconds: float) -> list[float]:
    """Lateness [s] of a thread that sleeps to absolute deadlines: the floor the machine sets."""
    late, start = [], time.perf_counter() + PERIOD_S
    for k in range(int(seconds / PERIOD_S)):
        wait_s = start + k * PERIOD_S - time.perf_counter()
        if wait_s > 0:
            time.sleep(wait_s)
        late.append(time.perf_counter() - start - k * PERIOD_S)
    return late


async def our_ticks(seconds: float) -> list[float]:
    """Lateness [s] of our beat in an event loop, as a station's scan sees it."""
    from linecontrol.core.clock import Clock
    from linecontrol.core.ticker import ticker

    late = []
    with ticker(Clock(), PERIOD_S) as beat:
        for _ in range(int(seconds / PERIOD_S)):
            tick = await beat.next()
            late.append(time.monotonic() - tick.due)
    return late


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


def measure(method: str, seconds: float) -> list[float]:
    if method == "thread":
        return thread_sleep(seconds)
    if method == "asyncio":
        return asyncio.run(asyncio_sleep(seconds))
    import uvloop

    return uvloop.run(our_ticks(seconds))


def in_own_process(method: str, seconds: float) -> dict[str, float]:
    out = subprocess.check_output([sys.executable, __file__, "--one", method, "--seconds", str(seconds)])
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
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", choices=("thread", "asyncio", "ours"))
    options = parser.parse_args()
    if options.one:
        print(json.dumps(summary(measure(options.one, options.seconds))))
        return
    each_s = options.seconds / options.rounds
    rounds = [{m: in_own_process(m, each_s) for m in ("thread", "asyncio", "ours")} for _ in range(options.rounds)]
    result: dict[str, Any] = {
        m: {k: statistics.median(r[m][k] for r in rounds) for k in rounds[0][m]} for m in rounds[0]
    }
    for key in ("p50_us", "p99_us"):
        ratios = [r["ours"][key] / r["thread"][key] for r in rounds]
        result[f"ratio_{key[:3]}"] = {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}
    result["earliest_us"] = min(r["ours"]["first_us"] for r in rounds)
    result["gc_pause_ms"] = {"plain": longest_gc_pause_s(False) * 1e3, "frozen": longest_gc_pause_s(True) * 1e3}
    if options.json:
        print(json.dumps(result))
        return
    print(f"{'10 ms beat, lateness [us]':28}{'p50':>8}{'p99':>8}{'max':>9}")
    for method, name in (("thread", "a sleeping thread"), ("ours", "our scan beat"), ("asyncio", "asyncio.sleep")):
        row = result[method]
        print(f"{name:28}{row['p50_us']:8.0f}{row['p99_us']:8.0f}{row['max_us']:9.0f}")
    for key, limit in (("ratio_p50", 1.25), ("ratio_p99", 1.5)):
        row = result[key]
        verdict = "PASS" if row["median"] <= limit else "FAIL"
        span = f"{row['low']:.2f} to {row['high']:.2f}"
        print(f"{key} ours / thread: {row['median']:.2f} ({span}), limit {limit}: {verdict}")
    print(
        f"earliest: {result['earliest_us']:.0f} us after its time: {'PASS' if result['earliest_us'] >= 0 else 'FAIL'}"
    )
    pause = result["gc_pause_ms"]
    verdict = "PASS" if pause["frozen"] <= 1.0 else "FAIL"
    print(f"longest gc pause: {pause['plain']:.1f} ms, after gc.freeze {pause['frozen']:.2f} ms, limit 1 ms: {verdict}")


if __name__ == "__main__":
    main()
