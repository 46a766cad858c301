"""Records, runs and figures of the moisture benchmark: one dryer, one policy, some hours, one fault of the meter."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random

import moisture_section as section
import numpy as np
from moisture_bound import Bound
from moisture_family import draw_dryer
from moisture_family_rig import FamilyRig
from moisture_rig import Reading, Rig
from numpy.typing import NDArray

from linecontrol.control.moisture import DryerModel, MoistureController, MoistureMode, MoistureSample, MoistureSettings
from linecontrol.twin import operators

SETTLE_S = 1800.0  # before it is judged
LOW_PCT, HIGH_PCT = 12.0, 14.0
FAULT_S = SETTLE_S + 600.0
NOTABLE_K = 0.5  # a smaller way back is no reversal
SIGNALS = ("inlet_sp_c", "moisture_pct_wb", "inlet_c", "outlet_c", "product_c", "cake_pct_wb", "feed_kg_h",
           "ambient_c", "ambient_rh_pct")  # fmt: skip
FAULTS = {
    "stuck": math.nan,
    "drift +0.2": 0.2,
    "drift -0.2": -0.2,
    "drift +0.5": 0.5,
    "drift -0.5": -0.5,
    "drift +1.0": 1.0,
    "drift -1.0": -1.0,
}


class Policy(abc.ABC):
    """Who moves the inlet set point. ``act`` is called once per sample time."""

    flags: tuple[str, ...] = ()

    @abc.abstractmethod
    def act(self, reading: Reading, sample: MoistureSample, dt_s: float) -> float:
        """The inlet set point from now on [°C]."""


class Nobody(Policy):
    """Leaves the inlet where it is."""

    def __init__(self, inlet_c: float) -> None:
        self._inlet_c = inlet_c

    def act(self, reading: Reading, sample: MoistureSample, dt_s: float) -> float:
        return self._inlet_c


class Hand(Policy):
    """The twin's operator: a laboratory value every 20 minutes, ten minutes late, and a look at the outlet air."""

    def __init__(self, rig: Rig, outlet_c: float, seed: int) -> None:
        self._rig, self._aim_c, self._inlet_c = rig, outlet_c, rig.inlet_c
        self._rng, self._t = Random(f"{seed}:laboratory"), 0.0
        self._next_sample, self._next_outlet = 300.0, operators.OUTLET_LOOK_S
        self._pending: list[tuple[float, float]] = []

    def act(self, reading: Reading, sample: MoistureSample, dt_s: float) -> float:
        self._t += dt_s
        if self._t >= self._next_sample:
            self._next_sample += operators.LAB_EVERY_S
            found = reading.true_pct + self._rng.gauss(0.0, operators.LAB_SD_PCT)
            self._pending.append((self._t + operators.LAB_TAKES_S, found))
        if self._pending and self._t >= self._pending[0][0]:
            off_pct = self._pending.pop(0)[1] - self._rig.set_point
            if abs(off_pct) >= 0.3:
                self._move(off_pct * operators.INLET_PER_PCT, operators.MOST_LAB_STEP_K)
                self._aim_c += off_pct * operators.OUTLET_PER_PCT
        elif self._t >= self._next_outlet:
            self._next_outlet += operators.OUTLET_LOOK_S
            off_k = self._aim_c - sample.outlet_c
            if abs(off_k) > operators.OUTLET_BAND_K:
                self._move(off_k * operators.OUTLET_SHARE, operators.MOST_OUTLET_STEP_K)
        return self._inlet_c

    def _move(self, step_k: float, most_k: float) -> None:
        wanted = self._inlet_c + min(max(step_k, -most_k), most_k)
        self._inlet_c = min(max(wanted, self._rig.low_c), self._rig.high_c)


class Ours(Policy):
    """The moisture controller in one of its modes."""

    def __init__(self, model: DryerModel, rig: Rig, mode: MoistureMode) -> None:
        settings = MoistureSettings(low_c=rig.low_c, high_c=rig.high_c)
        self.controller = MoistureController(model, settings, set_point=rig.set_point, mode=mode)

    def act(self, reading: Reading, sample: MoistureSample, dt_s: float) -> float:
        out = self.controller.step(sample, dt_s)
        self.flags = out.flags
        return out.inlet_sp_c


class Clairvoyant(Policy):
    """The bound."""

    def __init__(self, bound: Bound) -> None:
        bound.start()
        self._bound = bound

    def act(self, reading: Reading, sample: MoistureSample, dt_s: float) -> float:
        return self._bound.act(reading, sample.moisture_pct_wb)


@dataclass
class Figures:
    """Of one run, the time to settle left out.

    Attributes:
        rms_pct: of the true moisture at the meter against the set point. out_share: of the time outside 12-14 % wb.
        alarms: how often each flag came up. detected_s: from the fault to ``nir-stuck``, NaN = never.
        trace: true moisture, inlet set point (for looking closer).
    """

    rms_pct: float
    out_share: float
    movement_k_h: float
    reversals_h: float
    hours: float
    alarms: dict[str, int] = field(default_factory=dict)
    flagged: dict[str, float] = field(default_factory=dict)  # share of the time
    detected_s: float = math.nan
    trace: NDArray[np.float64] | None = None


