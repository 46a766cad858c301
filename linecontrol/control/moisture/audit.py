"""Does the moisture meter agree with the heat balance? A slow watch for a drifting or fouled meter. Pure.

Once a minute it looks at what the models of moisture and outlet air leave unexplained, and shares it out among what may
have happened, by a Kalman filter:

    load     the load is not what its meters say: moisture and outlet move as for more water (known from the models)
    kinetics the same heat dries less: powder wetter and outlet warmer, as the heat balance ties them together
    swing    kinetics that come and go: air, starch and humidity are not the same from one hour to the next
    wander   what the process did in the record too: it comes and goes; the outlet has its share as it had it there
    bias     the meter itself: it comes and stays; what fouls a window grows steadily, so it has a rate
    effects  each input does more or less to moisture and outlet than commissioning found (each apart: walls, and
             curves that the record did not show)
    outlet   the outlet's thermometer or heat losses; what comes and goes there as it did in the record is apart

A change of the dryer shows in the outlet air, a meter that drifts does not. The filter's priors say how fast each is
thought to change; they are wide at the start, when nobody knows how the dryer has changed since commissioning. What
changes within minutes is taken for the dryer until the outlet air, whose walls are slow, has spoken: a window fouls in
hours. Of a bias that people have not been told of, no more than a little is acted on.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np

from linecontrol.control.moisture.model import DryerModel, OutputModel
from linecontrol.control.moisture.noise import LevelNoise

LOOK_S = 60.0
# Random walks, per square root of an hour; and what is not known at the start [% wb; outlet K; rate % wb/h].
WALKS = {"load": 0.2, "kinetics": 0.1, "bias": 0.1, "outlet": 0.15, "rate": 0.2}
STARTS = {"load": 1.0, "kinetics": 2.0, "bias": 0.10, "outlet": 3.0, "rate": 0.4}
FAST_S, FAST_PCT = 600.0, 0.13  # what the moisture does within so long beyond so much is too fast for a fouling window
WALLS_S = 1800.0  # how long the outlet air may take to show it
FREED = 8.0  # variance that kinetics then gain in that time, per square of it: the outlet is heard before the meter
EFFECT_START, EFFECT_WALK = 0.15, 0.05  # of an input's effect: least doubt, and per square root of an hour
OUTLET_EFFECT_START = 0.1  # of an input's effect on the outlet
SWING_PCT, SWING_S = 0.12, 3600.0  # kinetics that come and go [% wb], and how long
LARGEST_BIAS = 3.0
TRUSTED_SDS = 3.0  # a laboratory value further than this from what the watch believes is believed instead of it
ACTED_SDS, ACTED_PCT, WHOLE_SDS = 1.0, 0.2, 1.5  # a bias is acted on beyond the first two, wholly beyond the last,
QUIET_PCT = 0.5  # but with no more than this before people are told of it
TOLD_SDS, TOLD_PCT = 2.0, 0.5  # a bias beyond this is told to people,
WHOLE_TOLD = 1.25  # acted on wholly beyond so many times that,
NO_LONGER = 0.8  # and told until it is less than this share of it
SHARED_WELL = 0.7  # correlation of moisture and outlet from which the one tells the other
SHIFT_MIN = 480
ROUGH_S = 1200.0  # over which it is learnt how well the models foretell a minute's mean


class MeterAudit:
    """The watch; ``available`` where the outlet air, or at least cake moisture and feed rate, are measured. Without the
    outlet air it is only known how steady this dryer was in its record: what goes on for hours is held against the
    meter.
    """

    def __init__(self, model: DryerModel) -> None:
        self._model, self._noise = model, model.moisture.noise
        # A load comes back to its mean; the walk that stands in for one that nobody measures would not.
        spreads = [model.moisture.gain(name)[0] * noise.level_sd for name, noise in model.inputs.items()]
        self._most_unseen = STARTS["load"] ** 2 + math.fsum((2.0 * spread) ** 2 for spread in spreads)
        self.available = model.outlet is not None or model.knows_loads
        self._outlet_noise: LevelNoise | None = None
        self._way_s = self._t_s = 0.0
        self._on_its_way: deque[tuple[float, float, dict[str, float]]] = deque()  # what the outlet told, and when
        if model.outlet is not None:  # what it shares with the moisture is told apart
            noise = model.outlet.noise
            alone_sd = noise.level_sd * math.sqrt(max(1.0 - model.shared**2, 0.0))
            self._outlet_noise = LevelNoise(noise.corr_s, alone_sd, noise.white)
            self._way_s = max(model.moisture.way_s - model.outlet.way_s, 0.0)
        # K of outlet air for 1 % wb by each cause
        k_load = 0.0
        if model.outlet is not None:
            k_load = _load_direction(model.moisture, model.outlet)
            if "water" not in model.moisture.paths and model.shared < -SHARED_WELL:
                k_load = model.shared_k_per_pct  # the load that nobody measures is mostly the cake's water
        k_kinetics = 1.0 / model.balance_pct_per_k if model.balance_pct_per_k > 0.0 else 0.0
        self._names = tuple(model.moisture.paths)
        gains = [model.moisture.gain(name) for name in self._names]
        self._doubts = [max(1.5 * sd / abs(gain) if gain else 0.0, EFFECT_START) ** 2 for gain, sd in gains]
        self._outlet_names = tuple(model.outlet.paths) if model.outlet is not None else ()
        self._doubts += [OUTLET_EFFECT_START**2] * len(self._outlet_names)
        none = [0.0] * len(self._doubts)
        moisture_row = [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0]
        outlet_row = [k_load, k_kinetics, model.shared_k_per_pct, 0.0, 1.0, 0.0, 1.0, k_kinetics]
        self._seen = np.array([[*moisture_row, *none], [*outlet_row, *none]])
        self.restart()
        self._rough = [1.0, 1.0]

    @property
    def bias(self) -> float:
        """Meter less powder, as far as it is told from the rest [% wb]."""
        return float(self.x[3])

    @property
    def process(self) -> float:
        """What load and kinetics make of the moisture beyond what the inputs tell [% wb]."""
        return float(self.x[0] + self.x[1] + self.x[7])

    @property
    def bias_sd(self) -> float:
        """Its standard deviation [% wb]."""
        return math.sqrt(max(float(self.p[3, 3]), 0.0))

    @property
    def acted_bias(self) -> float:
        """The part of the bias to act on: 0 while it may well be nothing, at most ``QUIET_PCT`` until it is told;
        continuous [% wb]."""
        bias, bias_sd = self.bias, self.bias_sd
        size = abs(bias)
        beyond = max(size - max(ACTED_PCT, ACTED_SDS * bias_sd), 0.0)
        quiet = min(beyond * WHOLE_SDS / (WHOLE_SDS - ACTED_SDS), size, QUIET_PCT)
        told = _told_from(bias_sd)
        share = min(max((size - told) / ((WHOLE_TOLD - 1.0) * told), 0.0), 1.0)
        return math.copysign(quiet + share * (size - quiet), bias)

    @property
    def is_told(self) -> bool:
        """Whether people should know."""
        return abs(self.bias) > _told_from(self.bias_sd) * (NO_LONGER if self._was_told else 1.0)

    def restart(self) -> None:
        """The laboratory has spoken: from now on the meter is believed, and watched anew."""
        self.x = np.zeros(8 + len(self._doubts))
        self.p = np.diag(
            [
                STARTS["load"] ** 2,
                STARTS["kinetics"] ** 2,
                self._noise.level_sd**2,
                STARTS["bias"] ** 2,
                STARTS["outlet"] ** 2,
                STARTS["rate"] ** 2,
                0.0 if self._outlet_noise is None else self._outlet_noise.level_sd**2,
                SWING_PCT**2,
                *self._doubts,
            ]
        )
        # mean of what the moisture surprised by [% wb]; its square beyond the usual, until the walls have followed
        self._lately, self._fast, self._was_told = 0.0, 0.0, False
        self._sums, self._counts, self._age_s = [0.0, 0.0], [0, 0], 0.0
        self._parts = [[0.0] * len(self._names), [0.0] * len(self._outlet_names)]

    def hear(self, bias_pct: float, sd_pct: float, age_s: float) -> None:
        """A laboratory value: the meter, as it is corrected now, read ``bias_pct`` too much so long ago.

        Args:
            sd_pct: standard uncertainty [% wb], > 0. age_s: since the sample was taken [s], >= 0.
        """
        if not self.available:
            self.restart()
            return
        hours = age_s / 3600.0
        seen = np.zeros(len(self.x))
        seen[3], seen[5] = 1.0, -hours  # the bias then: it has drifted at its rate since
        noise = sd_pct**2 + WALKS["bias"] ** 2 * hours
        left, var = bias_pct - float(seen @ self.x), float(seen @ self.p @ seen) + noise
        if left * left > TRUSTED_SDS**2 * var:  # the watch was wrong, and so are its figures
            self.restart()
            self.x[3], self.p[3, 3] = bias_pct, max(noise, STARTS["bias"] ** 2)
            return
        gain = self.p @ seen / var
        self.x += gain * left
        self.p -= np.outer(gain, seen @ self.p)
        self.p = 0.5 * (self.p + self.p.T)

    def step(
        self,
        moisture_left: float,
        outlet_left: float,
        parts: Mapping[str, float],
        outlet_parts: Mapping[str, float],
        dt_s: float,
        unseen: Sequence[str] = (),
    ) -> None:
        """What the models leave of a reading of each [% wb, K]; NaN = not measured or not to be used.

        ``parts``, ``outlet_parts``: what each input contributes to the moisture [% wb] and to the outlet [K].
        ``unseen``: loads that are not measured now: what they do must not be held against the meter.
        """
        if not self.available:  # nothing tells; what may have become of the meter grows all the same
            moisture_left = outlet_left = math.nan
        outlet_left, outlet_parts = self._as_the_meter_sees_it(outlet_left, outlet_parts, dt_s)
        told = ((moisture_left, self._names, parts), (outlet_left, self._outlet_names, outlet_parts))
        for n, (value, names, by) in enumerate(told):
            if math.isfinite(value):
                self._sums[n] += value
                self._counts[n] += 1
                self._parts[n] = [total + by.get(name, 0.0) for total, name in zip(self._parts[n], names, strict=True)]
        self._age_s += dt_s
        if self._age_s >= LOOK_S:
            self._was_told = self.is_told
            self._look(unseen)
            self._sums, self._counts, self._age_s = [0.0, 0.0], [0, 0], 0.0
            self._parts = [[0.0] * len(self._names), [0.0] * len(self._outlet_names)]

    def _as_the_meter_sees_it(
        self, outlet_left: float, outlet_parts: Mapping[str, float], dt_s: float
    ) -> tuple[float, Mapping[str, float]]:
        """What the outlet told of the powder that is at the meter now; NaN before any of it has come there."""
        if self._way_s == 0.0:
            return outlet_left, outlet_parts
        self._t_s += dt_s
        self._on_its_way.append((self._t_s, outlet_left, dict(outlet_parts)))
        due_s = self._t_s - self._way_s
        while len(self._on_its_way) > 1 and self._on_its_way[1][0] <= due_s:
            self._on_its_way.popleft()
        then_s, left, by = self._on_its_way[0]
        return (left, by) if then_s <= due_s else (math.nan, by)

    def _look(self, unseen: Sequence[str]) -> None:
        age_s = self._age_s
        hours, outlet_noise = age_s / 3600.0, self._outlet_noise or LevelNoise(SWING_S, 0.0, 0.0)
        for n, wander in ((2, self._noise), (6, outlet_noise), (7, LevelNoise(SWING_S, SWING_PCT, 0.0))):
            keep = wander.keep(age_s)
            self.x[n] *= keep
            self.p[n, :] *= keep
            self.p[:, n] *= keep
            self.p[n, n] += wander.drive(age_s)
        self.x[3] += hours * self.x[5]
        self.p[3, :] += hours * self.p[5, :]
        self.p[:, 3] += hours * self.p[:, 5]
        for n, name in ((0, "load"), (1, "kinetics"), (3, "bias"), (4, "outlet"), (5, "rate")):
            self.p[n, n] += WALKS[name] ** 2 * hours
        if self._model.knows_loads and not unseen:  # otherwise it is rather the load that nobody measures
            self._fast = max(self._fast * math.exp(-age_s / WALLS_S), self._lately**2 - FAST_PCT**2, 0.0)
            self.p[1, 1] += FREED * self._fast * age_s / FAST_S
        for name in unseen:
            if self.p[0, 0] < self._most_unseen:
                self.p[0, 0] += self._model.moved_by(name, age_s)
        for n, at in ((0, slice(8, 8 + len(self._names))), (1, slice(8 + len(self._names), None))):
            if self._counts[n]:
                self._seen[n, at] = [total / self._counts[n] for total in self._parts[n]]
        effects = np.arange(8, len(self.x))
        self.p[effects, effects] += EFFECT_WALK**2 * hours
        noise = (self._noise.white_var(age_s) + 0.01, outlet_noise.white_var(age_s) + 0.01)
        share, fast = 1.0 - math.exp(-age_s / ROUGH_S), 1.0 - math.exp(-age_s / FAST_S)
        for n in (0, 1):
            if self._counts[n]:
                h = self._seen[n]
                var = float(h @ self.p @ h) + noise[n] * self._rough[n]
                left = self._sums[n] / self._counts[n] - float(h @ self.x)
                self._lately += fast * (left - self._lately) if n == 0 else 0.0
                # A model that is rougher than its record said makes its looks count for less.
                self._rough[n] = max(1.0, self._rough[n] * (1.0 + share * (min(left * left / var, 25.0) - 1.0)))
                gain = self.p @ h / var
                self.x += gain * left
                self.p -= np.outer(gain, h @ self.p)
        self.p = 0.5 * (self.p + self.p.T)
        self.x[3] = min(max(float(self.x[3]), -LARGEST_BIAS), LARGEST_BIAS)


def _told_from(bias_sd: float) -> float:
    """A bias beyond this is told to people [% wb]."""
    return max(TOLD_PCT, TOLD_SDS * bias_sd)


def _load_direction(moisture: OutputModel, outlet: OutputModel) -> float:
    """K of outlet air for 1 % wb more by the load: of the load whose share in both is known best; 0 = none."""
    best, found = 1.0, 0.0
    for name in ("water", "feed", "heat"):
        per_pct, sd = moisture.gain(name)
        k, k_sd = outlet.gain(name)
        if name not in outlet.paths or per_pct == 0.0 or k == 0.0 or k * per_pct > 0.0:
            continue
        doubt = math.hypot(sd / per_pct, k_sd / k) * (2.0 if name == "heat" else 1.0)
        if doubt < best:
            best, found = doubt, k / per_pct
    return found


def told_after_h(model: DryerModel, per_hour: float) -> float:
    """How long such a drift [% wb/h] of the meter goes on before people are told, at rest and after an hour of watching
    a sound meter [h]; inf = not within a shift."""
    watch = MeterAudit(model)
    for minute in range(60 + SHIFT_MIN):
        drift = per_hour * max(minute - 60, 0) / 60.0
        watch.step(drift, 0.0 if model.outlet is not None else math.nan, {}, {}, LOOK_S)
        if watch.is_told:
            return (minute - 60) / 60.0
    return math.inf
