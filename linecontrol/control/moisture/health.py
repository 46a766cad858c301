"""May the predictive controller go on? Judged by how well the estimator foretells the meter. Pure."""

from __future__ import annotations

import math

AVERAGE_S = 180.0
WORST, GOOD = 9.0, 3.0  # mean square of innovations over their expected variance: to fall back, to come back
PATIENCE_S, RECOVERY_S = 60.0, 600.0


class Health:
    """Falls back when the model no longer fits for a minute, comes back after ten good ones."""

    def __init__(self) -> None:
        self.ratio, self._bad_s, self._good_s, self.ok = 1.0, 0.0, 0.0, True

    def step(self, innovation: float, innovation_sd: float, dt_s: float) -> bool:
        """One scan; NaN = no reading, nothing is learnt. Returns whether the estimator may be trusted."""
        if math.isfinite(innovation) and innovation_sd > 0.0:
            share = 1.0 - math.exp(-dt_s / AVERAGE_S)
            self.ratio += share * ((innovation / innovation_sd) ** 2 - self.ratio)
        self._bad_s = self._bad_s + dt_s if self.ratio > WORST else 0.0
        self._good_s = self._good_s + dt_s if self.ratio < GOOD else 0.0
        if self.ok and self._bad_s > PATIENCE_S:
            self.ok = False
        elif not self.ok and self._good_s > RECOVERY_S:
            self.ok = True
        return self.ok
