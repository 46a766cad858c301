"""The plant's books: what came in, what left and where, so that every balance can be checked at any step.

Machines post to ``Books``; nothing is ever corrected here. ``created`` stays zero: no machine makes or destroys
starch, fibre, water, soil, solubles or energy, it only relabels them (bound starch becomes free, coarse fibre fine).
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator import material as m
from simulator.material import Material

EXITS = (
    "wash_drain",  # wash water, soil and broken root from the trommel
    "wet_drain",  # overflow water, desander sand, filtrate, spilled milk
    "rinse_drain",  # what the cleaning sprays flush out
    "pulp",
    "dust",  # powder that leaves with the exhaust air
    "exhaust",  # humidity that leaves with the exhaust air
    "tailings",  # sifter oversize
    "good",
    "rework",
    "waste",
)
HEAT_ENTRIES = ("fuel", "electricity", "air")
HEAT_EXITS = ("exhaust_air", "flue", "walls", "machines", "cooler", "tanks")

COMPONENTS: dict[str, tuple[int, ...]] = {
    "starch": (m.FREE, m.BOUND),
    "fibre": (m.COARSE, m.FINE),
    "water": (m.WATER,),
    "soil": (m.SOIL,),
    "solubles": (m.SOLUBLE,),
}


@dataclass(frozen=True)
class Ledger:
    """One balance: ``inflow + created = outflow + held`` in ``unit``."""

    name: str
    unit: str
    inflow: float
    created: float
    outflow: float
    held: float

    @property
    def residual(self) -> float:
        """What is missing, in ``unit``; positive where something vanished."""
        return self.inflow + self.created - self.outflow - self.held

    @property
    def relative_error(self) -> float:
        """Residual over the larger side of the balance (at least one unit)."""
        return abs(self.residual) / max(abs(self.inflow), abs(self.outflow) + abs(self.held), 1.0)


class Books:
    """Running totals at the plant's boundary since it was built."""

    def __init__(self) -> None:
        self.inflow: Material = m.empty()
        self.exits: dict[str, Material] = {name: m.empty() for name in EXITS}
        self.grown: Material = m.empty()  # wet age, germs and browning that time has made
        self.heat_in_kj: dict[str, float] = dict.fromkeys(HEAT_ENTRIES, 0.0)
        self.heat_out_kj: dict[str, float] = dict.fromkeys(HEAT_EXITS, 0.0)

    def receive(self, what: Material) -> Material:
        """Post material that enters the plant and hand it on."""
        m.pour(self.inflow, what)
        return what

    def release(self, exit_name: str, what: Material) -> None:
        """Post material that leaves the plant."""
        m.pour(self.exits[exit_name], what)

    def electricity(self, energy_kj: float) -> None:
        """Post motor energy that ends as warmth of the room."""
        self.heat_in_kj["electricity"] += energy_kj
        self.heat_out_kj["machines"] += energy_kj

    def balance(self, held: Material, held_in_metal_kj: float) -> dict[str, Ledger]:
        """All ledgers, given everything the machines hold now."""
        ledgers: dict[str, Ledger] = {}
        for name, indices in COMPONENTS.items():
            outflow = sum(gone[i] for gone in self.exits.values() for i in indices)
            inflow = sum(self.inflow[i] for i in indices)
            ledgers[name] = Ledger(name, "kg", inflow, 0.0, outflow, sum(held[i] for i in indices))
        heat_in = self.inflow[m.HEAT] + sum(self.heat_in_kj.values())
        heat_out = sum(gone[m.HEAT] for gone in self.exits.values()) + sum(self.heat_out_kj.values())
        ledgers["energy"] = Ledger("energy", "kJ", heat_in, 0.0, heat_out, held[m.HEAT] + held_in_metal_kj)
        return ledgers

    def time_balance(self, held: Material) -> dict[str, Ledger]:
        """Ledgers of what time makes of wet starch: here ``created`` is its whole point."""
        ledgers: dict[str, Ledger] = {}
        for name, unit, i in (("wet_age", "kg h", m.AGE), ("germs", "1e9 CFU", m.GERMS), ("browning", "kg", m.BROWN)):
            outflow = sum(gone[i] for gone in self.exits.values())
            ledgers[name] = Ledger(name, unit, self.inflow[i], self.grown[i], outflow, held[i])
        return ledgers
