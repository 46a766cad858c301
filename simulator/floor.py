"""The plant with the programs of its PLCs: all of the simulator but its sockets and its clock.

``Simulation`` puts protocol servers in front of it and lets real time pass; a twin steps it in virtual time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from simulator.faults import Face, FaultBoard, Site, Wire, fitted, read_fault
from simulator.plc import Plc
from simulator.profile import Line, Station

_log = logging.getLogger(__name__)
F = TypeVar("F", bound=Face)


class Plant(Protocol):
    """The physics, as the PLCs' terminals see it. Keys are tag names; a measurement without value is NaN."""

    inputs: dict[str, float]

    def step(self, dt_s: float) -> None: ...
    def measure(self) -> Mapping[str, float]: ...
    def truth(self) -> Mapping[str, object]: ...


@dataclass(slots=True, eq=False)
class Cabinet(Generic[F]):
    """One simulated PLC with what stands between it and the world.

    Attributes:
        held: outputs of a program that stands still; None = it runs.
    """

    station: Station
    plc: Plc
    face: F
    wire: Wire
    site: Site
    held: Mapping[str, float] | None = None


class Floor(Generic[F]):
    """A line of cabinets on one plant.

    Args:
        face_for: makes what stands in front of a PLC: a protocol server, or a link in the same process.
        boot_id: start number the PLCs show, 1..65535.
        faults: as written on the command line.
    Raises:
        FaultError: a fault does not fit this line.
    """

    def __init__(
        self,
        line: Line,
        plant: Plant,
        face_for: Callable[[Station, Plc], F],
        *,
        boot_id: int = 1,
        faults: Sequence[str] = (),
    ) -> None:
        self.plant = plant
        self.time_s = 0.0
        measured = plant.measure()
        site = Site(plant, lambda: self.time_s)
        self.cabinets: dict[str, Cabinet[F]] = {}
        for shared in line.stations:
            station = replace(shared)  # faults rewire it; the line may be used again
            plc = Plc(station, boot_id, measured, plant.inputs)
            face = face_for(station, plc)
            wire = fitted(face, has_stamps=not station.is_modbus)
            self.cabinets[station.name] = Cabinet(station, plc, face, wire, site)
            if plc.unknown:
                _log.warning("%s: not in the plant, reads 0: %s", station.name, ", ".join(plc.unknown))
        site.cabinets = self.cabinets
        self.faults = FaultBoard(self.cabinets)
        self.plan(faults)

    def plan(self, faults: Sequence[str]) -> None:
        """Faults to come, as written on the command line. Raises FaultError."""
        self.faults.plan([read_fault(text, self.cabinets) for text in faults])

    def step(self, dt_s: float, real_s: float) -> dict[str, Plc]:
        """One plant step and PLC scan; returns the PLCs whose sequence counter moved.

        Args:
            dt_s: plant time [s].
            real_s: time on the wall that it stands for [s]; the PLCs' watchdogs count it.
        """
        for cabinet in self.cabinets.values():
            self.plant.inputs.update(cabinet.plc.outputs() if cabinet.held is None else cabinet.held)
        self.plant.step(dt_s)
        self.time_s += dt_s
        return self.scan(dt_s, real_s)

    def scan(self, dt_s: float, real_s: float) -> dict[str, Plc]:
        """The PLCs look at the plant as it stands; one whose program stands still does not."""
        measured = self.plant.measure()
        return {
            name: cabinet.plc
            for name, cabinet in self.cabinets.items()
            if cabinet.held is None and cabinet.plc.step(dt_s, real_s, measured)
        }
