"""A drift-free beat for scans.

Missed-tick policy: skip and resync. Ticks are due at start + k * period, exactly; one that could not be served is
counted and skipped, never made up in a burst. Never early.

On Linux the beat comes from a timerfd in the event loop: asyncio's own timers round up to a millisecond, uvloop's
down. Elsewhere, and in virtual time, it falls back to the loop's timer.
"""

from __future__ import annotations

import asyncio
import ctypes
import math
import os
import struct
import sys
import time
from typing import NamedTuple, Protocol, Self

from linecontrol.core.clock import Clock


class Tick(NamedTuple):
    """One beat: its number, when it was due [real monotonic s], and how many before it were skipped."""

    number: int
    due: float
    missed: int


def next_due(start: float, period_s: float, last_index: int, now: float) -> tuple[int, int]:
    """Index of the first tick due after ``now`` and after ``last_index``, and how many were skipped between.

    A tick due exactly at ``now`` counts as due now (it is not skipped). Pure; the policy of every ticker here.
    """
    first_ahead = math.ceil((now - start) / period_s - 1e-9)
    index = max(last_index + 1, first_ahead)
    return index, index - last_index - 1


class Ticker(Protocol):
    missed: int

    async def next(self) -> Tick: ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class LoopTicker:
    """Beat by the event loop's timer: portable, and right in virtual time."""

    def __init__(self, period_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._period_s = period_s
        self._start = self._loop.time()
        self._index = 0
        self.missed = 0

    async def next(self) -> Tick:
        now = self._loop.time()
        index, missed = next_due(self._start, self._period_s, self._index, now)
        self._index = index
        self.missed += missed
        due = self._start + index * self._period_s
        while now < due:  # a timer may fire early, this one never does
            waiter = self._loop.create_future()
            timer = self._loop.call_at(due, _wake, waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                timer.cancel()
                raise
            now = self._loop.time()
        return Tick(index, due, missed)

    def close(self) -> None:
        """Nothing to let go of."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


_CLOCK_MONOTONIC, _ABSOLUTE = 1, 1
_NONBLOCK_CLOEXEC = os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)


class TimerfdTicker:
    """Beat by the kernel's timerfd: late by no more than the wake-up, whichever event loop is used."""

    def __init__(self, period_s: float) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        fd = libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK_CLOEXEC)
        if fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._fd: int = fd
        self._loop = asyncio.get_running_loop()
        self._period_s = period_s
        self._start = time.monotonic()
        self._expired = 0
        self._served = 0
        self._waiter: asyncio.Future[None] | None = None
        self.missed = 0
        first = self._start + period_s
        spec = struct.pack("qqqq", *_split(period_s), *_split(first))
        if libc.timerfd_settime(fd, _ABSOLUTE, spec, None) < 0:
            os.close(fd)
            raise OSError(ctypes.get_errno(), "timerfd_settime")
        self._loop.add_reader(fd, self._on_expiry)

    def _on_expiry(self) -> None:
        try:
            self._expired += int(struct.unpack("Q", os.read(self._fd, 8))[0])
        except BlockingIOError:
            return
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def next(self) -> Tick:
        # expiries that passed while nobody waited are skipped; the kernel may know of some the loop has not seen
        skipped_until = max(self._expired, int((time.monotonic() - self._start) / self._period_s))
        while self._expired <= skipped_until:
            self._waiter = self._loop.create_future()
            await self._waiter
        missed = self._expired - self._served - 1
        self._served = self._expired
        self.missed += missed
        return Tick(self._expired, self._start + self._expired * self._period_s, missed)

    def close(self) -> None:
        """Take the timer out of the loop. May be called twice."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def _split(seconds: float) -> tuple[int, int]:
    whole = int(seconds)
    return whole, round((seconds - whole) * 1e9)


def ticker(clock: Clock, line_s: float, least_real_s: float = 0.0) -> Ticker:
    """A beat every ``line_s`` line seconds, but not faster than every ``least_real_s`` real seconds."""
    period_s = max(line_s / clock.speed, least_real_s)
    if sys.platform == "linux" and not clock.is_virtual:
        return TimerfdTicker(period_s)
    return LoopTicker(period_s)
