"""The four ways to move the inlet set point. One that takes over first follows what is applied for a scan, so that it
makes no bump. Pure.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from linecontrol.control.forms import IsaGains
from linecontrol.control.moisture.estimator import MoistureEstimator, Output
from linecontrol.control.moisture.model import DryerModel
from linecontrol.control.moisture.moves import BLOCKS, STEPS, Moves
from linecontrol.control.moisture.record import FloatArray
from linecontrol.control.moisture.sample import MoistureSettings
from linecontrol.control.pid import Pid, PidSettings, PidState
from linecontrol.control.tuning.models import Process, half_rule
from linecontrol.control.tuning.rules import simc_pi

WEIGHT_B = 0.5  # set-point weight of the layers' PIs
MOST_SHAKE_K = 1.5  # inlet set point per standard deviation of the outlet's noise
REST_PCT = 0.05  # moves that settle the moisture by less than this are of noise: they wear the burner and mend nothing
NEAR_PCT = 0.7  # farther from the set point, now or as far as is foreseen, each move counts
MOST_REST = 0.5  # of what the rate allows in a scan: a larger rest would never let it move
OUTLET_SPAN_K = 60.0  # the outlet's set point may go this far from where it was


def meter_process(model: DryerModel) -> Process:
    """Inlet set point to moisture at the meter, as a tuner knows it."""
    path, gain = model.moisture.paths["heat"], model.moisture.gain("heat")[0]
    lags = sorted((path.lag1_s, path.lag2_s, model.moisture.out_lag_s), reverse=True)
    return Process(gain, lags[0], path.delay_s + lags[2], lags[1])


def meter_gains(model: DryerModel) -> IsaGains:
    """SIMC PI for the meter on the inlet set point; K > 0, for direct action."""
    gains = simc_pi(meter_process(model))
    return IsaGains(abs(gains.k), gains.ti_s, 0.0, b=WEIGHT_B)


def outlet_gains(model: DryerModel) -> tuple[IsaGains, IsaGains] | None:
    """SIMC PI for the outlet on the inlet set point (reverse action), and for the meter on the outlet's set point.

    None where the outlet was not found at commissioning.
    """
    if model.outlet is None:
        return None
    path, gain = model.outlet.paths["heat"], model.outlet.gain("heat")[0]
    lags = sorted((path.lag1_s, path.lag2_s, model.outlet.out_lag_s), reverse=True)
    # At least a second of delay: what the thermometer does not show, the heater has all the same; and a scan.
    inner = Process(gain, lags[0], max(path.delay_s, 1.0) + model.sample_s + lags[2], lags[1])
    tight = simc_pi(inner)
    noise_k = math.sqrt(model.outlet.noise.white_var(model.sample_s))
    # A noisy thermometer would shake the inlet: the loop is made slower until its noise moves it no more than this.
    slower = max(1.0, tight.k * noise_k / MOST_SHAKE_K)
    tc_s = inner.delay_s + (slower - 1.0) * 2.0 * half_rule(inner).delay_s
    inner_gains = simc_pi(inner, max(tc_s, half_rule(inner).delay_s))
    closed_s = inner.delay_s + tc_s + inner.t2_s
    way_s = max(model.moisture.paths["heat"].delay_s - path.delay_s, 1.0)
    outer = Process(model.moisture.gain("heat")[0] / gain, model.moisture.out_lag_s + closed_s, way_s + inner.delay_s)
    outer_gains = simc_pi(outer)
    return (
        IsaGains(inner_gains.k, inner_gains.ti_s, b=WEIGHT_B),
        IsaGains(abs(outer_gains.k), outer_gains.ti_s, b=WEIGHT_B),
    )


def _settings(gains: IsaGains, action: str, low: float, high: float, rate: float) -> PidSettings:
    return PidSettings(
        k=gains.k,
        ti_s=gains.ti_s,
        td_s=gains.td_s,
        n=gains.n,
        b=gains.b,
        c=gains.c,
        action="direct" if action == "direct" else "reverse",
        op_low=low,
        op_high=high,
        op_rate_up_per_s=rate,
        op_rate_down_per_s=rate,
    )


def _limited(pid: PidSettings, settings: MoistureSettings) -> PidSettings:
    rate = settings.rate_k_per_s
    return replace(pid, op_low=settings.low_c, op_high=settings.high_c, op_rate_up_per_s=rate, op_rate_down_per_s=rate)


class MeterLaw:
    """PI of the meter on the inlet set point; optionally with feed-forward."""

    def __init__(self, gains: IsaGains, settings: MoistureSettings) -> None:
        self.pid = Pid(_settings(gains, "direct", settings.low_c, settings.high_c, settings.rate_k_per_s))

    def take(self, settings: MoistureSettings) -> None:
        """Other limits; bumpless."""
        self.pid.settings = _limited(self.pid.settings, settings)

    def wake(self) -> None:
        """It is to take over after others were at work: what it saw long ago is forgotten."""
        self.pid.state = PidState()

    def set_gains(self, gains: IsaGains) -> None:
        """Bumpless."""
        self.pid.settings = replace(self.pid.settings, k=gains.k, ti_s=gains.ti_s, td_s=gains.td_s, b=gains.b)

    def step(
        self, sp: float, pv: float, applied_c: float, dt_s: float, *, active: bool, ahead_c: float | None = None
    ) -> float:
        """Inlet set point [°C]. ``ahead_c``: feed-forward; ``active`` False = follow ``applied_c``."""
        out, _ = self.pid.step(sp, pv, dt_s, feedforward=ahead_c, track=None if active else applied_c)
        return out


class CascadeLaw:
    """PI of the meter on the outlet's set point, PI of the outlet on the inlet set point."""

    def __init__(self, model: DryerModel, settings: MoistureSettings) -> None:
        gains = outlet_gains(model)
        if gains is None or model.outlet is None:
            raise ValueError("the outlet temperature was not found at commissioning: there is no cascade over it")
        middle = model.outlet.constant
        low, high = middle - OUTLET_SPAN_K, middle + OUTLET_SPAN_K
        self.inner = Pid(_settings(gains[0], "reverse", settings.low_c, settings.high_c, settings.rate_k_per_s))
        self.outer = Pid(_settings(gains[1], "direct", low, high, math.inf))

    def take(self, settings: MoistureSettings) -> None:
        """Other limits; bumpless."""
        self.inner.settings = _limited(self.inner.settings, settings)

    def wake(self) -> None:
        """It is to take over after others were at work: what it saw long ago is forgotten."""
        self.inner.state = self.outer.state = PidState()

    def step(
        self,
        sp: float,
        pv: float,
        outlet_c: float,
        applied_c: float,
        dt_s: float,
        *,
        active: bool,
        ahead: tuple[float, float] | None = None,
    ) -> float:
        """Inlet set point [°C]. ``ahead``: feed-forward of the outlet's set point and of the inlet's [°C]."""
        outlet_ahead, inlet_ahead = ahead if ahead is not None else (None, None)
        inner = self.inner.state
        limits = self.inner.settings
        outlet_sp, _ = self.outer.step(
            sp,
            pv if math.isfinite(outlet_c) else math.nan,  # while the inner loop holds, the outer one may not wind up
            dt_s,
            feedforward=outlet_ahead,
            track=None if active else outlet_c,
            block_up=active and inner.out >= limits.op_high,
            block_down=active and inner.out <= limits.op_low,
        )
        out, _ = self.inner.step(
            outlet_sp, outlet_c, dt_s, feedforward=inlet_ahead, track=None if active else applied_c
        )
        return out


