"""The bag that is being filled: what falls into it, tick by tick. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class OpenBag:
    """Sums over what has fallen in since ``opened_at`` [line s]. ``weights``: kg by step of the genealogy's grid."""

    number: int
    opened_at: float
    weight_kg: float = 0.0
    moist_kg: float = 0.0  # of it, with a moisture that was measured
    moisture_sum: float = 0.0
    moisture_max: float | None = None
    temp_kg: float = 0.0
    temp_sum: float = 0.0
    suspect_kg: float = 0.0
    unseen_kg: float = 0.0  # fell in while the controller was away
    weights: dict[int, float] = field(default_factory=dict)

    def fill(self, kg: float, step: int, moisture: float, temp_c: float) -> None:
        """``kg`` more, of this moisture [% wb] and temperature [°C]; NaN = not measured."""
        if kg <= 0.0:
            return
        self.weight_kg += kg
        self.weights[step] = self.weights.get(step, 0.0) + kg
        if not math.isnan(moisture):
            self.moist_kg += kg
            self.moisture_sum += kg * moisture
            self.moisture_max = moisture if self.moisture_max is None else max(self.moisture_max, moisture)
        if not math.isnan(temp_c):
            self.temp_kg += kg
            self.temp_sum += kg * temp_c

    @property
    def moisture_mean(self) -> float | None:
        """Weighted by mass; None = nothing of it was measured."""
        return self.moisture_sum / self.moist_kg if self.moist_kg > 0.0 else None

    @property
    def temp_c(self) -> float | None:
        return self.temp_sum / self.temp_kg if self.temp_kg > 0.0 else None

    def to_dict(self) -> dict[str, Any]:
        """For the run snapshot."""
        return {**asdict(self), "weights": {str(step): kg for step, kg in self.weights.items()}}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> OpenBag:
        return cls(**{**state, "weights": {int(step): kg for step, kg in state["weights"].items()}})
