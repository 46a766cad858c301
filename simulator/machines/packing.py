"""From the cyclone to the bags: air lock, transport, NIR window, cooler, sifter, divert gate and three bins.

Powder moves through the transport and the cooler as plug flow, so what the NIR has seen reaches the gate a fixed time
later. Stopped conveyors keep what lies on them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import exp

from simulator import material as m
from simulator.ledger import Books
from simulator.material import Material

BINS = ("good", "rework", "waste")


@dataclass(frozen=True)
class PackingParameters:
    """Cyclone cone, transport, cooler, sifter and gate."""

    cyclone_tau_s: float
    cone_kw_k: float
    cone_still_share: float
    probe_kj_k: float
    transport_s: float
    cooler_s: float
    cooler_units: float
    oversize_share: float
    gate_travel_s: float
    conveyors_kw: float


class Conveyor:
    """Plug flow with a fixed transit time of its own running clock."""

    def __init__(self, transit_s: float) -> None:
        self._transit_s = transit_s
        self._clock_s = 0.0
        self._packets: deque[tuple[float, Material]] = deque()

    def move(self, what: Material, dt_s: float) -> Material:
        """Put ``what`` on the belt, run it for ``dt_s`` and return what falls off its end."""
        self._clock_s += dt_s
        if m.mass_kg(what) > 0.0:
            self._packets.append((self._clock_s + self._transit_s, what))
        arrived = m.empty()
        due_s = self._clock_s + 1e-9
        while self._packets and self._packets[0][0] <= due_s:
            m.pour(arrived, self._packets.popleft()[1])
        return arrived

    def held(self) -> Material:
        """Everything on the belt."""
        total = m.empty()
        for _, packet in self._packets:
            m.pour(total, packet)
        return total


class Gate:
    """Three-way flap: 0 good, 1 rework, 2 waste. While it travels the stream is shared between both chutes."""

    def __init__(self, travel_s: float) -> None:
        self._travel_s = travel_s
        self.position = 0
        self._goal = 0
        self._travelled_s = 0.0

    def step(self, target: float, dt_s: float) -> list[tuple[int, float]]:
        """Move, and say which chutes take which share of the powder of this step."""
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
    """Everything behind the duct."""

    def __init__(self, parameters: PackingParameters, ambient_c: float, books: Books) -> None:
        self.p = parameters
        self._books = books
        self.cyclone: Material = m.empty()
        self._transport = Conveyor(parameters.transport_s)
        self._cooler = Conveyor(parameters.cooler_s)
        self.gate = Gate(parameters.gate_travel_s)
        self.window: Material = m.empty()  # powder in front of the NIR in this step
        self.cone_c = ambient_c  # what a probe in the cone feels
        self.bag_c = ambient_c
        self.bin_kg = [0.0, 0.0, 0.0]  # what fell into each bin in this step

    def step(
        self, powder: Material, gate_target: float, powered: bool, outlet_c: float, ambient_c: float, dt_s: float
    ) -> None:
        """One step; bins are posted to the books.

        Args:
            outlet_c: air that turns in the cyclone above the cone.
        """
        m.pour(self.cyclone, powder)
        self._lose_heat(outlet_c, ambient_c, dt_s)
        self.bin_kg = [0.0, 0.0, 0.0]
        shares = self.gate.step(gate_target, dt_s)
        if not powered:
            self.window = m.empty()
            return
        self._books.electricity(self.p.conveyors_kw * dt_s)
        self.window = self._transport.move(m.draw(self.cyclone, 1.0 - exp(-dt_s / self.p.cyclone_tau_s)), dt_s)
        packed = self._cooler.move(list(self.window), dt_s)
        packed_kg = m.mass_kg(packed)
        if packed_kg <= 0.0:
            return
        self._cool(packed, ambient_c)
        self._books.release("tailings", m.draw(packed, self.p.oversize_share))
        packed_kg *= 1.0 - self.p.oversize_share
        for chute, share in shares:
            if share > 0.0:
                self._books.release(BINS[chute], m.part(packed, share))
                self.bin_kg[chute] += packed_kg * share

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
        self.bag_c = ambient_c + (hot_c - ambient_c) * exp(-self.p.cooler_units)
        removed_kj = capacity * (hot_c - self.bag_c)
        packed[m.HEAT] -= removed_kj
        self._books.heat_out_kj["cooler"] += removed_kj

    def held(self) -> Material:
        """Cyclone, transport and cooler."""
        total = list(self.cyclone)
        m.pour(total, self._transport.held())
        m.pour(total, self._cooler.held())
        return total
