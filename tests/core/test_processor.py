"""Short turns on the processor: for the thread that asks, and for it alone."""

import ctypes
import os
import platform
import struct
import threading

import pytest

from linecontrol.core.processor import take_short_turns

GET_ATTRIBUTES = {"x86_64": 315, "aarch64": 275, "riscv64": 275}


def turn_ns() -> int:
    """Of the calling thread; 0 = unknown to this system."""
    found = ctypes.create_string_buffer(56)
    number = GET_ATTRIBUTES.get(platform.machine())
    if number is None or ctypes.CDLL(None).syscall(number, 0, found, 56, 0) != 0:
        return 0
    return int(struct.unpack("=IIQiIQQQ", found.raw[:48])[5])


def test_turns_are_short_for_the_thread_that_asks_and_for_nothing_it_starts() -> None:
    seen: dict[str, int] = {}

    def ask() -> None:
        seen["before"] = turn_ns()
        take_short_turns()
        seen["after"] = turn_ns()
        child = threading.Thread(target=lambda: seen.update(child=turn_ns()))
        child.start()
        child.join()

    own = turn_ns()  # a `serve` that ran in this process earlier may have asked for short ones
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    if not seen["before"]:
        pytest.skip("this system has no turns of a thread's own (Linux before 6.12)")
    assert seen["after"] == 100_000 < seen["before"]
    assert seen["child"] == seen["before"]
    assert turn_ns() == own


def test_where_it_is_unknown_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "abacus")
    policy = os.sched_getscheduler(0)
    take_short_turns()
    assert os.sched_getscheduler(0) == policy
