"""Alarms that are a nuisance: chattering, fleeting and stale ones. Shelving them is proposed, never done.

Pure; what is counted lies in the alarm's own short memory.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

CHATTER_TIMES, CHATTER_S = 3, 60.0  # so often within this
FLEETING_S = 10.0  # gone again before anybody could have acted
FLEETING_TIMES, FLEETING_WITHIN_S = 3, 600.0
QUIET_S = 600.0  # a proposal is withdrawn after so long without another
STALE_S = 86_400.0  # standing for longer than a day


class Nuisance(StrEnum):
    CHATTERING = "chattering"
    FLEETING = "fleeting"


class Habit:
    """How one alarm has come and gone lately."""

    __slots__ = ("_came", "_fleeting", "_last", "nuisance")

    def __init__(self) -> None:
        self._came: deque[float] = deque(maxlen=CHATTER_TIMES)
        self._fleeting: deque[float] = deque(maxlen=FLEETING_TIMES)
        self._last = 0.0
        self.nuisance: Nuisance | None = None

    def came(self, now: float) -> None:
        self._last = now
        self._came.append(now)
        if len(self._came) == CHATTER_TIMES and now - self._came[0] <= CHATTER_S:
            self.nuisance = Nuisance.CHATTERING

    def went(self, now: float) -> None:
        if self._came and now - self._came[-1] < FLEETING_S:
            self._fleeting.append(now)
            if len(self._fleeting) == FLEETING_TIMES and now - self._fleeting[0] <= FLEETING_WITHIN_S:
                self.nuisance = self.nuisance or Nuisance.FLEETING

    def is_over(self, now: float) -> bool:
        """True once, when it has been quiet for long enough that nothing is proposed any more."""
        if self.nuisance is None or now - self._last < QUIET_S:
            return False
        self.nuisance = None
        self._came.clear()
        self._fleeting.clear()
        return True