class PredictiveLaw:
    """Constrained optimal moves on the estimator's forecast. It starts from what is applied, so it never bumps."""

    def __init__(self, estimator: MoistureEstimator, mean_c: float) -> None:
        self._estimator, self._mean_c = estimator, mean_c
        self._moves: Moves | None = None

    def step(self, sp: float, applied_c: float, settings: MoistureSettings, dt_s: float, dearer: float = 1.0) -> float:
        """Inlet set point [°C]. ``dearer``: moves cost so many times more than usual. ``dt_s``: a usual scan [s]."""
        estimator = self._estimator
        slope = estimator.heat_slope
        # In kelvin of inlet air rather than in moisture: what the moves are worked out from then seldom changes.
        e_k = (estimator.free_response(applied_c - self._mean_c) - sp) / slope
        others = len(BLOCKS) - 1
        low, high = settings.low_c - applied_c, settings.high_c - applied_c
        reach = settings.rate_k_per_s * dt_s
        # A range that was moved past the present set point is walked into at the rate allowed.
        first_low, first_high = min(max(low, -reach), reach), max(min(high, reach), -reach)
        moves = self._moves_for(estimator.block_responses(), settings.calm * dearer * STEPS)
        first = moves.best(e_k, [first_low, *[low] * others], [first_high, *[high] * others])[0]
        rest_k = min(REST_PCT / abs(slope), MOST_REST * reach)
        is_near = float(np.abs(e_k).max()) * abs(slope) < NEAR_PCT
        # Outside its limits it is to come back, however little is left.
        return applied_c if is_near and abs(first) < rest_k and low <= 0.0 <= high else applied_c + first

    def _moves_for(self, blocks: FloatArray, weight: float) -> Moves:
        if self._moves is None or self._moves.blocks is not blocks or self._moves.weight != weight:
            self._moves = Moves(blocks, weight)
        return self._moves


def feed_forward(estimator: MoistureEstimator, outlet: Output | None, sp: float, mean_c: float) -> tuple[float, float]:
    """Where the inverse heat and water balance would put the outlet's and the inlet's temperature [°C].

    NaN for the outlet where it was not found at commissioning.
    """
    heat = estimator.heat_for(sp)
    if outlet is None:
        return math.nan, mean_c + heat
    return outlet.model.static(estimator.loads_to_come(outlet) | {"heat": heat}), mean_c + heat
