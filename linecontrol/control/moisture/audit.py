"""Does the moisture meter agree with the heat balance? A slow watch for a drifting or fouled meter. Pure.

Once a minute it looks at what the models of moisture and outlet air leave unexplained, and shares it out among what may
have happened, by a Kalman filter:

    load     the load is not what its meters say: moisture and outlet move as for more water (known from the models)
    kinetics the same heat dries less: powder wetter and outlet warmer, as the heat balance ties them together
    wander   what the process did in the record too, seen by the meter only: it comes and goes
    bias     the meter itself: it comes and stays; what fouls a window grows steadily, so it has a rate
    outlet   the outlet's thermometer or heat losses

A change of the dryer shows in the outlet air, a meter that drifts does not. The filter's priors say how fast each is
thought to change; they are wide at the start, when nobody knows how the dryer has changed since commissioning.
"""

from __future__ import annotations

import math

import numpy as np

from linecontrol.control.moisture.model import DryerModel

LOOK_S = 60.0
# Random walks, per square root of an hour; and what is not known at the start [% wb; outlet K; rate % wb/h].
WALKS = {"load": 0.05, "kinetics": 0.05, "bias": 0.1, "outlet": 0.15, "rate": 0.2}
STARTS = {"load": 1.0, "kinetics": 2.0, "bias": 0.10, "outlet": 3.0, "rate": 0.4}
LARGEST_BIAS = 3.0
ACTED_SDS, ACTED_PCT = 0.4, 0.1  # the part of a bias beyond this is acted on: it costs little when it is none
TOLD_SDS, TOLD_PCT = 2.0, 0.5  # a bias beyond this is told to people
ROUGH_S = 1200.0  # over which it is learnt how well the models foretell a minute's mean


class MeterAudit:
    """The watch; ``available`` only where outlet air and heat balance were found at commissioning."""

    def __init__(self, model: DryerModel) -> None:
        self._noise = model.moisture.noise
        self.available = model.outlet is not None and model.balance_pct_per_k > 0.0
        outlet_noise = model.outlet.noise if model.outlet is not None else None
        self._outlet_var = 0.0
        if outlet_noise is not None:
            # What wanders for minutes is seen again at the next looks: each counts for less than a fresh one.
            keep = outlet_noise.keep(LOOK_S)
            again = (1.0 + keep) / (1.0 - keep)
            self._outlet_var = outlet_noise.level_sd**2 * again + outlet_noise.white_var(LOOK_S)
        # K of outlet air for 1 % wb by each cause
        k_load = 0.0
        if model.outlet is not None:
            cause = "water" if "water" in model.outlet.paths else "heat"
            per_pct = model.moisture.gain(cause)[0]
            k_load = model.outlet.gain(cause)[0] / per_pct if per_pct else 0.0
        k_kinetics = 1.0 / model.balance_pct_per_k if model.balance_pct_per_k > 0.0 else 0.0
        self._seen = np.array([[1.0, 1.0, 1.0, 1.0, 0.0, 0.0], [k_load, k_kinetics, 0.0, 0.0, 1.0, 0.0]])
        self.restart()
        self._rough = [1.0, 1.0]

    @property
    def bias(self) -> float:
        """Meter less powder, as far as it is told from the rest [% wb]."""
        return float(self.x[3])

    @property
    def bias_sd(self) -> float:
        """Its standard deviation [% wb]."""
        return math.sqrt(max(float(self.p[3, 3]), 0.0))

    @property
    def acted_bias(self) -> float:
        """The part of the bias to act on: 0 while it may well be nothing; continuous [% wb]."""
        beyond = abs(self.bias) - max(ACTED_PCT, ACTED_SDS * self.bias_sd)
        return math.copysign(min(beyond, LARGEST_BIAS), self.bias) if beyond > 0.0 else 0.0

    @property
    def is_told(self) -> bool:
        """Whether people should know."""
        return abs(self.bias) > max(TOLD_PCT, TOLD_SDS * self.bias_sd)

    def restart(self) -> None:
        """The laboratory has spoken: from now on the meter is believed, and watched anew."""
        self.x = np.zeros(6)
        self.p = np.diag(
            [
                STARTS["load"] ** 2,
                STARTS["kinetics"] ** 2,
                self._noise.level_sd**2,
                STARTS["bias"] ** 2,
                STARTS["outlet"] ** 2,
                STARTS["rate"] ** 2,
            ]
        )
        self._sums, self._counts, self._age_s = [0.0, 0.0], [0, 0], 0.0

    def step(self, moisture_left: float, outlet_left: float, dt_s: float) -> None:
        """What the models leave of a reading of each [% wb, K]; NaN = not measured or not to be used."""
        if not self.available:
            return
        for n, value in enumerate((moisture_left, outlet_left)):
            if math.isfinite(value):
                self._sums[n] += value
                self._counts[n] += 1
        self._age_s += dt_s
        if self._age_s >= LOOK_S:
            self._look()
            self._sums, self._counts, self._age_s = [0.0, 0.0], [0, 0], 0.0

    def _look(self) -> None:
        age_s = self._age_s
        keep, hours = self._noise.keep(age_s), age_s / 3600.0
        self.x[2] *= keep
        self.p[2, :] *= keep
        self.p[:, 2] *= keep
        self.p[2, 2] += self._noise.drive(age_s)
        self.x[3] += hours * self.x[5]
        self.p[3, :] += hours * self.p[5, :]
        self.p[:, 3] += hours * self.p[:, 5]
        for n, name in ((0, "load"), (1, "kinetics"), (3, "bias"), (4, "outlet"), (5, "rate")):
            self.p[n, n] += WALKS[name] ** 2 * hours
        noise = (self._noise.white_var(age_s) + 0.01, self._outlet_var + 0.01)
        share = 1.0 - math.exp(-age_s / ROUGH_S)
        for n in (0, 1):
            if self._counts[n]:
                h = self._seen[n]
                var = float(h @ self.p @ h) + noise[n] * self._rough[n]
                left = self._sums[n] / self._counts[n] - float(h @ self.x)
                # A model that is rougher than its record said makes its looks count for less.
                self._rough[n] = max(1.0, self._rough[n] * (1.0 + share * (min(left * left / var, 25.0) - 1.0)))
                gain = self.p @ h / var
                self.x += gain * left
                self.p -= np.outer(gain, h @ self.p)
        self.p = 0.5 * (self.p + self.p.T)
        self.x[3] = min(max(float(self.x[3]), -LARGEST_BIAS), LARGEST_BIAS)
