"""What people are told of the flags of each scan: no more often than they can read. Pure; nothing acts on it here."""

from __future__ import annotations

from collections.abc import Sequence

LASTS_S = 60.0  # how long a flag that comes and goes from scan to scan is told after it was last up
COME_AND_GO = frozenset({"limited", "held", "wear"})  # they follow the output: no one acts on their end
MOMENTARY = frozenset({"nir-spike"})  # over when it is told: no event


class Told:
    """Flags as they are told, and what changed."""

    def __init__(self) -> None:
        self.flags: tuple[str, ...] = ()
        self._left_s: dict[str, float] = {}

    def step(self, flags: Sequence[str], dt_s: float) -> tuple[str, ...]:
        """A scan's flags; returns the events of it, a sentence each."""
        left_s = {flag: left - dt_s for flag, left in self._left_s.items() if left > dt_s}
        left_s |= {flag: LASTS_S for flag in flags if flag in COME_AND_GO}
        self._left_s, before = left_s, self.flags
        self.flags = tuple(dict.fromkeys((*flags, *left_s)))
        if self.flags == before:
            return ()
        began = tuple(f"{flag} began" for flag in self.flags if flag not in before and flag not in MOMENTARY)
        return began + tuple(f"{flag} ended" for flag in before if flag not in self.flags and flag not in MOMENTARY)
