"""The commissioned model of a dryer behind a loop's strategy: made from a record, kept in a file, asked each cycle.

The only place that knows both the line and ``control.moisture``, which is slow to import (numpy) and taken when needed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linecontrol.config import LineConfig
from linecontrol.config.files import model_path
from linecontrol.config.line import Loop
from linecontrol.core.errors import ConfigError, LineError, Problem
from linecontrol.line.moisture import NO_FEED, Answer, Brain, DryerLook, Strategy

if TYPE_CHECKING:
    from linecontrol.control.moisture import MoistureController

PAYS = 0.97  # of the PID's error: a strategy that leaves more is no better, as far as its model can tell
Z95 = 1.96  # half width of a 95 % interval in standard deviations
UNITS = {"heat": "K", "water": "0.1 kg/kg", "feed": "10 %", "air": "K", "damp": "g/kg"}
WORDS = {
    "heat": "inlet air",
    "water": "cake moisture",
    "feed": "wet feed rate",
    "air": "ambient air",
    "damp": "ambient humidity",
}


class NotCommissioned(LineError):
    """The record cannot tell what the strategy must know. ``code``: a stable word; the text says what would do."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class CommissionedDryer:
    """See ``line.moisture.Brain``: a ``MoistureController`` with what belongs to the loop kept in the loop."""

    def __init__(self, controller: MoistureController, rate_k_per_s: float) -> None:
        from linecontrol.control.moisture import MoistureMode, MoistureSample

        self.controller = controller
        self._sample = MoistureSample
        self._rate_k_per_s = rate_k_per_s
        self._modes = {strategy: MoistureMode[strategy.name] for strategy in Strategy}
        self._manual = MoistureMode.MANUAL

    @property
    def watches_meter(self) -> bool:
        """Whether the dryer tells when its meter drifts."""
        return self.controller.model.watches_meter

    def hear_laboratory(self, bias: float, u: float, age_s: float) -> None:
        """See ``MoistureController.hear_laboratory``."""
        self.controller.hear_laboratory(bias, u, age_s)

    def step(
        self,
        look: DryerLook,
        *,
        set_point: float,
        strategy: Strategy,
        limits: tuple[float, float],
        meter_bias: float,
        leads: bool,
        is_wanted: bool,
        dt_s: float,
    ) -> Answer:
        """One cycle. While it does not lead it follows what is applied; a predictor that is wanted goes on judging
        itself, so that it can be seen to be healthy again."""
        controller = self.controller
        low_c, high_c = limits
        if not low_c < high_c:  # the inner loop blocks both ways: there is nothing to move
            leads = False
        elif (low_c, high_c, self._rate_k_per_s) != (
            controller.settings.low_c,
            controller.settings.high_c,
            controller.settings.rate_k_per_s,
        ):
            controller.settings = controller.settings.changed(
                low_c=low_c, high_c=high_c, rate_k_per_s=self._rate_k_per_s
            )
        if controller.meter_correction_pct != -meter_bias:
            controller.correct_meter(-meter_bias)
        controller.set_point = set_point
        acts = leads or (is_wanted and strategy is Strategy.PREDICTIVE)
        controller.mode = self._modes[strategy] if acts else self._manual
        sample = self._sample(
            look.moisture_pct_wb,
            look.inlet_sp_c,
            look.inlet_c,
            look.outlet_c,
            look.product_c,
            look.cake_pct_wb,
            look.feed_kg_h,
            look.ambient_c,
            look.ambient_rh_pct,
            look.is_new,
        )
        out = controller.step(sample, dt_s)
        knows = NO_FEED not in out.flags
        return Answer(
            out.inlet_sp_c,
            out.estimate_pct_wb if knows else math.nan,
            out.estimate_u_pct if knows else math.nan,
            out.meter_bias_pct,
            out.flags,
        )


def load_brain(config: LineConfig, loop: Loop) -> Brain:
    """The model that a loop's section names. Raises ConfigError naming file, loop and what is wrong."""
    rows = loop.moisture
    if rows is None or rows.model is None:
        raise ConfigError(f"loop {loop.name} names no model")
    rate = math.inf if loop.op_limits.rate_per_s is None else loop.op_limits.rate_per_s
    return CommissionedDryer(_read(model_path(rows.model, config.path), config, loop.name), rate)


