"""A dryer of the family at work: heater, ways and meters round its duct, loads that wander."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

import numpy as np
from moisture_family import AMBIENT, WALL_LOSES, Dryer, duct, resting_wall_c
from moisture_rig import Load, Meter, Reading

from linecontrol.control.moisture import MoistureSample


class Delay:
    """Hands on what it was given ``delay_s`` ago; steps of 1 s, parts of a second on a straight line."""

    def __init__(self, delay_s: float, value: float) -> None:
        whole = int(delay_s)
        self._part = delay_s - whole
        self._held = deque([value] * (whole + 2), maxlen=whole + 2)

    def step(self, value: float) -> float:
        self._held.append(value)
        return self._held[1] + self._part * (self._held[0] - self._held[1])


class FamilyRig:
    """One dryer of the family at work, in steps of one second."""

    def __init__(self, dryer: Dryer, seed: int | None, run: int = 0, *, designed: Dryer | None = None) -> None:
        """At rest at its operating point. ``seed`` None = nothing wanders and meters are exact.

        Args:
            designed: the dryer as it was, where ``dryer`` is a changed one (walls are at its temperatures).
        """
        d = self.d = dryer
        self.name = d.structure
        self.sample_s, self.set_point, self.inlet_c = d.sample_s, d.set_point, d.inlet_c
        self.low_c, self.high_c = d.inlet_c - 45.0, d.inlet_c + 45.0
        self._rng = np.random.default_rng([77, seed or 0, run])
        self._quiet = seed is None
        base = designed or d
        self._wall_c = resting_wall_c(base)
        cake_db = d.cake_pct / (100.0 - d.cake_pct)
        x, out, _ = duct(base, d.inlet_c, cake_db, 1.0, self._wall_c, AMBIENT, 1.0)
        pct = 100.0 * x / (1.0 + x)
        self._sp_way = Delay(d.heater_dead_s, d.inlet_c)
        self._cake_way, self._feed_way = Delay(d.cake_way_s, d.cake_pct), Delay(d.feed_way_s, 1.0)
        self._meter_way = Delay(d.transport_s, pct)
        self._servo = self._inlet = self._inlet_shown = d.inlet_c
        self._mixed, self._cyclone, self._nir, self._out_shown = d.cake_pct, pct, pct, out
        self._cake_ar = self._feed_ar = self._kin = self._amb = self._burner = 0.0
        self._saw_phase, self._saw_now_s, self._saw_amp = 0.0, d.saw_s, d.saw_pct
        self.time_s = 0.0
        if not self._quiet:
            self._cake_ar = d.cake_sd * self._rng.normal()
            self._feed_ar = d.feed_sd * self._rng.normal()
            self._kin = d.kinetics_sd * self._rng.normal()
        self._draws = np.empty((0, 0))
        self._at = 0

    # -- what the bound may know
    @property
    def loads(self) -> tuple[Load, ...]:
        d = self.d
        cake_meter = None if d.structure == "no-cake" else Meter(d.cake_meter_sd, 0.0)
        saw = (d.saw_pct / math.sqrt(3.0), d.saw_s)
        return (
            Load("cake", 1.0, ((d.cake_sd, d.cake_tau_s),), saw, cake_meter),
            Load("feed", 0.02, ((d.feed_sd, d.feed_tau_s),), None, Meter(d.feed_meter_sd, 0.0)),
            Load("kinetics", 0.02, ((d.kinetics_sd, d.kinetics_tau_s),), None, None),
        )

    @property
    def nir_meter(self) -> Meter:
        return Meter(self.d.nir_sd, self.d.nir_s)

    def quiet(self) -> FamilyRig:
        """The same, undisturbed and exact, at rest."""
        return FamilyRig(self.d, None)

    def load_readings(self, sample: MoistureSample) -> dict[str, float]:
        """Loads as metered, less their means, in the units of ``loads``; a bias is known here."""
        cake_pct = sample.cake_pct_wb - self.d.cake_pct - self.d.cake_meter_bias
        return {"cake": cake_pct, "feed": sample.feed_kg_h / self.d.feed_kg_h - 1.0}

    # -- time
    def advance(self, inlet_sp_c: float, push: Mapping[str, float] | None = None) -> Reading:
        """One sample time with this inlet set point. ``push``: added to loads, by name."""
        for _ in range(round(self.sample_s)):
            true_pct, out = self._second(inlet_sp_c, push or {})
        return self._show(inlet_sp_c, true_pct, out)

    def _normals(self) -> list[float]:
        if self._at >= len(self._draws):
            self._draws, self._at = self._rng.normal(size=(4096, 8)), 0
        self._at += 1
        return self._draws[self._at - 1].tolist()

    def _wander(self) -> tuple[float, float, float]:
        """Cake [% wb], feed and kinetics over their means."""
        d = self.d
        if self._quiet:
            return d.cake_pct, 1.0, 1.0
        n = self._normals()

        def ar(now: float, sd: float, tau_s: float, e: float) -> float:
            return now * (1.0 - 1.0 / tau_s) + sd * math.sqrt(2.0 / tau_s) * e

        self._cake_ar = ar(self._cake_ar, d.cake_sd, d.cake_tau_s, n[0])
        self._feed_ar = ar(self._feed_ar, d.feed_sd, d.feed_tau_s, n[1])
        self._kin = ar(self._kin, d.kinetics_sd, d.kinetics_tau_s, n[2])
        self._amb = ar(self._amb, d.ambient_sd_k, 7200.0, n[3])
        self._burner = ar(self._burner, 0.4, 40.0, n[4])
        self._saw_phase += 1.0 / self._saw_now_s
        if self._saw_phase >= 1.0:  # the next peel: not quite as long, not quite as wet
            self._saw_phase -= 1.0
            self._saw_now_s = d.saw_s * (1.0 + 0.05 * float(np.clip(n[5], -2, 2)))
            self._saw_amp = d.saw_pct * (1.0 + 0.2 * float(np.clip(n[6], -2, 2)))
        saw = self._saw_amp * (1.0 - 2.0 * self._saw_phase)
        return (
            d.cake_pct + float(np.clip(self._cake_ar, -3.0, 3.0)) + saw,
            max(0.5, 1.0 + self._feed_ar),
            1.0 + self._kin,
        )

    def _second(self, inlet_sp_c: float, push: Mapping[str, float]) -> tuple[float, float]:
        d = self.d
        cake, feed, kinetics = self._wander()
        self._cake_now, self._feed_now = cake + push.get("cake", 0.0), feed + push.get("feed", 0.0)
        kinetics += push.get("kinetics", 0.0)
        self._servo += (self._sp_way.step(inlet_sp_c) - self._servo) / max(d.servo_s, 1.0)
        wanted = (self._servo - self._inlet) * (1.0 - math.exp(-1.0 / d.heater_s))
        self._inlet += min(max(wanted, -2.0 * d.heater_k_s), d.heater_k_s)
        inlet = self._inlet + self._burner
        self._mixed += (self._cake_way.step(self._cake_now) - self._mixed) / max(d.mix_s, 1.0)
        feed_in = self._feed_way.step(self._feed_now)
        ambient = (AMBIENT[0] + self._amb, AMBIENT[1])
        x, out, given = duct(d, inlet, self._mixed / (100.0 - self._mixed), feed_in, self._wall_c, ambient, kinetics)
        self._wall_c += (given / d.wall_share - WALL_LOSES * (self._wall_c - ambient[0])) / d.wall_s
        self._cyclone += (100.0 * x / (1.0 + x) - self._cyclone) * (1.0 - math.exp(-1.0 / d.cyclone_s))
        true_pct = self._meter_way.step(self._cyclone)
        self._nir += (true_pct - self._nir) * (1.0 - math.exp(-1.0 / d.nir_s))
        self._out_shown += (out - self._out_shown) * (1.0 - math.exp(-1.0 / d.outlet_s))
        self._inlet_shown += (inlet - self._inlet_shown) * (1.0 - math.exp(-1.0 / 15.0))
        self.time_s += 1.0
        return true_pct, out

    def _show(self, inlet_sp_c: float, true_pct: float, out: float) -> Reading:
        d, hours = self.d, self.time_s / 3600.0
        n = [0.0] * 8 if self._quiet else self._normals()
        ambient_c = AMBIENT[0] + self._amb
        rh = 100.0 * 101_325.0 * AMBIENT[1] / (0.622 + AMBIENT[1])
        rh /= 610.94 * math.exp(17.625 * ambient_c / (243.04 + ambient_c))
        outlet = self._out_shown + d.outlet_sd * n[3] + d.outlet_drift_k_h * hours
        bias = 0.0 if self._quiet else d.cake_meter_bias
        return Reading(
            MoistureSample(
                moisture_pct_wb=round(self._nir + d.nir_sd * n[0], 2) if not self._quiet else self._nir,
                inlet_sp_c=inlet_sp_c,
                inlet_c=self._inlet_shown + 0.2 * n[4],
                outlet_c=math.nan if d.structure == "no-outlet" else outlet,
                product_c=math.nan,
                cake_pct_wb=math.nan if d.structure == "no-cake" else self._cake_now + bias + d.cake_meter_sd * n[1],
                feed_kg_h=d.feed_kg_h * (self._feed_now + d.feed_meter_sd * n[2]),
                ambient_c=ambient_c + 0.1 * n[5],
                ambient_rh_pct=min(98.0, rh),
            ),
            true_pct,
        )
