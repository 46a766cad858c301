"""How well each strategy would have done on the record of a commissioning: the same hours once more, on the model, with
all that the model did not explain laid on top. Pure.

The dryer is the model itself here, so the figures are of those hours and of that model, no more: on twelve other dryers
they made cascade and feed-forward look worse against plain PID than fresh hours did. They rank nothing by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from linecontrol.control.moisture.controller import MoistureController
from linecontrol.control.moisture.estimator import Output
from linecontrol.control.moisture.model import DryerModel
from linecontrol.control.moisture.record import FloatArray, MoistureRecord
from linecontrol.control.moisture.sample import MoistureMode, MoistureSample, MoistureSettings

WARM_S = 1800.0  # until the loop has found its place
LONGEST_S = 21_600.0  # of the record's end: more only takes time
LOADS = ("cake_pct_wb", "feed_kg_h", "ambient_c", "ambient_rh_pct")


def foretell(
    model: DryerModel,
    record: MoistureRecord,
    *,
    settings: MoistureSettings | None = None,
    set_point: float | None = None,
) -> dict[MoistureMode, float]:
    """Root mean square of moisture against the set point [% wb] with each strategy, the meter's own noise taken out.

    Args:
        model: what ``commission(record)`` made. settings, set_point: as of ``MoistureController``.

    MANUAL is the inlet air left where it was in the mean, and the powder's mean for the set point. CASCADE and
    FEEDFORWARD are only there when the outlet, or a load, was found.
    """
    rows = _unexplained(model, record)
    found = {MoistureMode.MANUAL: _rms(model, rows, record.period_s)}
    for mode in (MoistureMode.PID, MoistureMode.CASCADE, MoistureMode.FEEDFORWARD, MoistureMode.PREDICTIVE):
        if mode is MoistureMode.CASCADE and model.outlet is None:
            continue
        if mode is MoistureMode.FEEDFORWARD and not model.inputs:
            continue
        controller = MoistureController(model, settings, set_point=set_point, mode=mode)
        found[mode] = _rms(model, rows, record.period_s, controller)
    return found


class _Replay:
    """The model's outputs along rows of samples, by the names of their signals."""

    def __init__(self, model: DryerModel, dt_s: float) -> None:
        self._model, self._dt_s, self._t_s = model, dt_s, 0.0
        self._outputs = {"moisture_pct_wb": Output(model, "moisture")}
        if model.outlet is not None:
            self._outputs[model.outlet_signal] = Output(model, "outlet")

    def step(self, row: Mapping[str, float]) -> dict[str, float]:
        """With the inlet set point and the loads of this row."""
        loads = [row.get(name, math.nan) for name in LOADS]
        scaled = self._model.scaled(row["inlet_sp_c"], *loads)
        known = {name: value if math.isfinite(value) else 0.0 for name, value in scaled.items()}
        for output in self._outputs.values():
            inputs = {name: known.get(name, 0.0) for name in output.model.paths}
            if self._t_s == 0.0:
                output.start(inputs)
            output.step(self._t_s, inputs, self._dt_s)
        self._t_s += self._dt_s
        return {signal: output.now for signal, output in self._outputs.items()}


def _unexplained(model: DryerModel, record: MoistureRecord) -> list[dict[str, float]]:
    """The record's samples, with what the model leaves of moisture and outlet instead of these."""
    columns = {name: values for name, values in record.signals.items() if record.has(name)}
    inlet_c, replay, rows = _bridged(columns["inlet_sp_c"]), _Replay(model, record.period_s), []
    for n in range(max(0, len(record) - int(LONGEST_S / record.period_s)), len(record)):
        row = {name: float(values[n]) for name, values in columns.items()} | {"inlet_sp_c": float(inlet_c[n])}
        for signal, value in replay.step(row).items():
            row[signal] -= value
        rows.append(row)
    return rows


def _rms(
    model: DryerModel, rows: Sequence[Mapping[str, float]], dt_s: float, controller: MoistureController | None = None
) -> float:
    """With nobody at work the mean is the set point: it could have been put there."""
    replay, inlet_c, shown = _Replay(model, dt_s), model.means["inlet_sp_c"], []
    for left in rows:
        row = {**left, "inlet_sp_c": inlet_c}
        for signal, value in replay.step(row).items():
            row[signal] += value
        shown.append(row["moisture_pct_wb"])
        if controller is not None:
            inlet_c = controller.step(MoistureSample.of(row), dt_s).inlet_sp_c
    counted = np.array(shown[int(WARM_S / dt_s) :])
    counted = counted[np.isfinite(counted)]
    if len(counted) == 0:
        return math.nan
    wanted = float(np.mean(counted)) if controller is None else controller.set_point
    own = model.moisture.noise.white_var(dt_s)
    return math.sqrt(max(float(np.mean((counted - wanted) ** 2)) - own, 0.0))


def _bridged(values: FloatArray) -> FloatArray:
    good = np.flatnonzero(np.isfinite(values))
    return values if len(good) == len(values) else np.interp(np.arange(len(values)), good, values[good])
