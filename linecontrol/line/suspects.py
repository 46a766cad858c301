"""Suspect intervals of the run in hand: deviations, and what was made while nobody looked, which is none of a limit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from linecontrol.guard.divert import Verdict
from linecontrol.guard.genealogy import Suspect
from linecontrol.history import DeviationRow


class SuspectLog:
    """``own`` are made of what the divert guard says on every tick where no deviation tells it: from its last good look
    until it is good again. ``others`` are deviations."""

    def __init__(self) -> None:
        self.run_id = ""
        self.own: list[Suspect] = []
        self.others: Sequence[Suspect] = ()
        self.last_good: float | None = None

    @property
    def all(self) -> list[Suspect]:
        return [*self.own, *self.others]

    def begin(self, run_id: str) -> None:
        self.run_id, self.own, self.others, self.last_good = run_id, [], (), None

    def note(self, verdict: Verdict, now: float, *, is_told: bool = False) -> None:
        """One look of the guard. ``is_told``: a deviation tells of what is suspect now."""
        current = self.own[-1] if self.own and self.own[-1].until is None else None
        if not verdict.deviations and verdict.suspect_kg <= 0.0:
            if current is not None:
                self.own[-1] = replace(current, until=now)
            self.last_good = now
        elif verdict.suspect_kg > 0.0 and current is None and self.run_id and not is_told:
            why = "; ".join(verdict.deviations.values()) or "made while nobody could look at it"
            since = now if self.last_good is None else self.last_good
            self.own.append(Suspect("bag", since, None, why, f"{self.run_id}-S{len(self.own) + 1:02d}"))

    def was_away(self, now: float) -> None:
        """Powder fell while the controller was away: from the last good look before it, nobody has seen it."""
        if self.own and self.own[-1].until is None:
            return  # what was suspect then still is
        since = now if self.last_good is None else self.last_good
        name = f"{self.run_id}-S{len(self.own) + 1:02d}"
        self.own.append(Suspect("bag", since, now, "made while the controller was away", name))

    def to_dict(self) -> dict[str, Any]:
        """For the run snapshot."""
        return {"own": [asdict(one) for one in self.own], "last_good": self.last_good}

    def restore(self, run_id: str, state: Mapping[str, Any]) -> None:
        self.begin(run_id)
        self.own = [Suspect(**one) for one in state["own"]]
        self.last_good = state["last_good"]


def suspect_of(row: DeviationRow) -> Suspect:
    """The suspect interval of a deviation: the way between the HACCP plan and the bags."""
    return Suspect(row.stage, row.since, row.until, _why(row), row.deviation_id, row.action, row.acted_by)


def _why(row: DeviationRow) -> str:
    """In signs, which need no language: ``CCP2-metal: 226.1 % > 100 %``."""
    if math.isnan(row.value):
        return f"{row.ccp}: ?"
    side = "" if not math.isfinite(row.limit) else f" {'<' if row.value < row.limit else '>'} {row.limit:g} {row.unit}"
    return f"{row.ccp}: {row.value:g} {row.unit}".rstrip() + side.rstrip()
