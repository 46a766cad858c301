"""The three ways PID gains are written down, and exact conversion between them. Only algebra; no behaviour.

    ISA (standard, ideal):  C(s) = k (1 + 1/(ti s) + td s/(1 + tf s)),  tf = td/n
    parallel:               C(s) = kp + ki/s + kd s/(1 + tf s)
    series (interacting):   C(s) = k (1 + 1/(ti s)) (1 + td s), multiplied out; its pure derivative k td s is filtered
                            with 1/(1 + tf s). A series form exists only for Ti >= 4 Td (real zeros).

Times are seconds, gains output unit per PV unit, always. Other notations (minutes, repeats per minute,
proportional band, percent of span, blocks of PLC vendors) come in through the functions at the end, each named for
what it takes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from linecontrol.control.pid_settings import Action

INF = math.inf
USUAL_N = 8.0  # derivative filter ratio taken where a notation has none


def _accept(name: str, value: float, ok: bool, accepted: str) -> None:
    if not ok:
        raise ValueError(f"{name} {value!r} is not accepted (accepted: {accepted})")


def _accept_weights(b: float, c: float) -> None:
    _accept("b", b, 0.0 <= b <= 1.0, "0 to 1")
    _accept("c", c, 0.0 <= c <= 1.0, "0 to 1")


@dataclass(frozen=True, slots=True)
class IsaGains:
    """ISA form. ``k`` [output unit / PV unit], not 0; ``ti_s`` > 0 or inf; ``td_s`` >= 0; ``n`` = Td/Tf > 0."""

    k: float
    ti_s: float = INF
    td_s: float = 0.0
    n: float = USUAL_N
    b: float = 1.0
    c: float = 0.0

    def __post_init__(self) -> None:
        _accept("k", self.k, isfinite(self.k) and self.k != 0.0, "finite, not 0")
        _accept("ti_s", self.ti_s, self.ti_s > 0.0, "above 0 s, or inf for no integral action")
        _accept("td_s", self.td_s, 0.0 <= self.td_s < INF, "0 s or more, finite")
        _accept("n", self.n, self.n > 0.0, "above 0")
        _accept_weights(self.b, self.c)

    @property
    def tf_s(self) -> float:
        """Derivative filter time [s]."""
        return self.td_s / self.n


@dataclass(frozen=True, slots=True)
class ParallelGains:
    """Parallel form. ``kp`` [output unit / PV unit], not 0; ``ki_per_s`` [1/s], ``kd_s`` [s], both with kp's sign."""

    kp: float
    ki_per_s: float = 0.0
    kd_s: float = 0.0
    tf_s: float = 0.0
    b: float = 1.0
    c: float = 0.0

    def __post_init__(self) -> None:
        _accept("kp", self.kp, isfinite(self.kp) and self.kp != 0.0, "finite, not 0")
        for name, value in (("ki_per_s", self.ki_per_s), ("kd_s", self.kd_s)):
            ok = isfinite(value) and value * math.copysign(1.0, self.kp) >= 0.0
            _accept(name, value, ok, "finite, 0 or of the same sign as kp")
        _accept("tf_s", self.tf_s, 0.0 <= self.tf_s < INF, "0 s or more, finite")
        _accept_weights(self.b, self.c)


@dataclass(frozen=True, slots=True)
class SeriesGains:
    """Series form. ``k`` [output unit / PV unit], not 0; ``ti_s`` > 0 or inf; 0 <= ``td_s`` <= ti_s."""

    k: float
    ti_s: float = INF
    td_s: float = 0.0
    tf_s: float = 0.0
    b: float = 1.0
    c: float = 0.0

    def __post_init__(self) -> None:
        _accept("k", self.k, isfinite(self.k) and self.k != 0.0, "finite, not 0")
        _accept("ti_s", self.ti_s, self.ti_s > 0.0, "above 0 s, or inf for no integral action")
        ok = 0.0 <= self.td_s < INF and self.td_s <= self.ti_s
        # Ti and Td of a series form may be swapped without changing it; the larger is called Ti, so that
        # every controller has exactly one series form.
        _accept("td_s", self.td_s, ok, "0 s up to ti_s; swap them, the series form is the same")
        _accept("tf_s", self.tf_s, 0.0 <= self.tf_s < INF, "0 s or more, finite")
        _accept_weights(self.b, self.c)


