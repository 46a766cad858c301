"""The process image: the latest sample of every tag, and the one hub through which samples flow.

Feeds receive whole scans (one station, one instant). Their full-buffer policy is in their type:
LosslessFeed never drops; LiveFeed drops the oldest and counts; DirectFeed hands on at once.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from linecontrol.core.model import NO_DATA, Sample, Status, Tag


class Scan(NamedTuple):
    """All samples one station published at one instant; ``time`` is when its device answered [line time]."""

    station: str
    time: float
    samples: Mapping[str, Sample]


class _Feed:
    def __init__(self) -> None:
        self._ready = asyncio.Event()
        self._scans: deque[Scan] = deque()
        self.dropped = 0

    def offer(self, scan: Scan) -> None:
        self._scans.append(scan)
        self._ready.set()

    def drain(self) -> list[Scan]:
        """All waiting scans, oldest first, without waiting."""
        scans = list(self._scans)
        self._scans.clear()
        self._ready.clear()
        return scans

    async def take(self) -> list[Scan]:
        """Wait for at least one scan, then return all that wait, oldest first."""
        while not self._scans:
            self._ready.clear()
            await self._ready.wait()
        return self.drain()

    def __len__(self) -> int:
        return len(self._scans)


class LosslessFeed(_Feed):
    """Full-buffer policy: never drops (the reader must spool)."""


class DirectFeed(_Feed):
    """Full-buffer policy: nothing waits. Each scan is handed on as it is published, for a reader that is always at
    once done with it."""

    def __init__(self, reader: Callable[[Scan], None]) -> None:
        super().__init__()
        self._reader = reader

    def offer(self, scan: Scan) -> None:
        self._reader(scan)


class LiveFeed(_Feed):
    """Full-buffer policy: drops the oldest scan, and counts it."""

    def __init__(self, size: int = 256) -> None:
        super().__init__()
        self._size = size

    def offer(self, scan: Scan) -> None:
        if len(self._scans) >= self._size:
            self._scans.popleft()
            self.dropped += 1
        super().offer(scan)


class ProcessImage:
    """Latest sample of every tag of the line."""

    def __init__(self, tags: Iterable[Tag]) -> None:
        self.tags: dict[str, Tag] = {}
        for tag in tags:
            if tag.name in self.tags:
                raise ValueError(f"tag {tag.name} is given twice")
            self.tags[tag.name] = tag
        self._latest: dict[str, Sample] = dict.fromkeys(self.tags, NO_DATA)
        self._stale_after: dict[str, float] = {}
        self._answered: dict[str, float] = {}
        self._all_answer_at = math.nan  # a time [line time] at which no station was silent
        self._seen: tuple[float, Mapping[str, Sample]] | None = None  # a time at which one was, and what ``as_of`` gave
        self._feeds: list[_Feed] = []
        self.published = 0

    def set_stale_after(self, station: str, line_s: float) -> None:
        """A station whose device has not answered for ``line_s`` is BAD when read with ``at``."""
        self._stale_after[station] = line_s
        self._all_answer_at, self._seen = math.nan, None

    def publish(self, scan: Scan) -> None:
        """Replace the latest samples and offer the scan to every feed. Unknown names are an error."""
        latest = self._latest
        latest.update(scan.samples)
        if len(latest) != len(self.tags):  # seen afterwards: asking for each name of each scan takes longer than this
            unknown = latest.keys() - self.tags.keys()
            for name in unknown:
                del latest[name]
            raise KeyError(min(unknown))
        self._answered[scan.station] = scan.time
        self._all_answer_at, self._seen = math.nan, None
        self.published += len(scan.samples)
        for feed in self._feeds:
            feed.offer(scan)

    def latest(self, name: str) -> Sample:
        """Latest sample as published. Raises KeyError for an unknown tag."""
        return self._latest[name]

    def answered(self, name: str) -> float:
        """When the tag's station last answered [line time], whether or not the value changed; 0 = never."""
        return self._answered.get(self.tags[name].station, 0.0)

    def at(self, name: str, now: float) -> Sample:
        """Latest sample as it may be acted on at ``now`` [line time]: BAD without value when its station is silent.

        Silence is counted from the station's last answer, not from the value's own stamp: a device may stamp a
        value only when it changes. The last-known value is never passed on as if it were good.
        """
        sample = self._latest[name]
        if now == self._all_answer_at or self._do_all_answer(now):
            return sample
        station = self.tags[name].station
        limit = self._stale_after.get(station)
        if limit is not None and sample.is_good and now - self._answered.get(station, 0.0) > limit:
            return Sample(None, Status.BAD_NO_COMMUNICATION, sample.time)
        return sample

    def as_of(self, now: float) -> Mapping[str, Sample]:
        """All samples as ``at`` gives them, for one look at many; to be read at once and not kept."""
        if self._do_all_answer(now):
            return self._latest
        if self._seen is None or self._seen[0] != now:  # the many looks of one cycle are at one moment
            self._seen = (now, self.snapshot(now))
        return self._seen[1]

    def _do_all_answer(self, now: float) -> bool:
        """Whether no station is silent; looked up once for the many looks at one moment."""
        if now == self._all_answer_at:
            return True
        for station, limit in self._stale_after.items():
            if now - self._answered.get(station, 0.0) > limit:
                return False
        self._all_answer_at = now
        return True

    def snapshot(self, now: float) -> dict[str, Sample]:
        """Every tag as of ``now``."""
        return {name: self.at(name, now) for name in self._latest}

    def attach(self, feed: _Feed) -> None:
        self._feeds.append(feed)

    def detach(self, feed: _Feed) -> None:
        if feed in self._feeds:
            self._feeds.remove(feed)
