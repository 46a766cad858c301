"""Plug flow: a belt, a screw or a pipe that hands on what it got after a fixed way."""

from __future__ import annotations

from collections import deque

from simulator import material as m
from simulator.material import Material


class Conveyor:
    """Plug flow with a fixed transit time of its own running clock."""

    def __init__(self, transit_s: float) -> None:
        self._transit_s = transit_s
        self._clock_s = 0.0
        self._packets: deque[tuple[float, Material]] = deque()

    def move(self, what: Material, dt_s: float) -> Material:
        """Put ``what`` on the belt, run it for ``dt_s`` of its clock and return what falls off its end.

        ``what`` belongs to the belt from now on; the caller does not change it any more.
        """
        self._clock_s += dt_s
        if m.mass_kg(what) > 0.0:
            self._packets.append((self._clock_s + self._transit_s, what))
        packets = self._packets
        due_s = self._clock_s + 1e-9
        if not packets or packets[0][0] > due_s:
            return m.empty()
        arrived = packets.popleft()[1]
        while packets and packets[0][0] <= due_s:
            m.pour(arrived, packets.popleft()[1])
        return arrived

    def held(self) -> Material:
        """Everything on the belt."""
        total = m.empty()
        for _, packet in self._packets:
            m.pour(total, packet)
        return total
