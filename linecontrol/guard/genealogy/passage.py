"""When the powder of one bag was in every machine: what a bag remembers for ever. Pure.

With it, what is learnt hours later (a deviation since 10:40, another lot in the hopper than was written down) can be
asked of bags that are long closed, without looking at any measurement again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEAST = 1e-6  # of a bag: less in a step is put to the step beside it
MOST_BINS = 120


@dataclass(frozen=True, slots=True)
class Spread:
    """Shares of a bag over the time its powder came to one place.

    Attributes:
        start: begin of the first bin [s]. step_s: length of a bin. shares: of the bag, by bin; older: what came before.
    """

    start: float
    step_s: float
    shares: Array
    older: float

    @classmethod
    def of(cls, start: float, step_s: float, shares: Array, older: float) -> Spread:
        """Without the empty bins at its ends, and in at most 120 bins."""
        there = np.flatnonzero(shares > LEAST)
        if not len(there):
            return cls(start, step_s, np.zeros(0), older + float(shares.sum()))
        first, last = int(there[0]), int(there[-1])
        before, kept, after = (
            float(shares[:first].sum()),
            shares[first : last + 1].copy(),
            float(shares[last + 1 :].sum()),
        )
        kept[0] += before
        kept[-1] += after
        every = -(-len(kept) // MOST_BINS)
        if every > 1:  # made whole at the begin: the last bin must not reach into the future
            first -= -len(kept) % every
            kept = np.concatenate((np.zeros(last + 1 - first - len(kept)), kept)).reshape(-1, every).sum(axis=1)
        return cls(start + first * step_s, step_s * every, kept, older)

    def share_between(self, since: float, until: float) -> float:
        """Share of the bag (0..1) that came here in [since, until), within a bin evenly.

        What is older than all that is recorded counts to the interval in which the record begins.
        """
        older = self.older if since <= self.start < until else 0.0
        if not len(self.shares):
            return older
        edges = self.start + self.step_s * np.arange(len(self.shares) + 1)
        upto = np.concatenate(([0.0], np.cumsum(self.shares)))
        low, high = np.interp([since, until], edges, upto)
        return float(max(high - low, 0.0)) + older

    @property
    def mean(self) -> float:
        """Mean time [s] at which it came here; NaN when all of it is older."""
        total = float(self.shares.sum())
        middles = self.start + self.step_s * (np.arange(len(self.shares)) + 0.5)
        return float(middles @ self.shares) / total if total > 0.0 else float("nan")


@dataclass(frozen=True, slots=True)
class Passage:
    """A spread for each machine the powder came through, and for the bag itself."""

    spreads: Mapping[str, Spread]

    def as_json(self) -> dict[str, Any]:
        """{machine: [start, step, older, shares…]}, times to the tenth of a second, shares to a millionth."""
        return {
            name: [round(one.start, 1), one.step_s, round(one.older, 6), *(round(float(s), 6) for s in one.shares)]
            for name, one in self.spreads.items()
        }

    @classmethod
    def from_json(cls, rows: Mapping[str, Any]) -> Passage:
        return cls({name: Spread(row[0], row[1], np.array(row[3:], float), row[2]) for name, row in rows.items()})
