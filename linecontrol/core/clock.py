"""Time comes from here, and only from here.

Two times, because a simulated plant may run faster than the wire it is behind:

* *line time* goes ``speed`` times as fast as the clock on the wall. Control, phases and records use it.
* *real time* is the wall's. Deadlines, heartbeats and reconnects use it: the wire does not run faster because the
  plant does. On a real plant, and in the one-process twin, the two are the same.

An event loop with virtual time (``loop.is_virtual``) makes both virtual.
"""

from __future__ import annotations

import asyncio
import time


class Clock:
    """Line time and real time, both monotonic.

    Args:
        speed: line seconds in one real second, > 0.
        epoch: line time at the start [s since 1970, UTC]; default is the wall clock's. A restarted simulated line
            passes the last recorded time here, so that its records never go back.
    """

    def __init__(self, speed: float = 1.0, epoch: float | None = None) -> None:
        if not 0.0 < speed <= 10_000.0:
            raise ValueError(f"speed {speed} is not accepted (accepted: above 0, up to 10000)")
        loop = asyncio.get_running_loop()
        # uvloop's time() is a cached millisecond; only a virtual loop has a time of its own worth asking for
        self.is_virtual: bool = getattr(loop, "is_virtual", False)
        self._read = loop.time if self.is_virtual else time.monotonic
        self.speed = speed
        self._start = self._read()
        self._epoch = time.time() if epoch is None else epoch
        self._wall_epoch = time.time()

    def real(self) -> float:
        """Monotonic real time [s], arbitrary zero."""
        return self._read()

    def now(self) -> float:
        """Line time [s since 1970, UTC]. Never steps, even when the wall clock is set."""
        return self._epoch + (self._read() - self._start) * self.speed

    def wall(self) -> float:
        """Real UTC [s since 1970] as of the start plus monotonic time; device time stamps are compared with it."""
        return self._wall_epoch + (self.real() - self._start)

    def line_time_of(self, real: float) -> float:
        """Line time at which the real monotonic clock showed ``real`` [s]."""
        return self._epoch + (real - self._start) * self.speed

    def patience(self, line_s: float, least_real_s: float = 2.0) -> float:
        """A waiting time on faults [line s]: ``line_s``, but never less than ``least_real_s`` on the wall.

        Without it a hiccup of the machine would look like an outage on a line simulated at 100 times real time.
        At speed 1 nothing changes for waits above ``least_real_s``.
        """
        return max(line_s, least_real_s * self.speed) if self.speed > 1.0 else line_s

    async def sleep(self, line_s: float) -> None:
        """Sleep for ``line_s`` line seconds."""
        await asyncio.sleep(line_s / self.speed)
