"""From the cyclone to the bags: air lock, transport, NIR window, cooler, sifter, divert gate and three bins.

Powder moves through the transport and the cooler as plug flow, so what the NIR has seen reaches the gate a fixed time
later. Stopped conveyors keep what lies on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

from simulator import material as m
from simulator.ledger import Books
from simulator.machines.bags import Bagging, bag_climate
from simulator.machines.conveyor import Conveyor
from simulator.material import Material
from simulator.psychrometrics import Isotherm

BINS = ("good", "rework", "waste")


@dataclass(frozen=True)
class PackingParameters:
    """Cyclone cone, transport, cooler, sifter and gate."""

    cyclone_tau_s: float
    cyclone_clear_kg: float
    cone_kw_k: float
    cone_still_share: float
    probe_kj_k: float
    transport_s: float
    cooler_s: float
    cooler_units: float
    cyclone_room_kg: float
    oversize_share: float
    lump_from_pct_wb: float
    lump_per_pct: float
    bag_kg: float
    gate_travel_s: float
    conveyors_kw: float


class Gate:
    """Three-way flap: 0 good, 1 rework, 2 waste. While it travels the stream is shared between both chutes.

    Upset ``is_stuck``: the flap stays where it is, its position switch with it, whatever is commanded.
    """

    def __init__(self, travel_s: float) -> None:
        self._travel_s = travel_s
        self.position = 0
        self._goal = 0
        self._travelled_s = 0.0
        self.is_stuck = False

    def step(self, target: float, dt_s: float) -> list[tuple[int, float]]:
        """Move, and say which chutes take which share of the powder of this step."""
        if self.is_stuck:
            self._goal = self.position
            return [(self.position, 1.0)]
        if target == target and self._goal == self.position:
            self._goal = min(2, max(0, round(min(2.0, max(0.0, target)))))
            self._travelled_s = 0.0
        if self._goal == self.position:
            return [(self.position, 1.0)]
        self._travelled_s += dt_s
        over = min(1.0, self._travelled_s / self._travel_s)
        shares = [(self.position, 1.0 - over), (self._goal, over)]
        if over >= 1.0:
            self.position = self._goal
        return shares


class Packing:
    """Everything behind the duct.

    Upsets:
        is_air_lock_blocked: powder stays in the cyclone; the NIR goes blind, then it spills to the filter.
        cooler_effect: 1 = good, 0 = no cooling air. Bags get warm: higher water activity, and they sweat.
        is_sifter_torn: nothing is held back, tailings fall to zero and lumps reach the bags.
    """

    def __init__(self, parameters: PackingParameters, isotherm: Isotherm, ambient_c: float, books: Books) -> None:
        self.p = parameters
        self._books = books
        self._isotherm = isotherm
        self.cyclone: Material = m.empty()
        self._transport = Conveyor(parameters.transport_s)
        self._cooler = Conveyor(parameters.cooler_s)
        self.gate = Gate(parameters.gate_travel_s)
        self.bagging = Bagging(parameters.bag_kg, isotherm)
        self.window: Material = m.empty()  # powder in front of the NIR in this step
        self.cone_c = ambient_c  # what a probe in the cone feels
        self.bag_c = ambient_c
        self.bag_moisture_db = 0.0
        self.spill_share = 0.0  # of the powder that an overfull cyclone lets go with the air
        self.bin_kg = [0.0, 0.0, 0.0]  # what fell into each bin in this step
        self.is_air_lock_blocked = False
        self.cooler_effect = 1.0
        self.is_sifter_torn = False
        self._time_s = 0.0
        self._is_asked_to_change = False

    def step(
        self, powder: Material, gate_target: float, powered: bool, outlet_c: float, ambient_c: float, dt_s: float
    ) -> None:
        """One step; bins are posted to the books.

        Args:
            outlet_c: air that turns in the cyclone above the cone.
        """
        p = self.p
        self._time_s += dt_s
        m.pour(self.cyclone, powder)
        self._lose_heat(outlet_c, ambient_c, dt_s)
        self.bin_kg = [0.0, 0.0, 0.0]
        shares = self.gate.step(gate_target, dt_s)
        cyclone_kg = m.mass_kg(self.cyclone)
        over = cyclone_kg / p.cyclone_room_kg - 1.0
        self.spill_share = 0.0 if over <= 0.0 else min(1.0, 10.0 * over)
        if not powered:
            self.window = m.empty()
            return
        self._books.electricity(p.conveyors_kw * dt_s)
        self.window = self._transport.move(self._let_down(cyclone_kg, dt_s), dt_s)
        packed = self._cooler.move(list(self.window), dt_s)
        packed_kg = m.mass_kg(packed)
        if packed_kg <= 0.0:
            return
        self._cool(packed, ambient_c)
        oversize_share = self._oversize_share(100.0 * packed[m.WATER] / packed_kg)
        self._books.release("tailings", m.draw(packed, oversize_share))
        packed_kg *= 1.0 - oversize_share
        for chute, share in shares:
            if share > 0.0:
                bagged = packed if share == 1.0 else m.part(packed, share)
                self._books.release(BINS[chute], bagged)
                self.bin_kg[chute] += packed_kg * share
                if chute == 0:
                    self.bagging.fill(bagged, packed_kg * share, ambient_c, self._time_s)

    def _let_down(self, cyclone_kg: float, dt_s: float) -> Material:
        """What the air lock takes out of the cone: a share of it, and its pockets clear the last of it."""
        if self.is_air_lock_blocked or cyclone_kg <= 0.0:
            return m.empty()
        share = (1.0 - exp(-dt_s / self.p.cyclone_tau_s)) * (1.0 + self.p.cyclone_clear_kg / cyclone_kg)
        if share < 1.0:
            return m.draw(self.cyclone, share)
        rest, self.cyclone = self.cyclone, m.empty()
        return rest

    def change_bag(self, is_asked: bool, room_c: float) -> None:
        """The bagging machine changes its bag when the request comes; nothing while it lasts."""
        if is_asked and not self._is_asked_to_change:
            self.bagging.close_open_bag(room_c, self._time_s, least_kg=0.05)
        self._is_asked_to_change = is_asked

    def bag_state(self) -> tuple[float, float]:
        """Water activity of the powder that was bagged last, at its temperature, and its air's dew point [°C]."""
        return bag_climate(self.bag_moisture_db, self.bag_c, self._isotherm)

    def _oversize_share(self, moisture_pct_wb: float) -> float:
        """Damp powder sticks together: lumps over the mesh grow steeply with moisture."""
        p = self.p
        if self.is_sifter_torn:
            return 0.0
        damp_pct = moisture_pct_wb - p.lump_from_pct_wb
        return p.oversize_share if damp_pct <= 0.0 else min(0.5, p.oversize_share * exp(p.lump_per_pct * damp_pct))

    def _lose_heat(self, outlet_c: float, ambient_c: float, dt_s: float) -> None:
        """Powder in the cone warms its bare steel; a probe in an empty cone sits in still air, between both worlds."""
        p = self.p
        capacity = m.heat_capacity_kj_k(self.cyclone)
        still_c = ambient_c + p.cone_still_share * (outlet_c - ambient_c)
        if capacity > 1e-9:
            over_kj = self.cyclone[m.HEAT] - capacity * ambient_c
            lost_kj = over_kj * (1.0 - exp(-p.cone_kw_k * dt_s / (capacity + p.probe_kj_k)))
            self.cyclone[m.HEAT] -= lost_kj
            self._books.heat_out_kj["walls"] += lost_kj
        self.cone_c = (self.cyclone[m.HEAT] + p.probe_kj_k * still_c) / (capacity + p.probe_kj_k)

    def _cool(self, packed: Material, ambient_c: float) -> None:
        capacity = m.heat_capacity_kj_k(packed)
        hot_c = packed[m.HEAT] / capacity
        self.bag_c = ambient_c + (hot_c - ambient_c) * exp(-self.p.cooler_units * self.cooler_effect)
        removed_kj = capacity * (hot_c - self.bag_c)
        packed[m.HEAT] -= removed_kj
        self._books.heat_out_kj["cooler"] += removed_kj
        dry_kg = m.dry_kg(packed)
        if dry_kg > 0.0:
            self.bag_moisture_db = packed[m.WATER] / dry_kg

    def held(self) -> Material:
        """Cyclone, transport and cooler."""
        total = list(self.cyclone)
        m.pour(total, self._transport.held())
        m.pour(total, self._cooler.held())
        return total
