"""Raw-root hopper and its feeder. Roots leave in the order they were tipped."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from simulator import material as m
from simulator.ledger import Books
from simulator.material import Material


@dataclass(frozen=True)
class HopperParameters:
    """Root hopper and feeder."""

    capacity_kg: float
    start_kg: float
    feeder_full_kg_h: float
    feeder_ramp_pct_s: float
    bridging_kg: float
    lump_sd: float
    lump_tau_s: float
    feeder_kw: float


class Hopper:
    """Holds parcels of roots; the feeder takes from the oldest."""

    def __init__(self, parameters: HopperParameters, books: Books) -> None:
        self.p = parameters
        self._books = books
        self._parcels: deque[Material] = deque()
        self.mass_kg = 0.0
        self.rate_kg_s = 0.0
        self.fed: Material = m.empty()
        self.is_bridged = False
        """Upset: roots wedge above the feeder. The hopper scale stands still, the belt runs empty, the motor idles."""

    def tip(self, parcels: Iterable[Material]) -> None:
        """Add parcels on top."""
        for parcel in parcels:
            self._parcels.append(self._books.receive(parcel))
            self.mass_kg += m.mass_kg(parcel)

    def soak(self, added: Callable[[float], Material]) -> None:
        """Something clings to the roots that lie here, as rain or mud.

        Args:
            added: what comes to a parcel of that gross mass [kg]; booked as received.
        """
        for parcel in self._parcels:
            extra = self._books.receive(added(m.mass_kg(parcel)))
            m.pour(parcel, extra)
            self.mass_kg += m.mass_kg(extra)

    def step(self, speed_pct: float, lumpiness: float, room_kg: float, dt_s: float) -> Material:
        """Roots fed in this step.

        Args:
            lumpiness: relative disturbance of the feed by how the roots lie.
            room_kg: what the next machine can still take; the feeder stalls at zero.
        """
        full_kg_s = self.p.feeder_full_kg_h / 3600.0
        filled = self.mass_kg / (self.mass_kg + self.p.bridging_kg)
        wanted_kg = full_kg_s * speed_pct / 100.0 * (1.0 + lumpiness) * filled * dt_s
        roots = self._take(min(wanted_kg, room_kg) if room_kg > 0.0 and not self.is_bridged else 0.0)
        self.rate_kg_s = m.mass_kg(roots) / dt_s
        self._books.electricity(self.p.feeder_kw * speed_pct / 100.0 * dt_s)
        return roots

    def _take(self, wanted_kg: float) -> Material:
        taken = m.empty()
        while wanted_kg > 0.0 and self._parcels:
            oldest = self._parcels[0]
            oldest_kg = m.mass_kg(oldest)
            if oldest_kg <= wanted_kg + 1e-9:
                self._parcels.popleft()
                m.pour(taken, oldest)
                wanted_kg -= oldest_kg
                self.mass_kg -= oldest_kg
            else:
                m.pour(taken, m.draw(oldest, wanted_kg / oldest_kg))
                self.mass_kg -= wanted_kg
                wanted_kg = 0.0
        if not self._parcels:
            self.mass_kg = 0.0
        m.pour(self.fed, taken)
        return taken

    def starch_pct_wb(self, otherwise: float) -> float:
        """Starch in the roots that lie at the feeder, of gross mass."""
        if not self._parcels:
            return otherwise
        oldest = self._parcels[0]
        total = m.mass_kg(oldest)
        return 100.0 * m.starch_kg(oldest) / total if total > 1e-9 else otherwise

    def held(self) -> Material:
        """Everything in the hopper."""
        total = m.empty()
        for parcel in self._parcels:
            m.pour(total, parcel)
        return total
