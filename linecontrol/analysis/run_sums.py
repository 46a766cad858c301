"""Running sums of a run's streams: what each counter and weight went through, and each meter's mean by mass.

Nothing here knows a simulator or a file. Counters belong to the PLCs, so a controller that was away loses no mass; the
meters' means then rest on what was seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from linecontrol.analysis.extraction import Counter
from linecontrol.core.model import Sample


class StreamTags(Protocol):
    """Which tags a stream is measured by; see ``config.balance.BalanceStream``."""

    @property
    def totals(self) -> tuple[str, ...]: ...
    @property
    def change(self) -> str | None: ...


@dataclass(slots=True)
class Mean:
    """A meter's mean, weighted by the mass that passed. ``last``: its last good reading, which holds."""

    last: float | None = None
    weight: float = 0.0
    sum: float = 0.0

    def advance(self, sample: Sample, amount: float) -> None:
        reading = sample.number
        if reading == reading:  # not NaN
            self.last = reading
        if self.last is not None and amount > 0.0:
            self.weight += amount
            self.sum += amount * self.last

    @property
    def value(self) -> float | None:
        return self.sum / self.weight if self.weight > 0.0 else None


@dataclass(slots=True)
class Span:
    """A weight at the start and now; None = not read yet."""

    first: float | None = None
    last: float | None = None

    def advance(self, sample: Sample) -> None:
        reading = sample.number
        if not math.isnan(reading):
            self.last = reading
            if self.first is None:
                self.first = reading

    @property
    def change(self) -> float | None:
        return None if self.first is None or self.last is None else self.last - self.first


@dataclass(slots=True)
class RunSums:
    """Sums by tag. ``advance`` once per control tick; ``to_dict``/``from_dict`` across restarts.

    Attributes:
        totals: counters to follow. changes: weights to follow.
        means: (counter, meter): the meter's mean by the mass that counter counted.
    """

    totals: tuple[str, ...]
    changes: tuple[str, ...]
    means: tuple[tuple[str, str], ...]
    counters: dict[str, Counter] = field(default_factory=dict)
    spans: dict[str, Span] = field(default_factory=dict)
    sums: dict[str, Mean] = field(default_factory=dict)
    _is_new: bool = field(default=True, compare=False, repr=False)
    _keyed_means: list[tuple[str, str, str]] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        self._keyed_means = [(f"{counter} {meter}", counter, meter) for counter, meter in self.means]

    @property
    def tags(self) -> tuple[str, ...]:
        """Everything it looks at."""
        return tuple(dict.fromkeys((*self.totals, *self.changes, *(meter for _, meter in self.means))))

    def advance(self, samples: Mapping[str, Sample]) -> None:
        """Take in one look at the image."""
        if self._is_new:
            self._is_new = False
            self._begin()
        counters, spans, sums = self.counters, self.spans, self.sums
        grown = {name: counters[name].advance(samples[name]) for name in self.totals}
        for name in self.changes:
            spans[name].advance(samples[name])
        for key, counter, meter in self._keyed_means:
            sums[key].advance(samples[meter], grown[counter])

    def _begin(self) -> None:
        """From nothing, what no earlier controller has left sums of."""
        self.counters = {name: Counter() for name in self.totals} | self.counters
        self.spans = {name: Span() for name in self.changes} | self.spans
        self.sums = {f"{counter} {meter}": Mean() for counter, meter in self.means} | self.sums

    def total(self, name: str) -> float | None:
        """What the counter counted [its unit]; None = it was never read."""
        counter = self.counters.get(name)
        return None if counter is None or counter.last is None else counter.total

    def change(self, name: str) -> float | None:
        """End less start of a weight [its unit]; None = it was never read."""
        return self.spans[name].change if name in self.spans else None

    def mean(self, counters: tuple[str, ...], meter: str) -> float | None:
        """The meter's mean over what these counters counted [its unit]; None = nothing passed, or it was never good."""
        rows = [self.sums[key] for counter in counters if (key := f"{counter} {meter}") in self.sums]
        weight = math.fsum(row.weight for row in rows)
        return math.fsum(row.sum for row in rows) / weight if weight > 0.0 else None

    def to_dict(self) -> dict[str, Any]:
        """State for the run snapshot, JSON-able."""
        return {
            "counters": {k: [c.last, c.total, c.resets] for k, c in self.counters.items()},
            "spans": {k: [s.first, s.last] for k, s in self.spans.items()},
            "sums": {k: [m.last, m.weight, m.sum] for k, m in self.sums.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on with the sums a stopped controller had saved."""
        self._is_new = True
        self.counters = {k: Counter(*row) for k, row in state["counters"].items()}
        self.spans = {k: Span(*row) for k, row in state["spans"].items()}
        self.sums = {k: Mean(*row) for k, row in state["sums"].items()}


def sums_for(streams: Mapping[str, tuple[StreamTags, tuple[str, ...]]], more_totals: tuple[str, ...] = ()) -> RunSums:
    """Sums for these streams, each with the meters of its fractions; ``more_totals``: counters of no stream."""
    totals: dict[str, None] = {}
    changes: dict[str, None] = {}
    means: dict[tuple[str, str], None] = {}
    for tags, meters in streams.values():
        totals |= dict.fromkeys(tags.totals)
        if tags.change is not None:
            changes[tags.change] = None
        means |= dict.fromkeys((counter, meter) for counter in tags.totals for meter in meters)
    return RunSums(tuple(totals | dict.fromkeys(more_totals)), tuple(changes), tuple(means))
