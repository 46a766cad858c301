"""The moisture controller: commissioned from a record, then one call per scan. Pure: time comes in as dt.

It can be used off the line: see docs/examples/moisture_controller.py, which drives an arbitrary plant with it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from numpy.typing import ArrayLike

from linecontrol.control.forms import IsaGains
from linecontrol.control.moisture.audit import MeterAudit
from linecontrol.control.moisture.commission import commission
from linecontrol.control.moisture.estimator import MoistureEstimator, Output
from linecontrol.control.moisture.health import Health
from linecontrol.control.moisture.laws import CascadeLaw, MeterLaw, PredictiveLaw, feed_forward, meter_gains
from linecontrol.control.moisture.meter import MeterState, judge, repeats_for_stuck
from linecontrol.control.moisture.model import DryerModel
from linecontrol.control.moisture.record import MoistureRecord
from linecontrol.control.moisture.sample import MoistureMode, MoistureOutput, MoistureSample, MoistureSettings
from linecontrol.control.moisture.told import Told
from linecontrol.control.moisture.wear import Movement

REACH_K = 60.0  # without limits given, the inlet set point stays so close to the record's mean
GAP_PERIODS = 5.0  # a longer pause than so many usual scans starts the paths anew
LEAST_GAP_S = 30.0
NEW_METER_PCT = 0.1  # a correction that has moved so far makes another meter of it: its watch begins anew [% wb]
FED_SHARE, STOPPED_SHARE = 0.5, 0.05  # of the mean feed: work begins above the one, and has ended below the other
WARM_S = 900.0  # of work before the meter is held against the heat balance: until then the duct's walls take heat


class MoistureController:
    """Holds powder moisture by the inlet air's set point.

    Attributes:
        set_point: wanted moisture [% wb]. mode: wanted mode; both may be changed at any time.
        settings: limits and weights; may be replaced at any time.
        meter_correction_pct: added to each reading of the meter, from laboratory values [% wb]; see ``correct_meter``.
    """

    def __init__(
        self,
        model: DryerModel,
        settings: MoistureSettings | None = None,
        *,
        set_point: float | None = None,
        mode: MoistureMode = MoistureMode.PREDICTIVE,
        gains: IsaGains | None = None,
    ) -> None:
        mean_c = model.means["inlet_sp_c"]
        self.model = model
        self.settings = settings or MoistureSettings(low_c=mean_c - REACH_K, high_c=mean_c + REACH_K)
        self.set_point = model.means["moisture_pct_wb"] if set_point is None else set_point
        self.mode = mode
        self.meter_correction_pct = self._unwatched_pct = 0.0
        self.estimator = MoistureEstimator(model)
        self.audit = MeterAudit(model)
        self.outlet = Output(model, "outlet") if model.outlet is not None else None
        self._meter = MeterState()
        self._stuck_after = repeats_for_stuck(model.repeat_share, max(model.refresh_s, model.sample_s))
        # A reading comes up to a scan after the value is there.
        self._stuck_s = self._stuck_after * model.refresh_s + model.sample_s if model.refresh_s > 0.0 else 0.0
        self._meter_law = MeterLaw(gains or meter_gains(model), self.settings)
        self._ahead_law = MeterLaw(gains or meter_gains(model), self.settings)
        self._cascade = CascadeLaw(model, self.settings) if model.outlet is not None else None
        self._cascade_ahead = CascadeLaw(model, self.settings) if model.outlet is not None else None
        self._predictive = PredictiveLaw(self.estimator, mean_c)
        self._health, self._movement, self._told = Health(), Movement(), Told()
        self._asked_c, self._usual_s = math.nan, 0.0
        self._acting: MoistureMode | None = None
        self._fed_s = 0.0  # since the feed began; 0 = it has not
        self._restarted = False  # the feed has been seen to begin, so the duct was empty before
        self._laws_settings = self.settings

    @classmethod
    def commission(
        cls,
        record: Mapping[str, ArrayLike] | Path | str | MoistureRecord,
        *,
        qualities: Mapping[str, ArrayLike] | None = None,
        settings: MoistureSettings | None = None,
        set_point: float | None = None,
        mode: MoistureMode = MoistureMode.PREDICTIVE,
    ) -> Self:
        """A controller for the dryer of this record (some hours of normal running and one step test).

        Args:
            record: arrays by name or a CSV file with these columns: ``time_s`` [s], ``inlet_sp_c``,
                ``moisture_pct_wb`` (the meter), and, each as far as measured, ``inlet_c``, ``outlet_c``,
                ``product_c`` [°C], ``cake_pct_wb`` [% wb], ``feed_kg_h`` [kg/h], ``ambient_c``, ``ambient_rh_pct`` [%].
                NaN = not good; a column ``<name>_quality`` may say so too.
            qualities: signal to "is this sample good", instead of such columns. Either may be flags, words or OPC codes
                (see ``control.quality_marks``).
            settings: limits; None = the record's mean inlet temperature ± 60 K.
            set_point: [% wb]; None = the record's mean.

        Raises:
            CannotCommission: ``code`` and ``reason``, when the record cannot identify the dryer.
        """
        return cls(commission(record, qualities=qualities), settings, set_point=set_point, mode=mode)

    # -- to a file and back
    def to_dict(self) -> dict[str, Any]:
        """Model and settings as plain values for JSON (not what was learnt while running)."""
        return {"model": self.model.to_dict(), "settings": asdict(self.settings), "set_point": self.set_point}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], *, mode: MoistureMode = MoistureMode.PREDICTIVE) -> Self:
        """What ``to_dict`` gave. Raises ValueError naming what is wrong."""
        try:
            model, settings = DryerModel.from_dict(plain["model"]), MoistureSettings(**plain["settings"])
            return cls(model, settings, set_point=float(plain["set_point"]), mode=mode)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a commissioned moisture controller: {error!r}") from error

    # -- what people tell it
    def correct_meter(self, correction_pct: float) -> None:
        """Laboratory values say that this is to be added to each reading [% wb]. Takes effect without a jump of the
        output: the offset is taken over as known, and removed at the rate of the moves."""
        change = correction_pct - self.meter_correction_pct
        self.meter_correction_pct = correction_pct
        self.estimator.shift(change)
        self._unwatched_pct += change
        if abs(self._unwatched_pct) > NEW_METER_PCT:  # small steps of a correction that is ramped in are let pass
            self.audit.restart()
            self._unwatched_pct = 0.0

    def hear_laboratory(self, bias_pct: float, sd_pct: float, age_s: float) -> None:
        """A laboratory value has come for a sample ``age_s`` old: the meter, with its present correction, read
        ``bias_pct`` more than the powder had [% wb], with standard uncertainty ``sd_pct``.

        One that agrees with the meter ends a disagreement, one that does not confirms it.

        Raises:
            ValueError: bias not finite, ``sd_pct`` not above 0, or ``age_s`` below 0.
        """
        if not (math.isfinite(bias_pct) and 0.0 < sd_pct < math.inf and 0.0 <= age_s < math.inf):
            raise ValueError(
                f"laboratory value {bias_pct} ± {sd_pct}, {age_s} s old, is not accepted (accepted: finite, uncertainty"
                " above 0, age 0 or more)"
            )
        self.audit.hear(bias_pct, sd_pct, age_s)

    def set_gains(self, gains: IsaGains) -> None:
        """Gains of the meter's PI [K per % wb, s], K > 0. Bumpless."""
        self._meter_law.set_gains(gains)
        self._ahead_law.set_gains(gains)

    # -- the scan
    def step(self, sample: MoistureSample | Mapping[str, Any], dt_s: float) -> MoistureOutput:
        """One scan, ``dt_s`` seconds after the last.

        ``sample`` may be a row by the names of the record (see ``MoistureSample.of``). Raises ValueError unless dt_s is
        above 0 and finite, and for a name that no sample has.
        """
        if not 0.0 < dt_s < math.inf:
            raise ValueError(f"dt_s {dt_s} is not accepted (accepted: above 0 s, finite)")
        flags: list[str] = []
        sample = (sample if isinstance(sample, MoistureSample) else MoistureSample.of(sample)).believed()
        self._take_settings()
        applied_c = self._applied(sample)
        self._usual_s = (
            dt_s if self._usual_s == 0.0 else min(self._usual_s + 0.25 * (dt_s - self._usual_s), 2.0 * self._usual_s)
        )
        if dt_s > max(GAP_PERIODS * self._usual_s, LEAST_GAP_S):
            flags.append("gap")
            self.estimator.restart()
        scaled = self.model.scaled(
            applied_c, sample.cake_pct_wb, sample.feed_kg_h, sample.ambient_c, sample.ambient_rh_pct
        )
        if self._has_stopped(sample.feed_kg_h):
            self._fed_s = 0.0
            flags.append("no-feed")
            self.estimator.restart(idle=True)
            return self._result(applied_c, MoistureMode.MANUAL, flags, dt_s)
        self._fed_s += dt_s
        if any(not math.isfinite(scaled[name]) for name in self.model.inputs):
            flags.append("load-missing")
        self.estimator.predict(scaled, dt_s)
        acted_bias = self.audit.acted_bias
        reading = self._judge(sample, acted_bias, dt_s, flags)
        if self._fed_s < self.estimator.arrival_s and self._restarted:
            reading = math.nan  # what the meter sees now was dried before the model began
        self.estimator.correct(reading - acted_bias)
        outlet_c = sample.outlet_c if self.model.outlet_signal == "outlet_c" else sample.product_c
        self._watch_meter(outlet_c, reading, scaled, dt_s, flags)
        mode = self._mode(flags, dt_s)
        # The scan of a switch tells the law that takes over where it stands: the output stays.
        is_new = mode is not self._acting
        self._acting = mode
        asked_c = self._act(mode, outlet_c, reading, applied_c, dt_s, flags, is_new=is_new)
        self._movement.step(abs(asked_c - applied_c) if mode is not MoistureMode.MANUAL else 0.0, dt_s)
        return self._result(asked_c, mode, flags, dt_s)

    def _has_stopped(self, feed_kg_h: float) -> bool:
        """Whether nothing is dried. A feed that only just begins counts as none: a model of a dryer at work would
        make nonsense of it, and learn from that."""
        usual = self.model.means.get("feed_kg_h")
        if usual is None:
            return False
        if feed_kg_h <= (STOPPED_SHARE if self._fed_s > 0.0 else FED_SHARE) * usual:
            self._restarted = True
            return True
        return False

    def _applied(self, sample: MoistureSample) -> float:
        if math.isfinite(sample.inlet_sp_c):
            return sample.inlet_sp_c
        return self._asked_c if math.isfinite(self._asked_c) else self.model.means["inlet_sp_c"]

    def _take_settings(self) -> None:
        if self.settings is self._laws_settings:
            return
        self._laws_settings = self.settings
        for law in (self._meter_law, self._ahead_law):
            law.take(self.settings)
        for cascade in (self._cascade, self._cascade_ahead):
            if cascade is not None:
                cascade.take(self.settings)

    def _judge(self, sample: MoistureSample, acted_bias: float, dt_s: float, flags: list[str]) -> float:
        """The meter's reading, corrected by the laboratory; NaN when it is not to be used."""
        expected = self.estimator.now - self.meter_correction_pct + acted_bias
        reading, self._meter, why = judge(
            self._meter,
            sample.moisture_pct_wb,
            expected,
            self.estimator.innovation_sd,
            self._stuck_after,
            dt_s,
            is_new=sample.is_new,
            stuck_after_s=self._stuck_s,
        )
        if why:
            flags.append(f"nir-{why}")
        if self._meter.missing_s > self.settings.bridge_s:
            flags.append("blind")
        return reading + self.meter_correction_pct

    def _watch_meter(
        self, outlet_c: float, reading: float, scaled: Mapping[str, float], dt_s: float, flags: list[str]
    ) -> None:
        outlet_left = math.nan
        if self.outlet is not None:
            inputs = {name: scaled.get(name, math.nan) for name in self.outlet.model.paths}
            if all(math.isfinite(value) for value in inputs.values()):
                if not self.outlet.channels or "gap" in flags or self._fed_s <= dt_s:
                    self.outlet.start(inputs)
                self.outlet.step(self.estimator.t_s, inputs, dt_s)
                outlet_left = outlet_c - self.outlet.now
        # What was on its way when the first scan came is not known; after a start the duct's walls are cold too.
        if self._fed_s < max(WARM_S if self._restarted else 0.0, 1.5 * self.estimator.arrival_s):
            return
        is_blind = not math.isfinite(reading)
        before = self.audit.process if is_blind else 0.0
        left_pct, outlet_parts = reading - self.estimator.as_commissioned, self.outlet.parts if self.outlet else {}
        parts, unseen = self.estimator.output.parts, self.model.unseen(scaled)
        self.audit.step(left_pct, outlet_left, parts, outlet_parts, dt_s, unseen)
        if is_blind:  # without the meter, the outlet air is the only one to tell of unseen loads
            self.estimator.shift(self.audit.process - before)
        if self.audit.is_told:
            flags.append("nir-drift")
        if abs(self.audit.bias) > max(self.settings.disagreement_pct, 2.5 * self.audit.bias_sd):
            flags.append("disagreement")

    def _mode(self, flags: list[str], dt_s: float) -> MoistureMode:
        """The mode that acts now: the wanted one, or what it falls back to."""
        estimator = self.estimator
        healthy = self._health.step(estimator.innovation, estimator.innovation_sd, dt_s)
        mode = self.mode
        if mode is MoistureMode.PREDICTIVE and not healthy:
            flags.append("fallback")
            mode = MoistureMode.PID
        if mode is MoistureMode.CASCADE and self._cascade is None:
            mode = MoistureMode.PID
        return mode

    def _act(
        self,
        mode: MoistureMode,
        outlet_c: float,
        reading: float,
        applied_c: float,
        dt_s: float,
        flags: list[str],
        *,
        is_new: bool,
    ) -> float:
        """The inlet set point of this mode. ``is_new``: its law takes over in this scan, and only follows yet."""
        believed = reading - self.audit.acted_bias
        if mode is MoistureMode.MANUAL:
            wanted = applied_c
        elif mode is MoistureMode.PREDICTIVE:
            wanted = applied_c if is_new else self._foreseeing(applied_c, dt_s, flags)
        else:
            wanted = self._fed_back(mode, believed, outlet_c, applied_c, dt_s, is_new=is_new)
            if is_new:
                wanted = applied_c
            elif not math.isfinite(believed):
                flags.append("held")
        if not math.isfinite(wanted):  # never passed on, whatever happened above
            flags.append("held")
            return applied_c
        is_at_work = mode is not MoistureMode.MANUAL and not is_new
        if is_at_work and not self.settings.low_c < wanted < self.settings.high_c:
            flags.append("limited")
        return wanted

    def _foreseeing(self, applied_c: float, dt_s: float, flags: list[str]) -> float:
        dearer = self._movement.dearer(self.settings.movement_limit_k_per_h)
        if dearer > 1.0:
            flags.append("wear")
        # After a pause it may move as far as in one scan: what was missed is not made up for in a leap.
        return self._predictive.step(self.set_point, applied_c, self.settings, min(dt_s, self._usual_s), dearer)

    def _fed_back(
        self, mode: MoistureMode, believed: float, outlet_c: float, applied_c: float, dt_s: float, *, is_new: bool
    ) -> float:
        """What the PIs of this mode ask for. Those of the other modes sleep until they are to take over."""
        sp, active = self.set_point, not is_new
        if mode is MoistureMode.PID:
            if is_new:
                self._meter_law.wake()
            return self._meter_law.step(sp, believed, applied_c, dt_s, active=active)
        cascade = self._cascade if mode is MoistureMode.CASCADE else self._cascade_ahead
        ahead = None
        if mode is MoistureMode.FEEDFORWARD:
            ahead = feed_forward(self.estimator, self.outlet, sp, self.model.means["inlet_sp_c"])
        if cascade is not None:
            if is_new:
                cascade.wake()
            return cascade.step(sp, believed, outlet_c, applied_c, dt_s, active=active, ahead=ahead)
        if is_new:
            self._ahead_law.wake()
        ahead_c = None if ahead is None else ahead[1]
        return self._ahead_law.step(sp, believed, applied_c, dt_s, active=active, ahead_c=ahead_c)

    def _result(self, asked_c: float, mode: MoistureMode, flags: list[str], dt_s: float) -> MoistureOutput:
        self._asked_c = asked_c
        events, estimator = self._told.step(flags, dt_s), self.estimator
        return MoistureOutput(
            asked_c,
            mode,
            float(estimator.now),
            math.hypot(estimator.now_sd, self.audit.bias_sd),
            float(estimator.without_correction),
            self._told.flags,
            self.audit.bias,
            self._movement.per_hour,
            events,
        )
