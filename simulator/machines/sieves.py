"""Fibre sieves: N counter-current stages wash free starch out of the pulp. Bound starch stays in it for good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

from simulator import material as m
from simulator.ledger import Books
from simulator.material import Material

_LN2 = log(2.0)
_LOOK_S = 5.0  # the cloth changes over hours; it is looked at this often


@dataclass(frozen=True)
class SieveParameters:
    """Mash sump, sieve stages, their cloth and the water valve."""

    stages: float
    wash_efficiency: float
    pulp_dry_share: float
    opening_um: float
    cut_share: float
    sharpness: float
    soil_pass_share: float
    blinding_per_t: float
    blinding_clear_per_h: float
    blinding_rinse_s: float
    blinding_most: float
    blinding_retains: float
    blinding_narrows: float
    holdup_tau_s: float
    holdup_kg: float
    sump_tau_s: float
    sump_kg: float
    minimum_water_m3_h: float
    valve_full_m3_h: float
    valve_ramp_pct_s: float
    pressure_sd: float
    pressure_tau_s: float
    motors_kw: float


def free_starch_left(wash: float, feed: float, retained: Sequence[float], efficiency: float) -> float:
    """Share (0..1) of free starch that leaves with the pulp of N counter-current stages, stage by stage.

    Each stage mixes pulp and wash; liquor and starch balance over every stage, solved from the last one backwards.
    With equal retained liquor everywhere and in the feed it is Kremser's ``(A-1)/(A^(N+1)-1)``, A being
    ``efficiency * wash / retained``.

    Args:
        wash, feed: liquor washed in and brought by the mash, in one unit.
        retained: liquor that the pulp keeps behind each stage, first stage first, in the same unit.
        efficiency: share of the wash that meets the pulp, 0..1.
    """
    last = retained[-1]
    if last <= 0.0:
        return 0.0
    here, behind = 1.0, 0.0  # strength of the liquor of this stage and the next, the last being 1
    rising = efficiency * wash
    for stage in range(len(retained) - 1, 0, -1):
        before = retained[stage - 1]
        stronger = here + rising * (here - behind) / before
        rising = max(0.0, rising + before - retained[stage])
        here, behind = stronger, here
    brought = feed * here + rising * (here - behind)
    return min(1.0, last / brought) if brought > 0.0 else 1.0


def retained_share(size_um: float, cut_um: float, sharpness: float) -> float:
    """Share (0..1) of particles of a size that a screen keeps: ``1 - exp(-ln2 (d/d50)^m)`` (Rosin-Rammler)."""
    return 1.0 - exp(-_LN2 * (size_um / cut_um) ** sharpness)


class Sieves:
    """Mash sump with its pump, and the sieve stages.

    The stages' own sumps turn over in seconds, so they are one mixed hold-up in front of a quasi-steady cascade.
    """

    def __init__(self, parameters: SieveParameters, books: Books, adhering: float) -> None:
        """Clean sieves. ``adhering``: share of the germs that stays with the solids."""
        self.p = parameters
        self._books = books
        self._adhering = adhering
        self.sump: Material = m.empty()
        self.slurry: Material = m.empty()
        self._wash_kg = 0.0  # how much of the slurry's water came as wash water
        self.free_left = 0.0
        self.pulp_kg = 0.0  # pulp of this step
        self.blinding = [0.0] * max(1, round(parameters.stages))
        """Share of each stage's openings that is blocked, first stage first, 0..1."""
        self.tear_share = 0.0
        """Upset, 0..1: share of the coarse fibre (and the bound starch in it) that passes a torn screen. Less pulp,
        coarse specks in the cake, lower whiteness; yield by mass even rises."""
        self._sieved_kg = 0.0
        self._looked_s = 0.0
        self._open_share = 1.0
        self._retains = [1.0] * len(self.blinding)
        self.fines_um = 0.0  # size of the fine fibre in the slurry
        self._came_kg = self._came_kg_um = 0.0
        self.fine_pass_share = 1.0

    @property
    def is_open(self) -> bool:
        """True while the sump takes mash."""
        return m.mass_kg(self.sump) < self.p.sump_kg

    def step(
        self, mash: Material, fines_um: float, water_m3_h: float, water_c: float, running: bool, dt_s: float
    ) -> Material:
        """One step; returns raw starch milk. Pulp is posted to the books.

        Args:
            fines_um: size of the fine fibre in the mash.
        """
        m.pour(self.sump, mash)
        self._came_kg += mash[m.FINE]
        self._came_kg_um += mash[m.FINE] * fines_um
        # a screen without water tears: the sump pump is wired to the flow switch of the wash water
        if running and water_m3_h > self.p.minimum_water_m3_h:
            m.pour(self.slurry, m.draw(self.sump, 1.0 - exp(-dt_s / self.p.sump_tau_s)))
        wash_kg = water_m3_h / 3.6 * dt_s
        m.pour(self.slurry, self._books.receive(m.water(wash_kg, water_c)))
        self._wash_kg += wash_kg
        self._books.electricity(self.p.motors_kw * dt_s if running else 0.0)
        self._spill()
        self._look(wash_kg > 0.0, dt_s)
        if not running:
            self.pulp_kg = 0.0
            return m.empty()
        share = 1.0 - exp(-dt_s / self.p.holdup_tau_s * self._open_share)
        slurry = m.draw(self.slurry, share)
        washed_kg = self._wash_kg * share
        self._wash_kg -= washed_kg
        return self._split(slurry, washed_kg)

    def _spill(self) -> None:
        total_kg = m.mass_kg(self.slurry)
        if total_kg > self.p.holdup_kg:
            share = 1.0 - self.p.holdup_kg / total_kg
            self._books.release("wet_drain", m.draw(self.slurry, share))
            self._wash_kg *= 1.0 - share

    def _look(self, is_wet: bool, dt_s: float) -> None:
        """Cloths blind with what they have sieved (the first one most) and are cleared a little by their own water."""
        p = self.p
        self._looked_s += dt_s
        if self._looked_s < _LOOK_S - 1e-9:
            return
        hours = self._looked_s / 3600.0
        for stage, blocked in enumerate(self.blinding):
            caught = p.blinding_per_t * self._sieved_kg / 1000.0 / (stage + 1.0) * (1.0 - blocked)
            cleared = p.blinding_clear_per_h * hours * blocked if is_wet else 0.0
            self.blinding[stage] = min(p.blinding_most, max(0.0, blocked + caught - cleared))
        if self._came_kg > 0.0:
            here_kg = max(self._came_kg, self.sump[m.FINE] + self.slurry[m.FINE])
            self.fines_um += (self._came_kg_um / self._came_kg - self.fines_um) * self._came_kg / here_kg
        self._looked_s = self._sieved_kg = self._came_kg = self._came_kg_um = 0.0
        self._weigh_up()

    def _weigh_up(self) -> None:
        """What follows from the cloths' state."""
        p = self.p
        worst = max(self.blinding)
        self._open_share = 1.0 - worst
        self._retains = [1.0 + p.blinding_retains * blocked for blocked in self.blinding]
        cut_um = p.opening_um * p.cut_share * (1.0 - p.blinding_narrows * worst)
        self.fine_pass_share = 1.0 - retained_share(self.fines_um, cut_um, p.sharpness)

    def _split(self, slurry: Material, washed_kg: float) -> Material:
        """Pulp to the books, milk to the concentrator."""
        p = self.p
        pulp = m.empty()
        kept = 1.0 - self.tear_share
        pulp[m.BOUND] = slurry[m.BOUND] * kept
        pulp[m.COARSE] = slurry[m.COARSE] * kept
        pulp[m.FINE] = slurry[m.FINE] * (1.0 - self.fine_pass_share)
        pulp[m.SOIL] = slurry[m.SOIL] * (1.0 - p.soil_pass_share)
        liquor_kg = slurry[m.WATER]
        solids_kg = m.dry_kg(pulp)
        self._sieved_kg += solids_kg
        drained_kg = solids_kg * (1.0 / p.pulp_dry_share - 1.0)
        retained = [min(drained_kg * more, liquor_kg) for more in self._retains]
        feed_kg = max(liquor_kg - washed_kg, 0.0)
        self.free_left = free_starch_left(washed_kg, feed_kg, retained, p.wash_efficiency)
        pulp[m.WATER] = retained[-1]
        pulp[m.FREE] = slurry[m.FREE] * self.free_left
        pulp[m.SOLUBLE] = slurry[m.SOLUBLE] * self.free_left
        m.follow(pulp, slurry, self._adhering)
        pulp[m.HEAT] = m.heat_capacity_kj_k(pulp) * m.temperature_c(slurry, 0.0)
        self._books.release("pulp", pulp)
        self.pulp_kg = m.mass_kg(pulp)
        return m.minus(slurry, pulp)

    def flush(self, share: float, dt_s: float) -> Material:
        """What a rinse takes along in one step; it clears the cloths."""
        flushed = m.draw(self.sump, share)
        m.pour(flushed, m.draw(self.slurry, share))
        self._wash_kg *= 1.0 - share
        open_up = exp(-dt_s / self.p.blinding_rinse_s)
        self.blinding = [blocked * open_up for blocked in self.blinding]
        self._weigh_up()
        return flushed

    def held(self) -> Material:
        """Mash and slurry."""
        total = list(self.sump)
        m.pour(total, self.slurry)
        return total
