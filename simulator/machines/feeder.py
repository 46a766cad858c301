"""Wet-cake hopper and the screw that feeds the dryer."""

from __future__ import annotations

from dataclasses import dataclass

from simulator import material as m
from simulator.ledger import Books
from simulator.machines.conveyor import Conveyor
from simulator.material import Material


@dataclass(frozen=True)
class FeederParameters:
    """Cake hopper and feed screw."""

    hopper_kg: float
    screw_full_kg_h: float
    screw_ramp_pct_s: float
    screw_transit_s: float
    screw_tail_kg: float
    screw_fill_sd: float
    screw_fill_tau_s: float
    screw_kw: float
    minimum_air_kg_h: float


class CakeHopper:
    """Mixed wet-cake hopper; its screw carries cake to the duct in plug flow, the faster the faster it turns.

    Upsets:
        is_blocked: a lump jams the screw. It stands, hopper weight rises, wet feed reads 0, the outlet air gets hot.
        filling_share: 1 = flights full. Below: cake arches over the inlet, less is fed at the same speed.
    """

    def __init__(self, parameters: FeederParameters, books: Books) -> None:
        self.p = parameters
        self._books = books
        self.cake: Material = m.empty()
        self._screw = Conveyor(parameters.screw_transit_s)
        self.mass_kg = 0.0
        self.rate_kg_s = 0.0
        self.is_blocked = False
        self.filling_share = 1.0

    @property
    def room_kg(self) -> float:
        """What the hopper can still take."""
        return self.p.hopper_kg - self.mass_kg

    def step(self, cake: Material, screw_pct: float, filling: float, air_kg_s: float, dt_s: float) -> Material:
        """One step; returns cake that falls into the duct, nothing while the air is too slow to lift it.

        Args:
            filling: relative disturbance of how full the flights are.
        """
        p = self.p
        m.pour(self.cake, cake)
        self.mass_kg = m.mass_kg(self.cake)
        self.rate_kg_s = 0.0
        self._books.electricity(p.screw_kw * screw_pct / 100.0 * dt_s)
        if self.is_blocked or screw_pct <= 0.0 or air_kg_s * 3600.0 < p.minimum_air_kg_h:
            return m.empty()
        fed = m.empty()
        if self.mass_kg > 1e-9:
            tail = self.mass_kg / (self.mass_kg + p.screw_tail_kg) * self.filling_share
            wanted_kg = p.screw_full_kg_h / 3600.0 * screw_pct / 100.0 * (1.0 + filling) * tail * dt_s
            share = min(1.0, wanted_kg / self.mass_kg)
            fed = m.draw(self.cake, share)
            self.rate_kg_s = self.mass_kg * share / dt_s
            self.mass_kg *= 1.0 - share
        return self._screw.move(fed, screw_pct / 100.0 * dt_s)

    def held(self) -> Material:
        """Hopper and screw."""
        total = self._screw.held()
        m.pour(total, self.cake)
        return total
