"""Scans as a live line brings them: late, lost, wild, switched, not obeyed. What the moisture controller makes of them.

    python tests/benchmarks/moisture_scans.py [--seeds 1] [--kinds simulator family] [--hours 2]

For each: rms of the true moisture over that of sound scans, the fastest move of the inlet set point, outputs that were
not finite or outside their limits ("bad"), the largest jump in the scan of a switch to another mode, flags by share of
scans. Nothing may be bad, no move faster than the rate allowed, no switch may jump.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from moisture_runs import KINDS, SETTLE_S, Bench, Ours, record

from linecontrol.control.moisture import DryerModel, MoistureMode, MoistureSample, commission

Scan = Callable[[int, MoistureSample, Random], MoistureSample | None]  # None: the scan does not happen
Plc = Callable[[float, float, float], float]  # what is applied, from what was, what is asked, and the time since
SWITCH_EVERY = 37


def obeys(_was: float, asked: float, _dt_s: float) -> float:
    return asked


def creeps(was: float, asked: float, dt_s: float) -> float:
    """A PLC that moves its set point by 0.1 K/s."""
    return was + min(max(asked - was, -0.1 * dt_s), 0.1 * dt_s)


SCANS: dict[str, Scan] = {
    "sound": lambda _k, s, _r: s,
    "meter lost in bursts": lambda k, s, _r: replace(s, moisture_pct_wb=math.nan) if k // 40 % 5 == 0 else s,
    "all lost in bursts": lambda k, s, _r: MoistureSample() if k // 30 % 10 == 0 else s,
    "pauses of 100 scans": lambda k, s, _r: None if k % 900 > 800 else s,
    "three in ten lost": lambda _k, s, r: None if r.random() < 0.3 else s,
    "one in four": lambda k, s, _r: s if k % 4 == 0 else None,
    "cake of 85 %": lambda k, s, _r: replace(s, cake_pct_wb=85.0) if k % 300 < 20 else s,
    "feed three times up": lambda k, s, _r: replace(s, feed_kg_h=3.0 * s.feed_kg_h) if k % 300 < 3 else s,
    "applied not told": lambda _k, s, _r: replace(s, inlet_sp_c=math.nan),
    "spikes of 25 %": lambda k, s, _r: replace(s, moisture_pct_wb=25.0) if k % 50 == 0 else s,
    "outlet lost half the time": lambda k, s, _r: replace(s, outlet_c=math.nan) if k // 60 % 2 else s,
}


@dataclass
class Seen:
    """What came of a run; moves in K/s, the jump in K."""

    rms_pct: float
    fastest: float
    bad: int
    jump: float
    flags: dict[str, float]


def drive(bench: Bench, model: DryerModel, mode: str, scan: Scan, hours: float, *, plc: Plc, switching: bool) -> Seen:
    """Run for some hours. ``switching``: another mode, drawn at random, every 37 scans."""
    rig, rng = bench.fresh(2), Random(1)
    controller = Ours(model, rig, MoistureMode(mode)).controller
    applied = asked = rig.inlet_c
    errors, moves, jump, bad, waited = [], [], 0.0, 0, 0.0
    flags: dict[str, int] = {}
    for k in range(int(hours * 3600.0 / rig.sample_s)):
        applied = plc(applied, asked, rig.sample_s)
        reading = rig.advance(applied)
        waited += rig.sample_s
        if k * rig.sample_s > SETTLE_S:
            errors.append(reading.true_pct - rig.set_point)
        sample = scan(k, reading.sample, rng)
        if sample is None:
            continue
        other = MoistureMode(rng.choice([*MoistureMode])) if switching and k % SWITCH_EVERY == 0 else controller.mode
        switched, controller.mode = other is not controller.mode, other
        out = controller.step(sample, waited)
        asked = out.inlet_sp_c
        bad += not (math.isfinite(asked) and rig.low_c - 1e-6 <= asked <= rig.high_c + 1e-6)
        moves.append(abs(asked - applied) / waited)
        jump = max(jump, abs(asked - applied)) if switched else jump
        waited = 0.0
        for flag in out.flags:
            flags[flag] = flags.get(flag, 0) + 1
    shares = {flag: round(n / len(moves), 3) for flag, n in flags.items()}
    return Seen(float(np.sqrt(np.mean(np.square(errors)))), max(moves), bad, jump, shares)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--kinds", nargs="+", choices=tuple(KINDS), default=list(KINDS))
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--modes", nargs="+", default=["predictive", "feedforward", "pid"])
    asked = parser.parse_args()
    good = True
    for kind in asked.kinds:
        for seed in range(asked.seeds):
            bench = KINDS[kind](seed)
            model = commission(record(bench.fresh(1)))
            for mode in asked.modes:
                print(f"{bench.kind} {seed}, {mode}")
                cases = [(name, scan, obeys, False) for name, scan in SCANS.items()]
                cases += [
                    ("modes switched", SCANS["sound"], obeys, True),
                    ("PLC creeps", SCANS["sound"], creeps, False),
                ]
                sound = math.nan
                for name, scan, plc, switching in cases:
                    seen = drive(bench, model, mode, scan, asked.hours, plc=plc, switching=switching)
                    sound = seen.rms_pct if name == "sound" else sound
                    well = seen.bad == 0 and seen.fastest <= 1.0 + 1e-6 and seen.jump < 1e-6
                    good &= well
                    times = seen.rms_pct / sound
                    line = f"  {name:28} rms {seen.rms_pct:.3f} ({times:4.2f} x)  fastest {seen.fastest:.2f}"
                    line += f"  bad {seen.bad}  jump {seen.jump:.2f}"
                    print(line, "" if well else "WRONG", seen.flags or "")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
