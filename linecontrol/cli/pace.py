"""Keeps a simulated plant and its controller together in time, on a computer that may be too busy for their speed.

Both are told to go at so many times real time. A plant that cannot keep up falls behind, and a controller with a clock
of its own would then let every phase last longer than the plant has time for it. So the plant tells its time, which the
controller's clock follows; and the controller tells the plant that it is there and how fast it can be served, from
the scans it has missed. Either waits for the other through a hiccup (``core.clock``, ``simulator.simulation``).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING

from linecontrol.core.clock import WAITS_AFTER_S
from linecontrol.core.station import LEAST_PERIOD_REAL_S, Station

if TYPE_CHECKING:
    from linecontrol.core.clock import Clock

TELL_EVERY_S = 0.05
LOOK_EVERY_S = 1.0
MOST_BETWEEN_S = 2.4
"""Line time between two scans up to which a speed is kept [s]: at it, the wires and the twin were seen to agree."""
SERVED_WELL = 0.8
"""Share of the due scans that is enough in any case; at a high speed those that are due lie further apart."""
SLOWEST = 0.1
"""Of the speed asked for; a computer that is busier than this cannot be helped by going slower."""
TOLD_BELOW = 0.8


def speed_for(wanted: float, served: float) -> float:
    """The speed at which scans that are served so well follow each other closely enough.

    Args:
        wanted: speed asked for [line s / s], > 0. served: share of the due scans that took place, 0..1.
    """
    enough = min(SERVED_WELL, LEAST_PERIOD_REAL_S * wanted / MOST_BETWEEN_S)
    return wanted * min(1.0, max(served / enough, SLOWEST))


class Scans:
    """Counts the scans that took place and those that fell due too soon after the one before."""

    def __init__(self, stations: Iterable[Station]) -> None:
        self._stations = list(stations)
        self._made, self._missed = self._counted()

    def _counted(self) -> tuple[int, int]:
        return sum(station.scans for station in self._stations), sum(station.missed for station in self._stations)

    def served(self) -> float:
        """Share of the scans since the last look that took place; 1 when none was due."""
        before, (self._made, self._missed) = (self._made, self._missed), self._counted()
        made, missed = self._made - before[0], self._missed - before[1]
        return made / (made + missed) if made + missed > 0 else 1.0


@contextlib.asynccontextmanager
async def paced(
    plant: asyncio.subprocess.Process, clock: Clock, stations: Iterable[Station], tell: Callable[[str], None]
) -> AsyncIterator[None]:
    """``clock`` follows this plant (``python -m simulator --paced``), and the plant waits for this controller.

    ``tell`` is told once when the computer is too busy for the clock's speed.
    """
    following = asyncio.create_task(_follow(plant, clock), name="plant's time")
    telling = asyncio.create_task(_keep_pace(plant, clock, Scans(stations), tell), name="pace")
    try:
        yield
    finally:
        for task in (following, telling):
            task.cancel()
        await asyncio.gather(following, telling, return_exceptions=True)
        clock.go_alone()
        if plant.stdin is not None:
            with contextlib.suppress(ConnectionError):
                plant.stdin.write(b"alone\n")
                await plant.stdin.drain()


async def _follow(plant: asyncio.subprocess.Process, clock: Clock) -> None:
    if plant.stdout is None:
        return
    zero: float | None = None  # line time at the plant's start
    before: tuple[float, float] | None = None
    async for line in plant.stdout:
        word, *figures = line.split()
        if word != b"TIME":
            continue
        plant_s, real = (float(figure) for figure in figures)
        if zero is None or before is None:
            age_s = clock.real() - real
            if age_s < WAITS_AFTER_S:  # what was told while the controller was being built is no news
                zero, before = clock.now() - age_s * clock.speed - plant_s, (plant_s, real)
            continue
        passed_s = real - before[1]
        if passed_s <= 0.0:
            continue
        clock.follow(zero + plant_s, real, min((plant_s - before[0]) / passed_s, clock.speed))
        before = (plant_s, real)
    clock.go_alone()  # the plant has ended: its faults shall have their consequences


async def _keep_pace(
    plant: asyncio.subprocess.Process, clock: Clock, scans: Scans, tell: Callable[[str], None]
) -> None:
    if plant.stdin is None:
        return
    wanted, looked_at, is_told = clock.speed, clock.real(), False
    with contextlib.suppress(ConnectionError):
        while True:
            plant.stdin.write(b"pace %.6g\n" % clock.speed)
            await plant.stdin.drain()
            await asyncio.sleep(TELL_EVERY_S)
            if clock.real() - looked_at < LOOK_EVERY_S:
                continue
            looked_at = clock.real()
            clock.speed = speed_for(wanted, scans.served())
            if clock.speed < TOLD_BELOW * wanted and not is_told:
                is_told = True
                tell(
                    f"This computer is too busy for {wanted:g} x real time: plant and controller go slower together, "
                    f"at {clock.speed:.0f} x now."
                )
