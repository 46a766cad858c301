"""Time comes from here, and only from here.

Two times, because a simulated plant may run faster than the wire it is behind:

* *line time* goes ``speed`` times as fast as the clock on the wall. Control, phases and records use it.
* *real time* is the wall's. Deadlines, heartbeats and reconnects use it: the wire does not run faster because the
  plant does. On a real plant, and in the one-process twin, the two are the same.

An event loop with virtual time (``loop.is_virtual``) makes both virtual.

A clock may *follow* the time of a simulated plant (``follow``). On a computer too busy for the speed that was asked
for, the plant falls behind; a controller with a clock of its own would then take longer over everything than the plant
does, and count what flows by for longer.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import NamedTuple

WAITS_AFTER_S = 0.15
"""Real time after which a plant or controller that hears nothing of the other stands still [s]: its processor is busy
elsewhere for a moment."""
WAITS_UNTIL_S = 2.0
"""Real time after which it goes on alone [s]: what lasts longer is a fault, and a fault shall have its consequences."""
CREEP = 0.01
"""Share of its rate at which a waiting clock goes on: nothing that divides by the time passed need know of it."""
MEETS_IN_S = 0.2
"""Real time in which a clock makes up for what it is ahead of or behind the plant it follows [s]."""

LEAST_SLEEP_S = 0.001


class Course(NamedTuple):
    """How line time goes on from one instant.

    Attributes:
        real: that instant [real monotonic s]. line: line time then [s]. rate: line seconds in a real second from there.
        waits: it creeps when it has not been told the plant's time for ``WAITS_AFTER_S``, and goes on at ``rate`` after
            ``WAITS_UNTIL_S``.
    """

    real: float
    line: float
    rate: float
    waits: bool = False

    def at(self, real: float) -> float:
        """Line time [s] at ``real``, an instant after this one."""
        passed = real - self.real
        if self.waits and passed > WAITS_AFTER_S:
            waited = min(passed, WAITS_UNTIL_S) - WAITS_AFTER_S
            passed -= waited * (1.0 - CREEP)
        return self.line + passed * self.rate


def course_to(here: float, plant: float, real: float, rate: float, speed: float) -> Course:
    """The course of a clock that shows ``here`` at ``real`` and shall agree with a plant that is at ``plant`` [line s]
    then and goes at ``rate``. It never goes back, and at most at twice ``speed``. Pure."""
    return Course(real, here, min(max(rate + (plant - here) / MEETS_IN_S, CREEP * speed), 2.0 * speed), waits=True)


class Clock:
    """Line time and real time, both monotonic.

    Args:
        speed: line seconds in one real second, > 0. What has the plant go slower for a while sets it anew.
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
        self._course = Course(self._start, time.time() if epoch is None else epoch, speed)
        self._wall_epoch = time.time()

    def real(self) -> float:
        """Monotonic real time [s], arbitrary zero."""
        return self._read()

    def now(self) -> float:
        """Line time [s since 1970, UTC]. Never steps, even when the wall clock is set."""
        real, line, rate, waits = course = self._course
        return course.at(self._read()) if waits else line + (self._read() - real) * rate  # asked all the time

    def wall(self) -> float:
        """Real UTC [s since 1970] as of the start plus monotonic time; device time stamps are compared with it."""
        return self._wall_epoch + (self.real() - self._start)

    def ahead_of_utc_s(self, at: float) -> float:
        """How far the clock on the wall of this computer's place is ahead of UTC at an instant [s since 1970, UTC].

        0 in virtual time: what is made there must not depend on where.
        """
        if self.is_virtual:
            return 0.0
        ahead = datetime.fromtimestamp(at, UTC).astimezone().utcoffset()
        return 0.0 if ahead is None else ahead.total_seconds()

    @property
    def follows(self) -> bool:
        """Whether it keeps with a plant's time."""
        return self._course.waits

    def follow(self, plant: float, real: float, rate: float) -> None:
        """Keep with a plant that was at line time ``plant`` [s] at ``real`` [real s] and goes at ``rate`` [line s / s].

        To be told about twenty times a second: without it line time soon creeps (``Course``).
        """
        at = self._read()
        age_s = min(max(at - real, 0.0), WAITS_AFTER_S)
        self._course = course_to(self._course.at(at), plant + age_s * rate, at, rate, self.speed)

    def go_alone(self) -> None:
        """Follow nobody any longer; go on at ``speed``."""
        at = self._read()
        self._course = Course(at, self._course.at(at), self.speed)

    def patience(self, line_s: float, least_real_s: float = 2.0) -> float:
        """A waiting time on faults [line s]: ``line_s``, but never less than ``least_real_s`` on the wall.

        Without it a hiccup of the machine would look like an outage on a line simulated at 100 times real time.
        At speed 1 nothing changes for waits above ``least_real_s``.
        """
        return max(line_s, least_real_s * self.speed) if self.speed > 1.0 else line_s

    async def sleep(self, line_s: float) -> None:
        """Sleep for ``line_s`` line seconds."""
        until = self.now() + line_s
        await asyncio.sleep(line_s / self.speed)
        while self.follows and (left_s := until - self.now()) > 0.0:  # noqa: ASYNC110 - it is time that is awaited
            await asyncio.sleep(max(left_s / self.speed, LEAST_SLEEP_S))
