"""Instruments that only watch for what must not be: metal in the powder, sparks in the duct, fibre in the milk, the
pressure over the sieves. With a noise of their own, so that the plant is the same with and without them.

The metal detector stands at the powder window, so what it sees reaches the divert gate one cooler later. Its signal is
in per cent of the test piece it must find; it holds a peak for ``peak_s`` as such devices do.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from random import Random

from simulator import material as m
from simulator.machines.conveyor import Conveyor
from simulator.material import Material

TAGS = ("AT-213", "PDT-214", "QT-321", "XT-322")


@dataclass(frozen=True)
class SentinelParameters:
    """Metal detector, spark counter, fibre cell in the milk pipe and pressure over the sieves."""

    peak_s: float
    piece_pct: float
    piece_sd_pct: float
    product_pct: float
    product_sd_pct: float
    most_pct: float
    spark_window_s: float
    fibre_tau_s: float
    fibre_sd_pct: float
    sieve_kpa: float
    sieve_sd_kpa: float
    torn_ease: float


@dataclass
class Sentinels:
    """Upsets:
    is_shedding: metal falls into the powder below the cyclone.
    is_sparking: glowing powder flies through the duct.
    """

    seed: int
    p: SentinelParameters
    transport_s: float
    cooler_s: float
    is_shedding: bool = False
    is_sparking: bool = False
    fibre_pct: float = 0.0
    sieve_kpa: float = 0.0
    metal_pct: float = 0.0
    metal_at_gate: bool = False  # truth: the powder at the gate in this step holds metal
    _peak_pct: float = 0.0
    _peak_s: float = 0.0
    _time_s: float = 0.0
    _sparks: deque[float] = field(default_factory=deque)
    _milk_noise: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        self._rng = Random(f"{self.seed}:sentinels")
        self._to_window = Conveyor(self.transport_s)
        self._to_gate = Conveyor(self.cooler_s)

    def look_at_milk(
        self, milk: Material, water_m3_h: float, blinding: list[float], tear_share: float, dt_s: float
    ) -> None:
        """Fibre in the dry matter of the milk [%], and the pressure over the first sieve [kPa]."""
        dry = m.dry_kg(milk)
        if dry > 1e-6:
            true_pct = 100.0 * (milk[m.COARSE] + milk[m.FINE]) / dry
            self.fibre_pct += (true_pct - self.fibre_pct) * min(1.0, dt_s / self.p.fibre_tau_s)
        opening = max(0.02, (1.0 - max(blinding)) * (1.0 - tear_share) + self.p.torn_ease * tear_share)
        self.sieve_kpa = self.p.sieve_kpa * (water_m3_h / 3.0) / opening
        self._milk_noise = (self._rng.gauss(0.0, self.p.fibre_sd_pct), self._rng.gauss(0.0, self.p.sieve_sd_kpa))

    def look_at_powder(self, running: bool, powder_kg: float, dt_s: float) -> None:
        """Metal on its way with the powder, and what the detector shows. ``powder_kg``: past it in this step."""
        self._time_s += dt_s
        if running:
            at_window = self._to_window.move(_metal(self.is_shedding), dt_s)
            self.metal_at_gate = m.mass_kg(self._to_gate.move(list(at_window), dt_s)) > 0.0
        else:
            at_window, self.metal_at_gate = m.empty(), False
        signal = max(0.0, self._rng.gauss(self.p.product_pct, self.p.product_sd_pct)) if powder_kg > 0.0 else 0.0
        if m.mass_kg(at_window) > 0.0:
            signal = max(signal, self._rng.gauss(self.p.piece_pct, self.p.piece_sd_pct))
        self._peak_s -= dt_s
        if signal >= self._peak_pct or self._peak_s <= 0.0:
            self._peak_pct, self._peak_s = signal, self.p.peak_s
        self.metal_pct = max(signal, self._peak_pct if self._peak_pct > 2.0 * self.p.product_pct else 0.0)
        if self.is_sparking:
            self._sparks.append(self._time_s)
        while self._sparks and self._sparks[0] <= self._time_s - self.p.spark_window_s:
            self._sparks.popleft()

    def shown(self) -> dict[str, float]:
        """What their tags show, by name."""
        fibre, sieve = self._milk_noise
        return {
            "AT-213": round(max(0.0, self.fibre_pct + fibre), 2),
            "PDT-214": round(max(0.0, self.sieve_kpa + sieve), 1),
            "QT-321": round(min(self.p.most_pct, self.metal_pct), 1),
            "XT-322": float(len(self._sparks)),
        }


def _metal(is_there: bool) -> Material:
    """A tracer: soil stands for a gram of metal on conveyors that carry nothing else."""
    what = m.empty()
    what[m.SOIL] = 0.001 if is_there else 0.0
    return what