def run(rig: Rig, policy: Policy, hours: float, fault: float | None = None, *, trace: bool = False) -> Figures:
    """Run a policy. ``fault``: drift of the meter [% wb/h], NaN = it sticks, None = it is sound."""
    steps, dt = int((hours * 3600.0 + SETTLE_S) / rig.sample_s), rig.sample_s
    asked, stuck_at, last_flags = rig.inlet_c, math.nan, ()
    true, inlet = np.empty(steps), np.empty(steps)
    alarms: dict[str, int] = {}
    flagged: dict[str, int] = {}
    detected_s = math.nan
    for k in range(steps):
        t = k * dt
        reading = rig.advance(asked)
        sample = reading.sample
        if fault is not None and t >= FAULT_S:
            if fault == fault:
                shown = round(sample.moisture_pct_wb + fault * (t - FAULT_S) / 3600.0, 2)
            else:
                shown = stuck_at = sample.moisture_pct_wb if stuck_at != stuck_at else stuck_at
            sample = replace(sample, moisture_pct_wb=shown)
        asked = policy.act(reading, sample, dt)
        true[k], inlet[k] = reading.true_pct, asked
        for flag in policy.flags:
            flagged[flag] = flagged.get(flag, 0) + 1
            if flag not in last_flags and t >= SETTLE_S / 2.0:
                alarms[flag] = alarms.get(flag, 0) + 1
            if flag == "nir-stuck" and t >= FAULT_S and detected_s != detected_s:
                detected_s = t - FAULT_S
        last_flags = policy.flags
    judged = slice(int(SETTLE_S / dt), steps)
    error, moved = true[judged] - rig.set_point, np.diff(inlet[judged])
    return Figures(
        float(np.sqrt(np.mean(error**2))),
        float(np.mean((true[judged] < LOW_PCT) | (true[judged] > HIGH_PCT))),
        float(np.sum(np.abs(moved))) / hours,
        _reversals(inlet[judged]) / hours,
        hours + SETTLE_S / 7200.0,
        alarms,
        {flag: n / steps for flag, n in flagged.items()},
        detected_s,
        np.vstack([true, inlet]) if trace else None,
    )


def _reversals(inlet: NDArray[np.float64]) -> int:
    """Turns of the inlet set point after which it went back by a notable way."""
    turns, extreme, way = 0, inlet[0], 0
    for value in inlet[:: max(1, len(inlet) // 4000)].tolist():
        if (way >= 0 and value > extreme) or (way <= 0 and value < extreme):
            way, extreme = way or (1 if value > extreme else -1), value
        elif abs(value - extreme) >= NOTABLE_K:
            turns, way, extreme = turns + 1, -way if way else (1 if value > extreme else -1), value
    return turns


def record(rig: Rig, *, hours: float = 4.0, style: str = "open", step_k: float = 8.0) -> dict[str, NDArray[np.float64]]:
    """A record of normal running with one step test held for 30 minutes.

    Args:
        style: "open" (nobody moves the inlet), "hand" (the operator does, but for the step) or "pi" (a slow PI does).
    """
    rows = []
    hand = Hand(rig, math.nan, 5)
    asked, trim = rig.inlet_c, 0.0
    for k in range(int(hours * 3600.0 / rig.sample_s)):
        reading = rig.advance(asked)
        sample = reading.sample
        t = k * rig.sample_s
        rows.append([t, *(getattr(sample, name) for name in SIGNALS)])
        stepped = step_k if 0.4 * hours * 3600.0 <= t < 0.4 * hours * 3600.0 + 1800.0 else 0.0
        if style == "hand":
            asked = hand.act(reading, sample, rig.sample_s) + stepped
        elif style == "pi":
            error = sample.moisture_pct_wb - rig.set_point
            trim += 2.0 * error * rig.sample_s / 400.0
            asked = rig.inlet_c + trim + 2.0 * error + stepped
        else:
            asked = rig.inlet_c + stepped
    columns = np.array(rows).T
    return {"time_s": columns[0], **{name: columns[n + 1] for n, name in enumerate(SIGNALS)}}


@dataclass(frozen=True)
class Bench:
    """One dryer of one seed: as designed, and as it has become."""

    kind: str
    seed: int
    fresh: Callable[[int], Rig]
    changed: Callable[[int], Rig]


def family(seed: int) -> Bench:
    """A dryer of the family."""
    dryer = draw_dryer(seed)
    other = dryer.changed()
    return Bench(
        dryer.structure,
        seed,
        lambda run: FamilyRig(dryer, seed, run),
        lambda run: FamilyRig(other, seed, run, designed=dryer),
    )


def simulator(seed: int) -> Bench:
    """The simulator's drying section."""
    set_point = (12.5, 12.8, 13.0)[seed % 3]
    inlet_c = section.resting_inlet_c(set_point)

    def fresh(key: section.Key, run: int) -> Rig:
        rig = section.settled(key, inlet_c, set_point)
        rig.disturb(seed, run)
        return rig

    return Bench("simulator", seed, lambda run: fresh((), run), lambda run: fresh(section.CHANGED, run))


KINDS: Mapping[str, Callable[[int], Bench]] = {"simulator": simulator, "family": family}


def bound_of(bench: Bench) -> Bound:
    """The clairvoyant for this dryer, its weight chosen on it."""
    bound = Bound(bench.fresh(0))
    bound.choose(lambda: bench.fresh(90))
    return bound
