"""How soon this thread gets a processor when it wakes and others are at work."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

_SET_ATTRIBUTES = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
"""Number of the system call sched_setattr(2), by machine."""

_RESET_ON_FORK = 1
_SLICE_NS = 100_000  # the shortest there is


def take_short_turns() -> None:
    """Ask for turns of 0.1 ms instead of 3 ms for the calling thread; needs no privilege.

    Linux since 6.12 serves a waking thread the sooner the shorter its turns are (EEVDF, sched_setattr(2)): a scan need
    not wait until another program's turn is over. It gets no larger share by it. Threads and processes that it starts
    have turns as usual. Elsewhere nothing changes.
    """
    number = _SET_ATTRIBUTES.get(platform.machine())
    if sys.platform != "linux" or number is None or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    attributes = struct.pack("=IIQiIQQQ", 48, os.SCHED_OTHER, _RESET_ON_FORK, nice, 0, _SLICE_NS, 0, 0)
    ctypes.CDLL(None).syscall(number, 0, attributes, 0)  # refused: as before
