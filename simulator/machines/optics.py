"""What the instruments at the powder window see: the NIR meter with its faults of optics, and the speck camera.

The NIR measures the surface of what passes. A film of dust on its window shifts it little by little until somebody
wipes it; powder of another lot shifts it by its colour and grain. The camera looks at a cup that each passing powder
fills; before the first powder it shows its white tile.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulator import material as m
from simulator.material import Material
from simulator.wet_clocks import ClockParameters, specks_cm2, whiteness


@dataclass(frozen=True)
class OpticsParameters:
    """NIR window and camera."""

    nir_blind_kg_h: float
    nir_quiet_s: float
    nir_fouling_pct_per_h: float
    nir_wipe_s: float
    nir_lot_sd_pct: float
    nir_lot_kg: float
    picture_s: float


class Optics:
    """NIR meter and camera at the powder window.

    Upsets:
        fouling_times: 1 = usual dust; 20 = a leaking seal blows dust on the window, the NIR drifts twenty times faster.
        fouling_pct: the drift itself [% wb]; set it for a window that was left dirty.
    """

    def __init__(self, parameters: OpticsParameters, colours: ClockParameters) -> None:
        """Clean; ``colours`` tell what fibre, soil and browning look like."""
        self.p = parameters
        self._colours = colours
        self.nir_pct = math.nan  # % wb as the optics see it, NaN where no powder has passed for a while
        self.true_pct = 0.0  # % wb of the last powder
        self.fouling_pct = 0.0
        self.fouling_times = 1.0
        self.lot_offset_pct = 0.0
        self.whiteness = colours.white_clean  # index 0..100
        self.specks_cm2 = 0.0
        self._lot_goal_pct = math.nan
        self._quiet_s = math.inf
        self._picture_age_s = math.inf
        self._rinsed_s = 0.0

    def meet_lot(self, deviation: float) -> None:
        """A lot of another colour is on its way; ``deviation`` is its standard normal number."""
        first = self._lot_goal_pct != self._lot_goal_pct
        self._lot_goal_pct = self.p.nir_lot_sd_pct * deviation
        if first:
            self.lot_offset_pct = self._lot_goal_pct

    def wipe(self) -> None:
        """Somebody cleans the NIR window."""
        self.fouling_pct = 0.0

    def step(self, window: Material, rinsing: bool, dt_s: float) -> None:
        """Look at what passes in this step.

        Args:
            rinsing: the line is being rinsed; after ``nir_wipe_s`` of it the crew has wiped the window.
        """
        p = self.p
        self._rinsed_s = self._rinsed_s + dt_s if rinsing else 0.0
        if self._rinsed_s > p.nir_wipe_s:
            self.wipe()
        total_kg = m.mass_kg(window)
        if total_kg * 3600.0 / dt_s < p.nir_blind_kg_h:
            self._quiet_s += dt_s
            if self._quiet_s > p.nir_quiet_s:
                self.nir_pct = math.nan
            return
        self._quiet_s = 0.0
        self.fouling_pct += p.nir_fouling_pct_per_h * self.fouling_times * dt_s / 3600.0
        self.lot_offset_pct += (self._lot_goal_pct - self.lot_offset_pct) * min(1.0, total_kg / p.nir_lot_kg)
        self.true_pct = 100.0 * window[m.WATER] / total_kg
        self.nir_pct = self.true_pct + self.fouling_pct + self.lot_offset_pct
        self._picture_age_s += dt_s
        if self._picture_age_s >= p.picture_s:
            self._picture_age_s = 0.0
            self.whiteness = whiteness(window, self._colours)
            self.specks_cm2 = specks_cm2(window, self._colours)
