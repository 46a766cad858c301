"""The same gains as each form and each common PLC block writes them, with units and formula. Only algebra.

Back conversions of PID_Compact and FB_CTRL_PID are ``forms.from_pid_compact`` and ``forms.from_fb_ctrl_pid``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from linecontrol.control.forms import IsaGains, isa_to_parallel, isa_to_series
from linecontrol.control.pid_settings import Action

INF = math.inf


@dataclass(frozen=True, slots=True)
class Notation:
    """Gains as one form or block writes them.

    Attributes:
        block: "ISA", "parallel", "series", "PID_Compact", "FB_CTRL_PID" or "CODESYS PID".
        values: parameter name to value (a bool is a switch); empty when the block cannot take these gains.
        units: parameter name to unit ("" = none).
        formula: what the block computes. note: what it lacks, or why it cannot take these gains ("" = nothing).
    """

    block: str
    values: dict[str, float | bool]
    units: dict[str, str]
    formula: str
    note: str = ""


def notations(
    gains: IsaGains,
    *,
    action: Action = "reverse",
    pv_unit: str = "PV unit",
    op_unit: str = "output unit",
    op_span: float | None = None,
) -> tuple[Notation, ...]:
    """All notations of these gains.

    Args:
        action: of the loop. Blocks that take no negative gain get |K| and the action turned round where needed.
        pv_unit, op_unit: shown in units.
        op_span: output span [output unit] that a block's 0..100 % stands for; None = the output is in % already.
    """
    per = f"{op_unit}/{pv_unit}"
    return (
        _isa(gains, per),
        _parallel(gains, per),
        _series(gains, per),
        _pid_compact(gains, action, pv_unit, op_span),
        _fb_ctrl_pid(gains, action, per),
        _codesys(gains, action, per),
    )


def _isa(g: IsaGains, per: str) -> Notation:
    return Notation(
        "ISA",
        {"kp": g.k, "ti_s": g.ti_s, "td_s": g.td_s, "n": g.n, "b": g.b, "c": g.c},
        {"kp": per, "ti_s": "s", "td_s": "s", "n": "", "b": "", "c": ""},
        "u = kp [(b r - y) + 1/(ti s) (r - y) + td s/(1 + td s/n) (c r - y)]",
    )


def _parallel(gains: IsaGains, per: str) -> Notation:
    g = isa_to_parallel(gains)
    return Notation(
        "parallel",
        {"kp": g.kp, "ki_per_s": g.ki_per_s, "kd_s": g.kd_s, "tf_s": g.tf_s, "b": g.b, "c": g.c},
        {"kp": per, "ki_per_s": f"{per}/s", "kd_s": f"{per} s", "tf_s": "s", "b": "", "c": ""},
        "u = kp (b r - y) + ki/s (r - y) + kd s/(1 + tf s) (c r - y)",
    )


def _series(gains: IsaGains, per: str) -> Notation:
    formula = "C = k (1 + 1/(ti s)) (1 + td s), its pure derivative k td s filtered with 1/(1 + tf s)"
    try:
        g = isa_to_series(gains)
    except ValueError as error:
        return Notation("series", {}, {}, formula, str(error))
    return Notation(
        "series",
        {"k": g.k, "ti_s": g.ti_s, "td_s": g.td_s, "tf_s": g.tf_s, "b": g.b, "c": g.c},
        {"k": per, "ti_s": "s", "td_s": "s", "tf_s": "s", "b": "", "c": ""},
        formula,
    )


def _turned(g: IsaGains, action: Action) -> bool:
    """The loop's output rises with its PV, when written with a positive gain."""
    return (action == "direct") is not (g.k < 0.0)


def _pid_compact(g: IsaGains, action: Action, pv_unit: str, op_span: float | None) -> Notation:
    return Notation(
        "PID_Compact",
        {
            "Gain": abs(g.k) * (1.0 if op_span is None else 100.0 / op_span),
            "Ti": 0.0 if g.ti_s == INF else g.ti_s,
            "Td": g.td_s,
            "TdFiltRatio": 1.0 / g.n,
            "PWeighting": g.b,
            "DWeighting": g.c,
            "InvertControl": _turned(g, action),
        },
        {
            "Gain": f"%/{pv_unit}",
            "Ti": "s",
            "Td": "s",
            "TdFiltRatio": "",
            "PWeighting": "",
            "DWeighting": "",
            "InvertControl": "",
        },
        "y = Kp [(b w - x) + 1/(TI s) (w - x) + TD s/(a TD s + 1) (c w - x)], a = TdFiltRatio",
        "takes no negative gain: the direction is the switch InvertControl",
    )


def _fb_ctrl_pid(g: IsaGains, action: Action, per: str) -> Notation:
    partly = [name for name, weight in (("b", g.b), ("c", g.c)) if 0.0 < weight < 1.0]
    note = f"its set-point weights are 0 or 1 only: {' and '.join(partly)} rounded" if partly else ""
    return Notation(
        "FB_CTRL_PID",
        {
            "fKp": -abs(g.k) if _turned(g, action) else abs(g.k),
            "tTn": 0.0 if g.ti_s == INF else g.ti_s,
            "tTv": g.td_s,
            "tTd": g.tf_s,
            "bPInTheFeedbackPath": g.b < 0.5,
            "bDInTheFeedbackPath": g.c < 0.5,
        },
        {"fKp": per, "tTn": "s", "tTv": "s", "tTd": "s", "bPInTheFeedbackPath": "", "bDInTheFeedbackPath": ""},
        "Kp (1 + 1/(Tn s) + Tv s/(1 + Td s)); its Td is the filter time",
        note,
    )


def _codesys(g: IsaGains, action: Action, per: str) -> Notation:
    lacks = ["no derivative filter (filter the PV)"] if g.td_s > 0.0 else []
    if g.b != 1.0:
        lacks.append("no set-point weight (ramp the set point)")
    if g.td_s > 0.0 and g.c != 1.0:
        lacks.append("derivative of the error, so that a set-point step kicks")
    note = "it has " + ", ".join(lacks) if lacks else ""
    if g.ti_s == INF:
        note = (
            f"{note}; TN 0 is an error there: use its PD block" if note else "TN 0 is an error there: use its PD block"
        )
    return Notation(
        "CODESYS PID",
        {"KP": -abs(g.k) if _turned(g, action) else abs(g.k), "TN": 0.0 if g.ti_s == INF else g.ti_s, "TV": g.td_s},
        {"KP": per, "TN": "s", "TV": "s"},
        "Y = Y_OFFSET + KP (e + 1/TN integral(e dt) + TV de/dt), e = SET_POINT - ACTUAL",
        note,
    )


def from_codesys(kp: float, tn_s: float, tv_s: float) -> IsaGains:
    """CODESYS Util PID: ISA without filter or weights (n = inf, b = c = 1). ``tn_s`` 0 means no integral action."""
    return IsaGains(kp, tn_s if tn_s != 0.0 else INF, tv_s, INF, 1.0, 1.0)
