"""How much of a run's good powder may spoil in store, added up as it is bagged. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from linecontrol.guard.isotherm import Activity, Outlook


@dataclass(slots=True)
class SpoilageSums:
    """What a run's good powder was like: means by mass, and how much of it lay where."""

    kg: float = 0.0
    kg_activity: float = 0.0
    kg_above: float = 0.0
    kg_doubtful: float = 0.0
    kg_unknown: float = 0.0
    worst: float = 0.0
    worst_high: float = 0.0

    def add(self, activity: Activity, limit: float, good_kg: float) -> None:
        """``good_kg`` of good powder fell while the bag stood at this activity."""
        if good_kg <= 0.0:
            return
        outlook = activity.outlook(limit)
        self.kg += good_kg
        if outlook is Outlook.UNKNOWN:
            self.kg_unknown += good_kg
            return
        self.kg_activity += good_kg * activity.value
        self.kg_above += good_kg * (outlook is Outlook.ABOVE)
        self.kg_doubtful += good_kg * (outlook is Outlook.DOUBTFUL)
        self.worst, self.worst_high = max(self.worst, activity.value), max(self.worst_high, activity.high)

    def record(self, limit: float) -> dict[str, float | None]:
        """For the run record; None where no good powder was measured."""
        known_kg = self.kg - self.kg_unknown
        return {
            "limit": limit,
            "good_kg": round(self.kg, 3),
            "aw_mean": round(self.kg_activity / known_kg, 4) if known_kg > 0.0 else None,
            "aw_worst": round(self.worst, 4) if known_kg > 0.0 else None,
            "aw_worst_high": round(self.worst_high, 4) if known_kg > 0.0 else None,
            "above_kg": round(self.kg_above, 3),
            "doubtful_kg": round(self.kg_doubtful, 3),
            "unknown_kg": round(self.kg_unknown, 3),
        }
