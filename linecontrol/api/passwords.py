"""Passwords: argon2id, one at a time, in a thread that steps back for everything else on the machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from linecontrol.core.errors import ConfigError, Problem, StateError

T = TypeVar("T")

SHORTEST, LONGEST = 8, 128
COST: dict[str, Any] = {"time_cost": 3, "memory_cost": 65_536, "parallelism": 1}
"""Some 100 ms of one core, 64 MiB."""
_WAITING_MOST = 16
_NICENESS = 10
_USUAL = frozenset(
    {
        "12345678",
        "123456789",
        "1234567890",
        "87654321",
        "11111111",
        "00000000",
        "88888888",
        "66666666",
        "password",
        "password1",
        "passw0rd",
        "qwertyui",
        "qwerty123",
        "qwertyuiop",
        "1q2w3e4r",
        "1qaz2wsx",
        "abcd1234",
        "abc12345",
        "a1234567",
        "iloveyou",
        "linecontrol",
        "admin123",
        "administrator",
        "operator",
        "woaini520",
        "5201314a",
        "asdfghjk",
        "zxcvbnm1",
        "letmein1",
        "welcome1",
        "changeme",
    }
)


def check_new(password: str, name: str) -> None:
    """Raises ConfigError when nobody should have this password."""
    plain = _same(password)
    problem = None
    if not SHORTEST <= len(plain) <= LONGEST:
        problem = f"of {len(plain)} characters is not accepted"
    elif (low := plain.casefold()) in _USUAL or len(set(plain)) < 4 or low in (name.casefold(), name.casefold() * 2):
        problem = "is one of the first that anybody would try"
    if problem is not None:
        accepted = f"{SHORTEST} to {LONGEST} characters, not a usual one, not your name"
        raise ConfigError([Problem("", None, "password", f"this password {problem}", accepted)])


class Passwords:
    """Makes and judges hashes. One core at most, and 64 MiB, however many ask."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher(**COST)
        self._thread = ThreadPoolExecutor(1, "passwords", _step_back)
        self._waiting = 0
        self._nobodys: str | None = None

    async def hashed(self, password: str) -> str:
        """A new hash, with a salt of its own."""
        return await self._do(lambda: self._hasher.hash(_same(password)))

    async def is_right(self, password: str, found: str | None) -> bool:
        """Whether ``password`` is that of the hash ``found``. None, of nobody, takes as long and is never right."""
        return await self._do(lambda: self._judge(password, found))

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _judge(self, password: str, found: str | None) -> bool:
        if self._nobodys is None:
            self._nobodys = self._hasher.hash(os.urandom(16).hex())
        try:
            self._hasher.verify(found or self._nobodys, _same(password)[: 4 * LONGEST])
        except (VerificationError, InvalidHashError):
            return False
        return bool(found)

    async def _do(self, work: Callable[[], T]) -> T:
        if self._waiting >= _WAITING_MOST:
            raise StateError("too many are logging in at once; try again in a few seconds")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1


def _same(password: str) -> str:
    """One spelling for what looks the same: input methods differ in how they compose letters."""
    return unicodedata.normalize("NFC", password)


def _step_back() -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))  # also below a real-time controller
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
