"""What time does to wet starch: age, germs, souring and browning of every wet hold-up, and the film on wet surfaces.

The amounts ride in ``Material`` and mix by mass. Here they grow: every few seconds, because hours are their scale.
Growth after Ratkowsky's square-root law with a lag; browning first order in time with a Q10.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, log10

from simulator import material as m
from simulator.ledger import Books
from simulator.material import Material

_LAG_SHARPNESS = 8  # a step at the lag for one batch of one age, soft enough for a mixture of ages


@dataclass(frozen=True)
class ClockParameters:
    """Growth, souring, browning, the film on surfaces, warmth from the room, and what the eye makes of it."""

    interval_s: float
    adhering_share: float
    lag_h: float
    growth_slope: float
    growth_least_c: float
    growth_most_c: float
    most_log_g: float
    ph_start: float
    ph_from_log: float
    ph_drop_per_log: float
    ph_least: float
    brown_points_h: float
    brown_q10: float
    sulphite: float
    sulphite_factor: float
    oxygen_tank: float
    oxygen_cake: float
    tank_kw_k: float
    film_m2: float
    film_clean_log_cm2: float
    film_most_log_cm2: float
    film_shed_per_h: float
    film_rinse_s: float
    white_clean: float
    white_per_fibre_pct: float
    white_per_soil_pct: float
    specks_per_fibre_pct: float
    specks_per_coarse_pct: float
    specks_per_soil_pct: float


def growth_per_h(temp_c: float, p: ClockParameters) -> float:
    """Specific growth rate [1/h] without lag: ``sqrt(mu) = slope (T - T_min)``; none outside the flora's range."""
    if not p.growth_least_c < temp_c < p.growth_most_c:
        return 0.0
    root = p.growth_slope * (temp_c - p.growth_least_c)
    return root * root


def awake_share(age_h: float, lag_h: float) -> float:
    """Share (0..1) of the flora past its lag at a mean wet age."""
    ratio = (age_h / lag_h) ** _LAG_SHARPNESS
    return ratio / (1.0 + ratio)


def ph(log_cfu_g: float, p: ClockParameters) -> float:
    """pH of a slurry from its plate count."""
    return max(p.ph_least, p.ph_start - p.ph_drop_per_log * max(0.0, log_cfu_g - p.ph_from_log))


def whiteness(what: Material, p: ClockParameters) -> float:
    """Whiteness (0..100) of the powder this material would give; the clean value where there is nothing."""
    dry = m.dry_kg(what)
    if dry <= 1e-9:
        return p.white_clean
    fibre_pct = 100.0 * (what[m.COARSE] + what[m.FINE]) / dry
    soil_pct = 100.0 * what[m.SOIL] / dry
    dirt = p.white_per_fibre_pct * fibre_pct + p.white_per_soil_pct * soil_pct
    return max(0.0, p.white_clean - dirt - what[m.BROWN] / dry)


def specks_cm2(what: Material, p: ClockParameters) -> float:
    """Dark specks per cm2 of the powder this material would give."""
    dry = m.dry_kg(what)
    if dry <= 1e-9:
        return 0.0
    fine, coarse, soil = (100.0 * what[i] / dry for i in (m.FINE, m.COARSE, m.SOIL))
    return p.specks_per_fibre_pct * fine + p.specks_per_coarse_pct * coarse + p.specks_per_soil_pct * soil


class WetClocks:
    """Lets the wet hold-ups of a line age together; keeps the film on its surfaces."""

    def __init__(self, parameters: ClockParameters, books: Books) -> None:
        self.p = parameters
        self._books = books
        self._waited_s = 0.0
        self._most_per_kg = 10.0 ** (parameters.most_log_g - 6.0)
        self._film_clean = 10.0 ** (parameters.film_clean_log_cm2 - 5.0) * parameters.film_m2
        self._film_most = 10.0 ** (parameters.film_most_log_cm2 - 5.0) * parameters.film_m2
        self._film = self._film_clean
        self.hours_since_rinse = 0.0
        self.sulphite = parameters.sulphite >= 0.5
        """True while sulphite is dosed into the wash water; may be changed at any time."""

    @property
    def film_log_cfu_cm2(self) -> float:
        """Germs on the wet surfaces."""
        return log10(self._film / self.p.film_m2) + 5.0

    def is_due(self, dt_s: float) -> bool:
        """Count a step; True when ``elapse`` is to be called."""
        self._waited_s += dt_s
        return self._waited_s >= self.p.interval_s - 1e-9

    def elapse(self, tanks: Iterable[Material], cake: Material, ambient_c: float) -> None:
        """Let everything grow old by the time waited.

        Args:
            tanks: stirred hold-ups; the film sheds into the first that holds something, and all take the room's heat.
            cake: hold-up in the cake hopper.
        """
        hours = self._waited_s / 3600.0
        self._waited_s = 0.0
        self.hours_since_rinse += hours
        shed_into: Material | None = None
        for tank in tanks:
            if tank[m.WATER] < 1e-3:
                continue
            shed_into = shed_into or tank
            self._warm(tank, ambient_c, hours)
            self._ripen(tank, self.p.oxygen_tank, hours)
        self._ripen(cake, self.p.oxygen_cake, hours)
        if shed_into is not None:
            self._grow_film(shed_into, hours)

    def _warm(self, tank: Material, ambient_c: float, hours: float) -> None:
        """Heat through the steel of an open tank."""
        capacity = m.heat_capacity_kj_k(tank)
        lost_kj = (tank[m.HEAT] - capacity * ambient_c) * (1.0 - exp(-self.p.tank_kw_k * hours * 3600.0 / capacity))
        tank[m.HEAT] -= lost_kj
        self._books.heat_out_kj["tanks"] += lost_kj

    def _ripen(self, holdup: Material, oxygen: float, hours: float) -> None:
        p, grown = self.p, self._books.grown
        dry = m.dry_kg(holdup)
        if dry < 1e-6:
            return
        temp_c = m.temperature_c(holdup, 0.0)
        aged = dry * hours
        browned = aged * oxygen * p.brown_points_h * p.brown_q10 ** ((temp_c - 25.0) / 10.0)
        if self.sulphite:
            browned /= p.sulphite_factor
        rate = growth_per_h(temp_c, p) * awake_share(holdup[m.AGE] / dry, p.lag_h)
        room = 1.0 - holdup[m.GERMS] / (m.mass_kg(holdup) * self._most_per_kg)
        born = holdup[m.GERMS] * (exp(rate * max(room, 0.0) * hours) - 1.0)
        holdup[m.AGE] += aged
        holdup[m.GERMS] += born
        holdup[m.BROWN] += browned
        grown[m.AGE] += aged
        grown[m.GERMS] += born
        grown[m.BROWN] += browned

    def _grow_film(self, tank: Material, hours: float) -> None:
        """The film grows without lag and sheds into what flows past."""
        rate = growth_per_h(m.temperature_c(tank, 0.0), self.p) * (1.0 - self._film / self._film_most)
        self._film *= exp(max(rate, 0.0) * hours)
        shed = self._film * self.p.film_shed_per_h * hours
        tank[m.GERMS] += shed
        self._books.grown[m.GERMS] += shed

    def rinse(self, dt_s: float) -> None:
        """Sprays take the film down to what a clean surface has."""
        self._film = self._film_clean + (self._film - self._film_clean) * exp(-dt_s / self.p.film_rinse_s)
        self.hours_since_rinse = 0.0