def _read(path: Path, config: LineConfig, loop: str) -> MoistureController:
    from linecontrol.control.moisture import MoistureController

    try:
        return MoistureController.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError) as error:
        accepted = "a file that linecontrol moisture commission made"
        problem = Problem(str(config.path), None, f"loops[{loop}].moisture.model", f"{path}: {error}", accepted)
        raise ConfigError([problem]) from None


def model_problems(config: LineConfig) -> list[Problem]:
    """Models of a line that cannot be used."""
    problems: list[Problem] = []
    for loop in config.line.loops:
        if loop.moisture is not None and loop.moisture.model is not None:
            try:
                load_brain(config, loop)
            except ConfigError as error:
                problems += error.problems
    return problems


def commissioned(
    source: Path | Mapping[str, list[float]], loop: Loop, made_from: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A model for this loop from a record: the content of its file, and what was identified, as plain values.

    Args:
        source: a CSV file, or columns by name. made_from: for the file, where the record came from.
    Raises:
        NotCommissioned: with code and reason.
    """
    from linecontrol.control.moisture import (
        CannotCommission,
        MoistureController,
        MoistureSettings,
        foretell,
        read_record,
    )
    from linecontrol.control.moisture.commission import FIT_PERIOD_S

    limits = loop.op_limits
    settings = MoistureSettings(
        low_c=limits.low, high_c=limits.high, rate_k_per_s=math.inf if limits.rate_per_s is None else limits.rate_per_s
    )
    try:
        record = read_record(source, shortest_period_s=FIT_PERIOD_S)
        made = MoistureController.commission(record, settings=settings, set_point=loop.sp.initial)
    except CannotCommission as error:
        raise NotCommissioned(error.code, error.reason) from None
    found = _identified(made)
    foretold = foretell(made.model, record, settings=settings, set_point=loop.sp.initial)
    found["foretold_rms_pct_wb"] = {mode.value: round(rms, 3) for mode, rms in foretold.items() if math.isfinite(rms)}
    found["warnings"] += no_better_than_pid(found["foretold_rms_pct_wb"])
    if not made.model.watches_meter and loop.moisture is not None:
        found["warnings"].append(
            f"laboratory values are due every {loop.moisture.lab_every_h:g} h of drying (lab_every_h)"
        )
    return {"made_from": made_from, **made.to_dict()}, found


def no_better_than_pid(foretold: Mapping[str, float]) -> list[str]:
    """A sentence for each strategy above the PID that does not pay on this dryer, by what is foretold [% wb, rms]."""
    pid = foretold.get("pid")
    return [
        f"{name} is foretold to do no better than pid on this dryer (rms {foretold[name]:.2f} and {pid:.2f} % wb on the"
        " hours of this record): try it live against pid before you choose it or give it up"
        for name in ("cascade", "feedforward", "predictive")
        if pid is not None and name in foretold and foretold[name] > PAYS * pid
    ]


def _identified(made: MoistureController) -> dict[str, Any]:
    """What was found, with 95 % intervals of the gains."""
    model = made.model
    effects = []
    for which, unit in (("moisture", "% wb"), ("outlet", "°C")):
        found = getattr(model, which)
        for name, path in found.paths.items() if found is not None else ():
            gain, sd = found.settled_gain(name)
            effects.append(
                {
                    "of": WORDS[name],
                    "on": which,
                    "gain": round(gain, 5),
                    "low_95": round(gain - Z95 * sd, 5) if math.isfinite(sd) else None,
                    "high_95": round(gain + Z95 * sd, 5) if math.isfinite(sd) else None,
                    "unit": f"{unit} per {UNITS[name]}",
                    "delay_s": round(path.delay_s, 1),
                    "lags_s": [round(path.lag1_s, 1), round(path.lag2_s, 1), round(found.out_lag_s, 1)],
                }
            )
    return {
        "hours": round(model.hours, 2),
        "moisture_mean_pct_wb": round(model.means["moisture_pct_wb"], 2),
        "inlet_mean_c": round(model.means["inlet_sp_c"], 1),
        "meter_noise_pct_wb": round(model.meter_sd, 3),
        "unexplained_pct_wb": round(model.moisture.residual_sd, 3),
        "balance_pct_per_k": round(model.balance_pct_per_k, 4),
        "effects": effects,
        "warnings": list(model.warnings),
    }
