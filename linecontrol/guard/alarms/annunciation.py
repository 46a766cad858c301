"""Which alarms are told: one cause, one annunciation; and never more than a person can take in. Pure.

An alarm that comes is *annunciated* (sound, banner), unless

* an alarm of its group with at least its priority, or one that its row says it follows from, stands and was
  annunciated: that one is its *first-out*, and tells of it (first-out, grouping by cause);
* it was annunciated within the last ten minutes and chatters, or nobody has acknowledged it since;
* ``BUDGET`` alarms have been annunciated within ten minutes already, none of a lower priority than this one (an alarm
  storm). It then waits for its turn, the most urgent first.

A critical alarm is always annunciated unless another critical one is its first-out. Whatever is not annunciated is
evaluated, listed and recorded like any other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from linecontrol.guard.alarms.model import AlarmRow, Priority

WINDOW_S = 600.0
BUDGET = 7  # with one more for each higher priority above these, at most ten, and the critical ones
LINGER_S = 60.0  # for so long after a first-out is gone, those it told of may still go by themselves


class Annunciator:
    """What was annunciated lately."""

    def __init__(self) -> None:
        self._told: deque[tuple[float, Priority]] = deque()
        self._told_of: dict[str, float] = {}

    def may(self, now: float, row: AlarmRow, *, again: bool) -> bool:
        """Whether this alarm is annunciated now, as far as sheer numbers go.

        ``again``: it is a nuisance, or was told of and never acknowledged.
        """
        self._forget(now)
        if again and now - self._told_of.get(row.name, -WINDOW_S) < WINDOW_S:
            return False
        if row.priority is Priority.CRITICAL or len(self._told) < BUDGET:
            return True
        return row.priority > max(priority for _, priority in self._told)

    def note(self, now: float, row: AlarmRow) -> None:
        """It was annunciated."""
        self._told.append((now, row.priority))
        self._told_of[row.name] = now

    def recent(self, now: float) -> int:
        """How many were annunciated within the last ten minutes."""
        self._forget(now)
        return len(self._told)

    def _forget(self, now: float) -> None:
        while self._told and now - self._told[0][0] >= WINDOW_S:
            self._told.popleft()


def explains(leader: AlarmRow, row: AlarmRow) -> bool:
    """Whether ``leader`` is a cause of ``row`` by what their rows say.

    A group never hides the more urgent alarm behind the less urgent one. ``follows`` may, for somebody has thought
    about these two; but a critical alarm is told of by another critical one only.
    """
    if leader.name == row.name or leader.priority < row.priority is Priority.CRITICAL:
        return False
    if row.group and leader.group == row.group and leader.priority >= row.priority:
        return True
    is_near = row.station == leader.station or ROOM in (row.station, leader.station)
    return is_near and bool(row.follows & words_of(leader))


def words_of(row: AlarmRow) -> frozenset[str]:
    """What ``follows`` of another row may call this one: its kind, the last part of its name, its name."""
    return frozenset({row.kind.value, row.name.rpartition(".")[2], row.name})


ROOM = "line"
"""The station of alarms that belong to no station: those of the line as a whole."""


def first_out(row: AlarmRow, standing: Mapping[str, AlarmRow]) -> str | None:
    """Name of the standing, annunciated alarm that tells of this one; the earliest of several."""
    return next((name for name, leader in standing.items() if explains(leader, row)), None)