def _ratio(td_s: float, tf_s: float) -> float:
    """N = Td/Tf; the usual one where there is no derivative, inf where there is no filter."""
    if td_s == 0.0:
        return USUAL_N
    return td_s / tf_s if tf_s > 0.0 else INF


def isa_to_parallel(g: IsaGains) -> ParallelGains:
    """Exact: ki = k/Ti, kd = k Td, same filter time."""
    return ParallelGains(g.k, g.k / g.ti_s, g.k * g.td_s, g.tf_s, g.b, g.c)


def parallel_to_isa(g: ParallelGains) -> IsaGains:
    """Exact: Ti = kp/ki (inf for ki = 0), Td = kd/kp, same filter time."""
    ti_s = g.kp / g.ki_per_s if g.ki_per_s != 0.0 else INF
    td_s = abs(g.kd_s / g.kp)
    return IsaGains(g.kp, ti_s, td_s, _ratio(td_s, g.tf_s), g.b, g.c)


def series_to_isa(g: SeriesGains) -> IsaGains:
    """Exact: k (Ti+Td)/Ti, Ti + Td, Ti Td/(Ti+Td), same filter time."""
    share = 0.0 if g.ti_s == INF else g.td_s / g.ti_s
    td_s = g.td_s / (1.0 + share)
    return IsaGains(g.k * (1.0 + share), g.ti_s + g.td_s, td_s, _ratio(td_s, g.tf_s), g.b, g.c)


def isa_to_series(g: IsaGains) -> SeriesGains:
    """Exact where it exists. Raises ValueError for Ti < 4 Td: such a controller has complex zeros."""
    if g.ti_s < 4.0 * g.td_s:
        raise ValueError(
            f"no series form exists for Ti {g.ti_s:g} s and Td {g.td_s:g} s (accepted: Ti at least 4 Td ="
            f" {4.0 * g.td_s:g} s); keep the ISA or parallel form, or reduce Td to {g.ti_s / 4.0:g} s"
        )
    root = 1.0 if g.ti_s == INF else math.sqrt(1.0 - 4.0 * g.td_s / g.ti_s)
    half = 0.5 * (1.0 + root)
    # Td' = Td/half and not Ti/2 (1 - root): no digits are lost for small Td.
    return SeriesGains(g.k * half, g.ti_s * half, g.td_s / half, g.tf_s, g.b, g.c)


def series_to_parallel(g: SeriesGains) -> ParallelGains:
    """By way of ISA; exact."""
    return isa_to_parallel(series_to_isa(g))


def parallel_to_series(g: ParallelGains) -> SeriesGains:
    """By way of ISA; exact where it exists. Raises ValueError as ``isa_to_series``."""
    return isa_to_series(parallel_to_isa(g))


def lead_lag_to_isa(k: float, ti_s: float, td_s: float, filter_s: float, *, b: float = 1.0, c: float = 0.0) -> IsaGains:
    """The series form as analogue and many digital controllers build it, k (1 + 1/(ti s)) (1 + td s)/(1 + filter s).

    Exact: the lead-lag is 1 + (td - filter) s/(1 + filter s). Raises ValueError unless 0 <= filter_s <= td_s and
    filter_s <= ti_s (otherwise its derivative part is negative, which no ISA form has).
    """
    _accept("filter_s", filter_s, 0.0 <= filter_s <= min(td_s, ti_s), f"0 s to {min(td_s, ti_s):g} s")
    _accept("ti_s", ti_s, ti_s > 0.0, "above 0 s")
    lead_s = td_s - filter_s
    share = 0.0 if ti_s == INF else lead_s / ti_s
    isa_td_s = (lead_s if ti_s == INF else lead_s * (1.0 - filter_s / ti_s)) / (1.0 + share)
    return IsaGains(k * (1.0 + share), ti_s + lead_s, isa_td_s, _ratio(isa_td_s, filter_s), b, c)


def gains_from_row(row: Mapping[str, object]) -> IsaGains:
    """Gains as a line file writes them: ``form`` isa (k, ti_s, td_s, n), parallel (kp, ki_per_s, kd_s, tf_s) or
    series (k, ti_s, td_s, tf_s), each with b and c. Raises ValueError naming key and accepted values."""
    form = row.get("form", "isa")
    values = {key: number(f"gains.{key}", value) for key, value in row.items() if key != "form"}
    kinds: dict[object, type[IsaGains] | type[ParallelGains] | type[SeriesGains]]
    kinds = {"isa": IsaGains, "parallel": ParallelGains, "series": SeriesGains}
    if form not in kinds:
        raise ValueError(f"gains.form {form!r} is not accepted (accepted: isa, parallel, series)")
    known = tuple(kinds[form].__dataclass_fields__)
    for key in values:
        if key not in known:
            raise ValueError(f"gains.{key} is not known in the {form} form (accepted: {', '.join(known)})")
    if known[0] not in values:
        raise ValueError(f"gains.{known[0]} is missing (accepted: finite, not 0)")
    try:
        gains = kinds[form](**values)
    except ValueError as error:
        raise ValueError(f"gains.{error}") from None
    if isinstance(gains, ParallelGains):
        return parallel_to_isa(gains)
    return series_to_isa(gains) if isinstance(gains, SeriesGains) else gains


