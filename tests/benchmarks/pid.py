"""Microseconds per PID step and per loop tick, beside the limits. Run: python tests/benchmarks/pid.py [--json]

Limits: 20 us per PID call; 1,000 loops at 1 s in less than 5 % of one core. Each figure is the best of several rounds
(the machine's own noise only ever adds) with the median beside it.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from collections.abc import Callable

from linecontrol.control.loop import Loop, LoopInputs, LoopSettings, Mode
from linecontrol.control.pid import Pid, PidSettings, PidState, step
from linecontrol.core.model import Sample, Status

LIMIT_PID_US = 20.0
LIMIT_CORE_PCT = 5.0
CALLS, ROUNDS, LOOPS = 20_000, 7, 1_000

SETTINGS = PidSettings(
    k=4.0,
    ti_s=150.0,
    td_s=20.0,
    n=5.0,
    b=0.5,
    action="direct",
    op_low=90.0,
    op_high=185.0,
    op_rate_up_per_s=0.5,
    op_rate_down_per_s=0.5,
)
PVS = [random.Random(1).gauss(12.8, 0.2) for _ in range(CALLS)]


def pure() -> None:
    state = PidState(out=140.0)
    for pv in PVS:
        _, state, _ = step(SETTINGS, state, 12.8, pv, 1.0)


def held_in_object() -> None:
    pid = Pid(SETTINGS, PidState(out=140.0))
    for pv in PVS:
        pid.step(12.8, pv, 1.0, feedforward=1.0)


def one_loop() -> Loop:
    loop = Loop(
        LoopSettings(
            name="MIC-306", pv="MT-306", op="TIC-303.SP", pid=SETTINGS, sp_low=9.0, sp_high=13.5, sp_initial=12.8
        ),
        output=140.0,
    )
    loop.tick(LoopInputs(1.0, Sample(12.8, Status.GOOD, 0.0), mode=Mode.AUTO))
    return loop


def loop_ticks() -> None:
    loop = one_loop()
    for pv in PVS:
        loop.tick(LoopInputs(1.0, Sample(pv, Status.GOOD, 0.0)))


def thousand_loops() -> None:
    loops = [one_loop() for _ in range(LOOPS)]
    thousand_loops.started = time.perf_counter()  # type: ignore[attr-defined]
    for second in range(CALLS // LOOPS):
        sample = Sample(PVS[second], Status.GOOD, 0.0)
        for loop in loops:
            loop.tick(LoopInputs(1.0, sample))


def microseconds(work: Callable[[], None]) -> tuple[float, float]:
    """Best and median time per call [us] over the rounds."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - getattr(work, "started", began)) / CALLS * 1e6)
    return min(times), statistics.median(times)


def main() -> int:
    rows = {
        "pid.step (pure, PID with rate limit)": (microseconds(pure), LIMIT_PID_US),
        "Pid.step (object, with feed-forward)": (microseconds(held_in_object), LIMIT_PID_US),
        "Loop.tick (inputs made each time)": (microseconds(loop_ticks), None),
        f"Loop.tick ({LOOPS} loops in turn)": (microseconds(thousand_loops), LIMIT_CORE_PCT * 1e4 / LOOPS),
    }
    core_pct = rows[f"Loop.tick ({LOOPS} loops in turn)"][0][1] * LOOPS / 1e4
    if "--json" in sys.argv:
        plain = {name: {"best_us": best, "median_us": median} for name, ((best, median), _) in rows.items()}
        print(json.dumps({"rows": plain, "thousand_loops_core_pct": core_pct}))
    else:
        print(f"{'':40}{'best':>9}{'median':>9}{'limit':>9}  us per call")
        for name, ((best, median), limit) in rows.items():
            print(f"{name:40}{best:9.2f}{median:9.2f}{'-' if limit is None else f'{limit:.1f}':>9}")
        print(f"{LOOPS} loops at 1 s: {core_pct:.2f} % of one core (limit {LIMIT_CORE_PCT:g} %)")
    within = all(limit is None or median <= limit for (_, median), limit in rows.values())
    return 0 if within and core_pct <= LIMIT_CORE_PCT else 1


if __name__ == "__main__":
    sys.exit(main())
