"""What a record tells of the outlet air as a witness of the powder: by it a meter that drifts is told from powder that
has changed. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from linecontrol.control.moisture.audit import told_after_h
from linecontrol.control.moisture.dynamics import shifted
from linecontrol.control.moisture.fitting import SETTLE_S, Fitted
from linecontrol.control.moisture.model import DryerModel
from linecontrol.control.moisture.record import FloatArray

LEAST_MINUTES = 60  # of moisture and outlet together, before what they share is told
TYPICAL_DRIFT = 0.5  # of a meter whose window fouls [% wb/h]
USUAL_CAKE_DB = 0.6  # of dewatered starch, 33 to 42 % wb, where nobody measures it [kg/kg]


def in_common(moisture: Fitted, outlet: Fitted, weight: FloatArray, period_s: float) -> tuple[float, float]:
    """What the loads leave unexplained in moisture and outlet at once, minute by minute: K of outlet per % wb, and the
    correlation; the outlet is taken later by the powder's way to the meter. (0, 0) where the record is too short."""
    way_s = moisture.model.way_s - outlet.model.way_s
    late = shifted(outlet.rest, way_s, period_s)
    per = max(1, round(60.0 / period_s))
    used = weight > 0.0
    used[: int((SETTLE_S + max(way_s, 0.0)) / period_s)] = False
    rows = np.array(
        [
            (np.mean(moisture.rest[at : at + per]), np.mean(late[at : at + per]))
            for at in range(0, len(used) - per + 1, per)
            if np.all(used[at : at + per])
        ]
    )
    if len(rows) < LEAST_MINUTES:
        return 0.0, 0.0
    (own, both), (_, other) = np.cov(rows.T)
    if own <= 0.0 or other <= 0.0:
        return 0.0, 0.0
    return float(both / own), float(both / math.sqrt(own * other))


def balance(
    means: Mapping[str, float], signals: Mapping[str, FloatArray], weight: FloatArray, outlet_c: FloatArray | None
) -> float:
    """% wb per K of unexplained outlet temperature, at the same inputs.

    Heat the air did not give up (G cp dT) has not evaporated water: dX/dT = (Xi - Xo)/(Tin - Tout), losses left out;
    d(% wb) = 100 dX/(1 + X)^2. 0 when the outlet was not measured.
    """
    if outlet_c is None:
        return 0.0
    water = means.get("water_db", USUAL_CAKE_DB)
    good = weight > 0.0
    inlet = signals.get("inlet_c", signals["inlet_sp_c"])
    fall_k = float(np.mean(inlet[good]) - np.mean(outlet_c[good]))
    db = means["moisture_pct_wb"] / (100.0 - means["moisture_pct_wb"])
    if fall_k < 5.0 or water <= db:
        return 0.0
    return 100.0 * (water - db) / fall_k / (1.0 + db) ** 2


def unwatched(model: DryerModel) -> str:
    """What is to be known where outlet air and cake do not both tell of the meter."""
    after_h = told_after_h(model, TYPICAL_DRIFT)
    drift = f"a drift of {TYPICAL_DRIFT:g} % wb/h is"
    seen = f"{drift} not seen within a shift" if math.isinf(after_h) else f"{drift} told after {after_h:.1f} h at best"
    return (
        f"outlet_c and cake_pct_wb do not both tell: without laboratory values {seen}, and powder that changes by what"
        " nobody measures may look like it; they are needed every few hours"
    )