def number(key: str, value: object) -> float:
    """A plain number that is not NaN (inf passes). Raises ValueError naming the key."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise ValueError(f"{key} {value!r} is not accepted (accepted: a number)")
    return float(value)


# --- other notations -------------------------------------------------------------------------------------------------


def gain_in_percent_span(k: float, pv_span: float, op_span: float) -> float:
    """K in % of output span per % of PV span, from K in engineering units. Spans > 0."""
    _accept("pv_span", pv_span, 0.0 < pv_span < INF, "above 0")
    _accept("op_span", op_span, 0.0 < op_span < INF, "above 0")
    return k * pv_span / op_span


def gain_from_percent_span(k_percent: float, pv_span: float, op_span: float) -> float:
    """K in engineering units [output unit / PV unit], from % of output span per % of PV span. Spans > 0."""
    return k_percent / gain_in_percent_span(1.0, pv_span, op_span)


def gain_from_proportional_band(band_percent: float, pv_span: float, op_span: float) -> float:
    """K in engineering units from a proportional band [% of PV span that moves the output over its span], > 0."""
    _accept("band_percent", band_percent, 0.0 < band_percent < INF, "above 0 %")
    return gain_from_percent_span(100.0 / band_percent, pv_span, op_span)


def ti_s_from_minutes(minutes_per_repeat: float) -> float:
    """Integral time [s] from minutes per repeat, > 0."""
    _accept("minutes_per_repeat", minutes_per_repeat, minutes_per_repeat > 0.0, "above 0 min")
    return 60.0 * minutes_per_repeat


def ti_s_from_repeats_per_minute(repeats_per_min: float) -> float:
    """Integral time [s] from a reset rate in repeats per minute, >= 0; 0 = no integral action."""
    _accept("repeats_per_min", repeats_per_min, 0.0 <= repeats_per_min < INF, "0 or more per minute")
    return 60.0 / repeats_per_min if repeats_per_min > 0.0 else INF


def from_pid_compact(
    *,
    gain: float,
    ti_s: float,
    td_s: float,
    td_filt_ratio: float,
    p_weighting: float,
    d_weighting: float,
    invert_control: bool,
) -> tuple[IsaGains, Action]:
    """Siemens PID_Compact: y = Kp[(b w - x) + (w - x)/(TI s) + TD s/(a TD s + 1) (c w - x)], a = TdFiltRatio.

    Source: SIMATIC S7-1200 System Manual A5E02486680-06 (04/2012), PID_Compact instruction. ``ti_s`` 0 is taken as
    "no integral action". ``gain`` is in % of output per PV unit, as the block has it.
    """
    _accept("td_filt_ratio", td_filt_ratio, 0.0 <= td_filt_ratio < INF, "0 or more")
    n = 1.0 / td_filt_ratio if td_filt_ratio > 0.0 else INF
    gains = IsaGains(gain, ti_s if ti_s != 0.0 else INF, td_s, n, p_weighting, d_weighting)
    return gains, "direct" if invert_control else "reverse"


def from_fb_ctrl_pid(
    *,
    kp: float,
    tn_s: float,
    tv_s: float,
    td_s: float,
    p_in_feedback_path: bool = False,
    d_in_feedback_path: bool = False,
) -> IsaGains:
    """Beckhoff FB_CTRL_PID: additive form Kp (1 + 1/(Tn s) + Tv s/(1 + Td s)); its Td is the *filter* time.

    Source: infosys.beckhoff.com, Controller Toolbox, FB_CTRL_PID. ``tn_s`` 0 is taken as "no integral action".
    """
    b, c = float(not p_in_feedback_path), float(not d_in_feedback_path)
    return IsaGains(kp, tn_s if tn_s != 0.0 else INF, tv_s, _ratio(tv_s, td_s), b, c)
