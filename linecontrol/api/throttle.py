"""Counts failed tries in a sliding window. Pure: the time is handed in.

It stands before everything that judges a password or the first administrator's token, and before nothing else: whoever
is logged in is never slowed down by somebody else's tries.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable

WINDOW_S = 900.0
MOST_PER_DOOR = 10
"""Failures of one name from one address."""
MOST = 20
"""Failures of one name from anywhere, and of one address with any name."""
_FREE = 3  # tries before each further one must wait: 1 s, 2 s, 4 s ... up to a minute
_LONGEST_WAIT_S = 60.0
_KEYS = 10_000  # so much an attacker may fill with names of his own making


class Throttle:
    """How long the next try of a name from an address must wait."""

    def __init__(self) -> None:
        self._failures: dict[tuple[str, str], deque[float]] = {}

    def wait_s(self, name: str, address: str, now: float) -> float:
        """Seconds until a try is judged at all; 0 = now."""
        door = self._recent((name, address), now)
        waits = [_until_fewer(door, MOST_PER_DOOR, now)]
        waits += [_until_fewer(self._recent(key, now), MOST, now) for key in ((name, ""), ("", address))]
        if len(door) >= _FREE:
            waits.append(door[-1] + min(2.0 ** (len(door) - _FREE), _LONGEST_WAIT_S) - now)
        return max(0.0, *waits)

    def failed(self, name: str, address: str, now: float) -> None:
        """A try was judged and was wrong."""
        for key in self._keys(name, address):
            self._failures.setdefault(key, deque(maxlen=MOST)).append(now)
        if len(self._failures) > _KEYS:
            self._forget(now)

    def succeeded(self, name: str, address: str, tried_at: float) -> None:
        """The try of ``tried_at`` was right after all: it counts nowhere, and this name from this address begins anew.

        Wrong tries from elsewhere, and of other names from here, stay counted.
        """
        self._failures.pop((name, address), None)
        for key in ((name, ""), ("", address)):
            with contextlib.suppress(ValueError):
                self._failures.get(key, deque[float]()).remove(tried_at)

    def pardon(self, name: str) -> None:
        """A person with the right to has set a new password: whatever was tried under the old one is void."""
        for key in [key for key in self._failures if key[0] == name]:
            del self._failures[key]

    @staticmethod
    def _keys(name: str, address: str) -> Iterable[tuple[str, str]]:
        return {(name, address), (name, ""), ("", address)}

    def _recent(self, key: tuple[str, str], now: float) -> deque[float]:
        times = self._failures.get(key)
        if times is None:
            return deque()
        while times and times[0] <= now - WINDOW_S:
            times.popleft()
        return times

    def _forget(self, now: float) -> None:
        for key in list(self._failures):
            if not self._recent(key, now):
                del self._failures[key]
        while len(self._failures) > _KEYS:  # all of them fresh: those of single names go first, the addresses stay
            self._failures.pop(next((key for key in self._failures if key[0]), next(iter(self._failures))))


def _until_fewer(times: deque[float], most: int, now: float) -> float:
    return 0.0 if len(times) < most else times[-most] + WINDOW_S - now
