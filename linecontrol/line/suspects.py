"""Suspect intervals of the run in hand: those the divert guard makes, and deviations that are on record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from linecontrol.guard.divert import Verdict
from linecontrol.guard.genealogy import Suspect


class SuspectLog:
    """Made of what the divert guard says on every tick: from its last good look until its deviations are over."""

    def __init__(self) -> None:
        self.run_id = ""
        self.own: list[Suspect] = []
        self.others: Sequence[Suspect] = ()
        self._last_good: float | None = None

    @property
    def all(self) -> list[Suspect]:
        return [*self.own, *self.others]

    def begin(self, run_id: str) -> None:
        self.run_id, self.own, self.others, self._last_good = run_id, [], (), None

    def note(self, verdict: Verdict, now: float) -> None:
        """One look of the guard."""
        current = self.own[-1] if self.own and self.own[-1].until is None else None
        if not verdict.deviations and verdict.suspect_kg <= 0.0:
            if current is not None:
                self.own[-1] = replace(current, until=now)
            self._last_good = now
        elif verdict.suspect_kg > 0.0 and current is None and self.run_id:
            why = "; ".join(verdict.deviations.values()) or "made while nobody could look at it"
            since = now if self._last_good is None else self._last_good
            self.own.append(Suspect("bag", since, None, why, f"{self.run_id}-S{len(self.own) + 1:02d}"))

    def to_dict(self) -> dict[str, Any]:
        """For the run snapshot."""
        return {"own": [asdict(one) for one in self.own], "last_good": self._last_good}

    def restore(self, run_id: str, state: Mapping[str, Any]) -> None:
        self.begin(run_id)
        self.own = [Suspect(**one) for one in state["own"]]
        self._last_good = state["last_good"]


def suspects_of_rows(rows: Sequence[Mapping[str, Any]]) -> list[Suspect]:
    """Suspect intervals from rows of a table ``deviation``: the way between the critical limits and the bags."""
    return [
        Suspect(
            stage=str(row.get("stage") or ""),
            since=float(row["since"]),
            until=None if row.get("until") is None else float(row["until"]),
            why=_why(row),
            id=str(row["deviation_id"]),
            action=str(row.get("action") or ""),
            acted_by=str(row.get("acted_by") or ""),
        )
        for row in rows
    ]


def _why(row: Mapping[str, Any]) -> str:
    value, limit, unit = row.get("value"), row.get("limit"), row.get("unit") or ""
    measured = "not measured" if value is None else f"{value:g} {unit}".strip()
    return f"{row.get('ccp')}: {measured}" + ("" if limit is None else f", limit {limit:g} {unit}".rstrip())
