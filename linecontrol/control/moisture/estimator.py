"""Moisture now and ahead: inputs on their paths, and a Kalman filter for what the model does not know. Pure.

State: a wandering disturbance, an offset (so that nothing stays off its set point), how much each input really does
against what commissioning found, and how much later the meter sees it. The last two follow slow changes of the dryer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from linecontrol.control.moisture.dynamics import Channel, step_response
from linecontrol.control.moisture.model import DryerModel, OutputModel, slope_of
from linecontrol.control.moisture.moves import BLOCKS, STEPS
from linecontrol.control.moisture.noise import Level
from linecontrol.control.moisture.record import FloatArray

OFFSET_WALK = 0.1  # of the offset [% wb per square root of an hour]
OFFSET_START = 1.0  # [% wb]
SCALE_START, SCALE_WALK = 0.05, 0.03  # of an input's effect: least doubt at the start, per square root of an hour
SCALES = (0.4, 2.5)  # it may not be found further off than this
DELAY_START_S, DELAY_WALK_S = 10.0, 1.8  # doubt of the delay to the meter; per square root of an hour
LATEST_S = 60.0  # latest correction of that delay
WARM_S, WALLS_S = 900.0, 250.0  # for so long after a start walls hot from waiting may dry; how that fades


class Output:
    """One modelled output, sample by sample, without any correction."""

    def __init__(self, model: DryerModel, which: str) -> None:
        found: OutputModel | None = getattr(model, which)
        if found is None:
            raise ValueError(f"{which} was not found at commissioning")
        self.model = found
        self.channels: dict[str, Channel] = {}
        self.parts: dict[str, float] = {}
        self._step_s, self._keep = math.nan, 0.0  # of the common lag; it seldom changes

    def start(self, inputs: Mapping[str, float]) -> None:
        """At rest with these inputs."""
        self.channels = {name: Channel(path, inputs[name]) for name, path in self.model.paths.items()}
        self.parts = self.model.parts(self.acting())

    def acting(self) -> dict[str, float]:
        """Inputs as they act now."""
        return {name: channel.x for name, channel in self.channels.items()}

    def step(self, t_s: float, inputs: Mapping[str, float], dt_s: float) -> dict[str, float]:
        """Contributions now, after the common lag."""
        acting = {name: channel.step(t_s, inputs[name], dt_s) for name, channel in self.channels.items()}
        if dt_s != self._step_s:
            self._step_s, self._keep = dt_s, math.exp(-dt_s / self.model.out_lag_s)
        keep, parts = self._keep, self.parts
        for name, value in self.model.parts(acting).items():
            parts[name] = value + (parts[name] - value) * keep
        return parts

    @property
    def now(self) -> float:
        """Model's value now."""
        return sum(self.parts.values())


