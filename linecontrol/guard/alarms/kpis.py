"""Is the alarm system itself in order? The figures of ISA-18.2, part 16 (EEMUA 191), from what has come lately. Pure.

They count every alarm that came, also those that another one told of: floods are a property of the plant. How many a
person was told of is counted beside it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from linecontrol.guard.alarms.model import Priority

DAY_S = 86_400.0
TEN_MIN_S = 600.0
FLOOD_BEGINS, FLOOD_ENDS = 10, 5  # more than / fewer than, in ten minutes
MOST = 50_000


class Came(NamedTuple):
    """One alarm that came."""

    time: float
    name: str
    priority: Priority


@dataclass(frozen=True, slots=True)
class Flood:
    """A flood: more than ten alarms in ten minutes, until they are fewer than five."""

    began: float
    ended: float | None
    alarms: int


@dataclass(frozen=True, slots=True)
class Kpis:
    """Figures of one window of time.

    Attributes:
        hours: length of the window [h]. per_day: alarms, as if the window were a day.
        rate_10_min, peak_10_min: mean and largest number in ten minutes; peak_annunciated: of those a person was told.
        in_flood_pct: share of time in flood [%]. priorities: share of each [%]. top: the ten most frequent.
        chattering, stale: names of those standing now.
    """

    hours: float
    alarms: int
    annunciated: int
    per_day: float
    rate_10_min: float
    peak_10_min: int
    peak_annunciated: int
    last_10_min: int
    floods: Sequence[Flood]
    in_flood_pct: float
    is_flood: bool
    priorities: dict[str, float]
    top: Sequence[tuple[str, int]]
    chattering: Sequence[str]
    stale: Sequence[str]


class Log:
    """What came and what was annunciated, as many of each as are kept."""

    def __init__(self) -> None:
        self.came: deque[Came] = deque(maxlen=MOST)
        self.told: deque[Came] = deque(maxlen=MOST)
        self.began: float | None = None

    def note(self, one: Came) -> None:
        self.came.append(one)

    def note_told(self, one: Came) -> None:
        self.told.append(one)

    def kpis(self, now: float, window_s: float, chattering: Sequence[str], stale: Sequence[str]) -> Kpis:
        """Figures of the last ``window_s``, or of as long as there has been something to count [s]."""
        began = now if self.began is None else self.began
        span_s = max(1.0, min(window_s, now - began))
        came = [one for one in self.came if one.time > now - window_s]
        told = [one for one in self.told if one.time > now - window_s]
        floods = floods_of([one.time for one in came], now)
        flooded_s = sum((now if f.ended is None else f.ended) - f.began for f in floods)
        by_priority = Counter(one.priority for one in came)
        return Kpis(
            hours=span_s / 3600.0,
            alarms=len(came),
            annunciated=len(told),
            per_day=len(came) * DAY_S / max(span_s, 600.0),
            rate_10_min=len(came) * TEN_MIN_S / max(span_s, TEN_MIN_S),
            peak_10_min=peak([one.time for one in came]),
            peak_annunciated=peak([one.time for one in told]),
            last_10_min=sum(one.time > now - TEN_MIN_S for one in came),
            floods=floods,
            in_flood_pct=100.0 * flooded_s / span_s,
            is_flood=bool(floods) and floods[-1].ended is None,
            priorities={p.word: 100.0 * by_priority[p] / len(came) if came else 0.0 for p in Priority},
            top=Counter(one.name for one in came).most_common(10),
            chattering=chattering,
            stale=stale,
        )


def peak(times: Iterable[float]) -> int:
    """Most in any ten minutes; times in order [s]."""
    window: deque[float] = deque()
    most = 0
    for time in times:
        window.append(time)
        while time - window[0] >= TEN_MIN_S:
            window.popleft()
        most = max(most, len(window))
    return most


def floods_of(times: Sequence[float], now: float) -> list[Flood]:
    """The floods among alarms that came at these times, in order [s]."""
    steps = sorted([(time, 1) for time in times] + [(time + TEN_MIN_S, -1) for time in times if time + TEN_MIN_S < now])
    found: list[Flood] = []
    count, began, came = 0, None, 0
    for time, step in steps:
        count += step
        if began is None and count > FLOOD_BEGINS:
            began, came = time, count
        elif began is not None:
            came += step > 0
            if count < FLOOD_ENDS:
                found.append(Flood(began, time, came))
                began = None
    if began is not None:
        found.append(Flood(began, None, came))
    return found
