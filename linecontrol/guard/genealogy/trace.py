"""What the passage of a bag says: which root lots are in it, and which suspect intervals touch it. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from linecontrol.guard.genealogy.passage import Passage

UNKNOWN = "?"
"""The lot of roots that nobody has named."""


@dataclass(frozen=True, slots=True)
class LotUse:
    """From this time on [s], roots of this lot are tipped into the hopper, until the next use."""

    lot: str
    since: float


@dataclass(frozen=True, slots=True)
class Suspect:
    """What went through a place in a time is not to be trusted.

    Attributes:
        stage: the machine, or the station whose machines are all meant. since: [s]; the last check that was good.
        until: [s]; None = still so. why: as a sentence. id: unique on the line.
        action: the corrective action, empty = none yet; acted_by: who.
    """

    stage: str
    since: float
    until: float | None
    why: str
    id: str
    action: str = ""
    acted_by: str = ""

    @property
    def has_action(self) -> bool:
        return bool(self.action and self.acted_by)


def lots_in(passage: Passage, uses: Sequence[LotUse], first: str, least_share: float = 0.0) -> list[tuple[str, float]]:
    """Root lots of a bag and the share of each, largest first; shares add up to one.

    What came before the first use is ``?``; a use since ``-inf`` covers what was there before. Lots with less than
    ``least_share`` are left out and their shares given to the rest in proportion.

    Args:
        first: name of the machine the lots are tipped into.
    """
    spread, shares = passage.spreads[first], dict[str, float]()
    order = sorted(uses, key=lambda use: use.since)
    edges = [-math.inf, *(use.since for use in order), math.inf]
    for lot, since, until in zip([UNKNOWN, *(use.lot for use in order)], edges[:-1], edges[1:], strict=True):
        shares[lot] = shares.get(lot, 0.0) + spread.share_between(since, until)
    total = sum(shares.values())
    kept = {lot: share for lot, share in shares.items() if share > max(least_share, 1e-9) * total} if total else {}
    rest = sum(kept.values())
    if not rest:
        return [(UNKNOWN, 1.0)]
    return sorted(((lot, share / rest) for lot, share in kept.items()), key=lambda row: (-row[1], row[0]))


def touching(
    passage: Passage,
    suspects: Sequence[Suspect],
    machines_of: Mapping[str, Sequence[str]],
    least_share: float,
    margin_s: float = 0.0,
) -> list[tuple[Suspect, float]]:
    """Suspect intervals with at least this share of the bag (0..1), and the share of each.

    A stage that is a station means the worst of its machines; one that nobody knows means the bag itself, so that no
    suspect interval is lost over its name.

    Args:
        machines_of: machines by station and by measuring point at their inlet.
        margin_s: an interval reaches so much farther at either end: no time of passage is known better.
    """
    found = []
    for suspect in suspects:
        until = math.inf if suspect.until is None else suspect.until
        names = machines_of.get(suspect.stage, (suspect.stage,))
        known = [passage.spreads[name] for name in names if name in passage.spreads]
        spreads = known or list(passage.spreads.values())
        share = max(spread.share_between(suspect.since - margin_s, until + margin_s) for spread in spreads)
        if share >= least_share and share > 0.0:
            found.append((suspect, share))
    return found