class MoistureEstimator:
    """Follows the moisture at the meter and says what is coming.

    Attributes:
        t_s: time of its own [s]. innovation: last reading less what was expected [% wb], NaN = none;
        innovation_sd: its expected standard deviation.
    """

    def __init__(self, model: DryerModel) -> None:
        self.model, self.t_s = model, 0.0
        self.output = Output(model, "moisture")
        self.names = tuple(model.moisture.paths)
        self.levels = {name: Level(noise, 0.0) for name, noise in model.inputs.items()}
        self.innovation, self.innovation_sd = math.nan, math.nan
        n = len(self.names)
        self.x = np.concatenate([[0.0, 0.0], np.ones(n), [0.0]])
        self.p = np.diag([model.moisture.noise.level_sd**2, OFFSET_START**2, *self._doubts(), DELAY_START_S**2])
        self._drive_dt, self._keep, self._white, self._drive = 0.0, 0.0, 0.0, np.zeros(n + 3)
        self._heat_terms, self._heat_gain = model.moisture.slope_terms("heat"), model.moisture.gain("heat")[0]
        self._heat_place = 2 + self.names.index("heat")
        self._now_sd: float | None = None  # None = to be worked out; what it follows from changes in two places only
        self._started = False
        self._explained = 0.0  # by the inputs, as much as each is found to do [% wb]
        self._coming_loads: dict[str, list[float]] = {}  # how each load will act, as ``loads_to_come`` found it
        self._warm_at_s, self._cool_pct = 0.0, 0.0  # the walls are as at work from then on; the offset before the start
        path = model.moisture.paths["heat"]
        lags = (path.lag1_s, path.lag2_s, model.moisture.out_lag_s)
        self.step_s = (path.delay_s + 2.5 * sum(lags)) / STEPS
        self.ahead_s: FloatArray = np.asarray(np.arange(1, STEPS + 1) * self.step_s, dtype=np.float64)
        edges = [*(b * self.step_s for b in BLOCKS), math.inf]
        self._on = [step_response(self.ahead_s - path.delay_s - edge, lags) for edge in edges[:-1]]
        self._shifted_s, self._blocks = math.nan, np.empty((0, 0))
        keep = math.exp(-self.step_s / model.moisture.out_lag_s)
        late = np.arange(STEPS, dtype=np.float64)
        # What of where it stands, and of where it would settle in each step, is left at the ends of the next steps.
        self._fading: FloatArray = np.asarray(keep ** (late + 1.0), dtype=np.float64)
        self._lagging: FloatArray = np.tril((1.0 - keep) * keep ** np.maximum(np.subtract.outer(late, late), 0.0))

    def _doubts(self) -> list[float]:
        found = []
        for name in self.names:
            gain, sd = self.model.moisture.gain(name)
            found.append(max(1.5 * sd / abs(gain) if gain else 0.0, SCALE_START) ** 2)
        return found

    def _inputs(self, scaled: Mapping[str, float]) -> dict[str, float]:
        """Inputs without holes: where a load is not measured, its level is taken."""
        found = {}
        for name in self.names:
            value = scaled.get(name, math.nan)
            level = self.levels.get(name)
            found[name] = value if math.isfinite(value) else level.now if level is not None else 0.0
        return found

    def predict(self, scaled: Mapping[str, float], dt_s: float) -> None:
        """A scan later: inputs as ``DryerModel.scaled`` has them. Then ``correct``."""
        self.t_s, self._now_sd = self.t_s + dt_s, None
        for name, level in self.levels.items():
            level.step(scaled.get(name, math.nan), dt_s)
        inputs = self._inputs(scaled)
        if not self._started:
            self.output.start(inputs | {name: level.now for name, level in self.levels.items() if name in inputs})
            self._started = True
            self._explained = self._by_inputs()
        before = self._explained
        self.output.step(self.t_s, inputs, dt_s)
        self._look_again()
        self._wander(dt_s)
        for name in self.model.unseen(scaled):  # it moves on, and nobody tells how
            self.p[0, 0] += self.model.moved_by(name, dt_s)
        rate = (self._explained - before) / dt_s
        parts = self.output.parts
        self._h = np.array([1.0, 1.0, *[parts[name] for name in self.names], -rate])
        self._ph = self.p @ self._h
        self._var = float(self._h @ self._ph) + self._white + 1e-9
        self.innovation_sd = math.sqrt(self._var)

    @property
    def arrival_s(self) -> float:
        """How long after a start the meter sees powder that the model knows of [s]."""
        paths = self.model.moisture.paths.values()
        return max(path.delay_s + path.lag1_s + path.lag2_s for path in paths) + self.model.moisture.out_lag_s

    def restart(self, *, idle: bool = False) -> None:
        """Begin at rest again with the next sample (after a pause); what was learnt is kept.

        ``idle``: nothing was dried meanwhile, so the walls may be hotter than at work.
        """
        self._started = False
        self.x[0] = 0.0
        if idle:
            self._warm_at_s, self._cool_pct = self.t_s + WARM_S, float(self.x[1])
        for level in self.levels.values():
            level.restart()

    def _look_again(self) -> None:
        """Inputs, or what is known of them, have changed: what follows from them is worked out anew."""
        self._explained = self._by_inputs()
        self._coming_loads = {}

    def _by_inputs(self) -> float:
        """What the inputs contribute, as much as each is found to do [% wb]."""
        parts = self.output.parts
        scales: list[float] = self.x[2:-1].tolist()
        return sum(parts.get(name, 0.0) * scale for name, scale in zip(self.names, scales, strict=True))

    def _wander(self, dt_s: float) -> None:
        noise = self.model.moisture.noise
        if dt_s != self._drive_dt:
            hours = dt_s / 3600.0
            self._drive = np.array(
                [
                    noise.drive(dt_s),
                    OFFSET_WALK**2 * hours,
                    *([SCALE_WALK**2 * hours] * len(self.names)),
                    DELAY_WALK_S**2 * hours,
                ]
            )
            self._drive_dt, self._keep, self._white = dt_s, noise.keep(dt_s), noise.white_var(dt_s)
        keep, p = self._keep, self.p
        self.x[0] *= keep
        p[0] *= keep
        p[:, 0] *= keep
        p.reshape(-1)[:: len(p) + 1] += self._drive  # its diagonal

    def correct(self, reading: float) -> None:
        """The meter's reading of this scan [% wb]; NaN = none to be used."""
        self.innovation = reading - self.now
        if not math.isfinite(reading):
            return
        self._now_sd = None
        gain = self._ph / self._var
        self.x += gain * self.innovation
        self.p -= gain[:, None] * self._ph
        self.p = 0.5 * (self.p + self.p.T)
        scales = self.x[2:-1]
        np.minimum(np.maximum(scales, SCALES[0]), SCALES[1], out=scales)
        way_s = self.model.moisture.paths["heat"].delay_s
        self.x[-1] = min(max(float(self.x[-1]), -0.7 * way_s), LATEST_S)
        late_s = float(self.x[-1])
        for channel in self.output.channels.values():
            channel.extra_s = late_s
        self._look_again()

    # -- what it says
    @property
    def now(self) -> float:
        """Moisture at the meter now [% wb]."""
        return self.without_correction + float(self.x[0] + self.x[1])

    @property
    def now_sd(self) -> float:
        """Its standard deviation [% wb]."""
        if self._now_sd is None:
            parts = self.output.parts
            h = np.array([1.0, 1.0, *[parts.get(name, 0.0) for name in self.names], 0.0])
            self._now_sd = math.sqrt(max(float(h @ self.p @ h), 0.0))
        return self._now_sd

    @property
    def as_commissioned(self) -> float:
        """Moisture as the inputs alone tell it, with what commissioning found [% wb]."""
        return self.output.now

    @property
    def without_correction(self) -> float:
        """Moisture as the inputs alone tell it, with what each is found to do [% wb]."""
        return self._explained + self.output.parts.get("", self.model.moisture.constant)

    def shift(self, pct: float) -> None:
        """All readings are known to be this much higher from now on [% wb] (the meter's bias was corrected)."""
        self.x[1] += pct

    @property
    def heat_slope(self) -> float:
        """Change of the settled moisture per kelvin of inlet set point, here and now [% wb/K]; below 0."""
        slope, linear = slope_of(self._heat_terms, self.output.acting()), self._heat_gain
        scale = float(self.x[self._heat_place])
        # Curvature may not turn the gain round or blow it up: the record did not go there.
        return min(max(slope + (scale - 1.0) * linear, 2.5 * linear), 0.3 * linear)

    def free_response(self, heat: float) -> FloatArray:
        """Moisture at the ends of the next steps when the inlet set point stays [% wb]. ``heat``: scaled."""
        acting: dict[str, FloatArray] = {}
        for name, channel in self.output.channels.items():
            if name == "heat":
                coming = channel.ahead(self.t_s, self.step_s, [heat] * STEPS)
            else:
                coming = self._coming_loads.get(name) or self._load(name, channel)
            acting[name] = np.array(coming)
        model, scales = self.model.moisture, dict(zip(self.names, self.x[2:-1].tolist(), strict=True))
        settled: FloatArray = np.zeros(STEPS)
        for term, coefficient in zip(model.terms, model.coefficients, strict=True):
            first, *others = term
            effect = (coefficient * scales[first] if not others else coefficient) * acting[first]
            for name in others:
                effect *= acting[name]
            settled += effect
        settled += model.constant
        return self._lagging @ settled + self.without_correction * self._fading + self._disturbance()

    def _disturbance(self) -> float | FloatArray:
        """What the inputs do not explain, at the ends of the next steps [% wb].

        It is taken to stay: it would fade by itself, but waiting for that leaves an offset for hours whenever the model
        is off by a little, for which the filter cannot tell the one from the other at once. What dries the powder after
        a start is another thing: walls hot from waiting, whose heat does fade. Taken for an offset it would cool the
        inlet air, and the powder would get too wet as they cool. (After cold walls an offset errs to the dry side.)
        """
        stays = float(self.x[0] + self.x[1])
        gained = stays - self._cool_pct
        if self.t_s < self._warm_at_s and gained < 0.0:
            return stays + gained * np.expm1(-self.ahead_s / WALLS_S)
        return stays

    def block_responses(self) -> FloatArray:
        """(steps, blocks) change of the moisture by one kelvin in one block alone, per unit of ``heat_slope``."""
        late_s = float(self.x[-1])
        if not abs(late_s - self._shifted_s) < 1.0:
            on = self._on
            if abs(late_s) > 1.0:
                on = [np.interp(self.ahead_s - late_s, self.ahead_s, row, left=0.0) for row in on]
            columns = [a - b for a, b in pairwise(on)]
            self._blocks = np.column_stack([*columns, on[-1]])
            self._shifted_s = late_s
        return self._blocks

    def heat_for(self, set_point: float) -> float:
        """Scaled inlet set point that would settle the moisture at the set point, with the loads that will act by the
        time that heat does.

        The inverse of the heat and water balance as commissioned, so that only loads move it: three Newton steps.
        """
        model = self.model.moisture
        inputs = {"heat": self.output.channels["heat"].at(self.t_s)} | self.loads_to_come(self.output)
        linear, _ = model.gain("heat")
        for _ in range(3):
            slope = min(max(model.slope(inputs, "heat"), 2.5 * linear), 0.3 * linear)
            inputs["heat"] += (set_point - model.static(inputs)) / slope
        return inputs["heat"]

    def loads_to_come(self, output: Output) -> dict[str, float]:
        """Loads as they will act on this output when a change of heat made now has come to act: one on a long way (a
        hopper that mixes) is not met before it comes."""
        path = output.model.paths["heat"]
        count = min(STEPS, max(1, round((path.delay_s + path.lag1_s + path.lag2_s) / self.step_s)))
        found = {name: 0.0 for name in output.model.paths if name != "heat"}  # until the output has been started
        for name, channel in output.channels.items():
            if name == "heat":
                continue
            if output is self.output:  # the whole way at once: ``free_response`` is often asked next
                self._coming_loads[name] = self._load(name, channel)
                found[name] = self._coming_loads[name][count - 1]
            else:
                found[name] = channel.ahead(self.t_s, self.step_s, self._coming(name, channel, count))[-1]
        return found

    def _load(self, name: str, channel: Channel) -> list[float]:
        """A load as it will act on the moisture at the ends of the next steps."""
        return channel.ahead(self.t_s, self.step_s, self._coming(name, channel, STEPS))

    def _coming(self, name: str, channel: Channel, count: int) -> list[float]:
        """What a load is expected to be in the next steps."""
        return self.levels[name].ahead(self.step_s, count) if name in self.levels else [channel.at(self.t_s)] * count
