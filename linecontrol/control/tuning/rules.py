"""Tuning rules of the literature, each with its formula and source, as ISA gains. Only algebra. Times in seconds.

A process with more than the rule knows is reduced by the half rule first. Gains carry the sign of the process gain,
so that ``action`` stays "reverse". No rule gives 0, NaN or another sign: what it cannot serve, it refuses (ValueError).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from linecontrol.control.forms import USUAL_N, IsaGains, SeriesGains, series_to_isa
from linecontrol.control.tuning.models import Process, half_rule


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of thumb.

    Attributes:
        name: short, e.g. "SIMC PI"; formula: as written by its authors; source: where it stands.
        gains: from a process to ISA gains; raises ValueError when the rule does not serve it.
    """

    name: str
    formula: str
    source: str
    gains: Callable[[Process], IsaGains]


def _needs(ok: bool, rule: str, what: str) -> None:
    if not ok:
        raise ValueError(f"{rule} does not serve this process: {what}")


def _from_series(k: float, ti_s: float, td_s: float, b: float = 1.0) -> IsaGains:
    """Series gains (Ti and Td in any order), filtered as ours: Tf = Td(ISA)/N."""
    isa = series_to_isa(SeriesGains(k, max(ti_s, td_s), min(ti_s, td_s)))
    swap = (1.0 + td_s / ti_s) / (1.0 + min(ti_s, td_s) / max(ti_s, td_s))  # k is that of the order given
    return IsaGains(isa.k * swap, isa.ti_s, isa.td_s, USUAL_N, b)


def simc_pi(process: Process, tc_s: float | None = None) -> IsaGains:
    """SIMC PI. ``tc_s``: closed-loop time constant [s], > -L; None = L (tight)."""
    p = half_rule(process)
    tc = p.delay_s if tc_s is None else tc_s
    _needs(tc + p.delay_s > 0.0, "SIMC PI", "without delay or further lag its gain has no limit; give tc_s")
    if p.integrating:
        return IsaGains(1.0 / (p.gain * (tc + p.delay_s)), 4.0 * (tc + p.delay_s))
    _needs(p.t1_s > 0.0, "SIMC PI", "it has no lag (a pure delay wants integral action only)")
    return IsaGains(p.t1_s / (p.gain * (tc + p.delay_s)), min(p.t1_s, 4.0 * (tc + p.delay_s)))


def simc_pid(process: Process, tc_s: float | None = None) -> IsaGains:
    """SIMC PID (series, Td = second lag). Needs a second lag, or one lag beside an integrator."""
    p = half_rule(process, 2)
    second = p.t1_s if p.integrating else p.t2_s
    _needs(second > 0.0, "SIMC PID", "it has no second lag to cancel; use SIMC PI")
    tc = p.delay_s if tc_s is None else tc_s
    _needs(tc + p.delay_s > 0.0, "SIMC PID", "without delay its gain has no limit; give tc_s")
    if p.integrating:
        return _from_series(1.0 / (p.gain * (tc + p.delay_s)), 4.0 * (tc + p.delay_s), second)
    return _from_series(p.t1_s / (p.gain * (tc + p.delay_s)), min(p.t1_s, 4.0 * (tc + p.delay_s)), second)


def isimc_pi(process: Process, tc_s: float | None = None) -> IsaGains:
    """Improved SIMC PI: a third of the delay counts as lag."""
    p = half_rule(process)
    tc = p.delay_s if tc_s is None else tc_s
    _needs(tc + p.delay_s > 0.0, "iSIMC PI", "without delay or further lag its gain has no limit; give tc_s")
    if p.integrating:
        return simc_pi(p, tc)
    lag = p.t1_s + p.delay_s / 3.0
    return IsaGains(lag / (p.gain * (tc + p.delay_s)), min(lag, 4.0 * (tc + p.delay_s)))


def isimc_pid(process: Process, tc_s: float | None = None) -> IsaGains:
    """Improved SIMC PID (series): Td = L/3, tc = L/2."""
    p = half_rule(process)
    _needs(p.delay_s > 0.0, "iSIMC PID", "without delay its gain has no limit and its Td is 0")
    tc = 0.5 * p.delay_s if tc_s is None else tc_s
    if p.integrating:
        return _from_series(1.0 / (p.gain * (tc + p.delay_s)), 4.0 * (tc + p.delay_s), p.delay_s / 3.0)
    _needs(p.t1_s > 0.0, "iSIMC PID", "it has no lag")
    k = p.t1_s / (p.gain * (tc + p.delay_s))
    return _from_series(k, min(p.t1_s, 4.0 * (tc + p.delay_s)), p.delay_s / 3.0)


def amigo_pi(process: Process) -> IsaGains:
    """AMIGO PI."""
    p = half_rule(process)
    length, lag = p.delay_s, p.t1_s
    _needs(length > 0.0, "AMIGO PI", "without delay its gain has no limit")
    if p.integrating:
        return IsaGains(0.35 / (p.gain * length), 13.4 * length)
    k = (0.15 + (0.35 - length * lag / (length + lag) ** 2) * lag / length) / p.gain
    ti = 0.35 * length + 13.0 * length * lag * lag / (lag * lag + 12.0 * length * lag + 7.0 * length * length)
    return IsaGains(k, ti)


def amigo_pid(process: Process) -> IsaGains:
    """AMIGO PID; set-point weight 0 up to L/(L+T) = 0.5, then 1."""
    p = half_rule(process)
    length, lag = p.delay_s, p.t1_s
    _needs(length > 0.0, "AMIGO PID", "without delay its gain has no limit")
    if p.integrating:
        return IsaGains(0.45 / (p.gain * length), 8.0 * length, 0.5 * length, USUAL_N, 0.0)
    k = (0.2 + 0.45 * lag / length) / p.gain
    ti = length * (0.4 * length + 0.8 * lag) / (length + 0.1 * lag)
    td = 0.5 * length * lag / (0.3 * length + lag)
    return IsaGains(k, ti, td, USUAL_N, 0.0 if length <= lag else 1.0)


def lambda_pi(process: Process, lambda_s: float | None = None) -> IsaGains:
    """Lambda PI. ``lambda_s``: closed-loop time constant [s], > 0; None = max(T, L)."""
    p = half_rule(process)
    aim = max(p.t1_s, p.delay_s) if lambda_s is None else lambda_s
    _needs(aim > 0.0, "lambda PI", "it has neither lag nor delay; give lambda_s")
    if p.integrating:
        aim = 3.0 * p.delay_s if lambda_s is None else lambda_s
        return IsaGains((2.0 * aim + p.delay_s) / (p.gain * (aim + p.delay_s) ** 2), 2.0 * aim + p.delay_s)
    _needs(p.t1_s > 0.0, "lambda PI", "it has no lag (a pure delay wants integral action only)")
    return IsaGains(p.t1_s / (p.gain * (aim + p.delay_s)), p.t1_s)


_SIMC = "S. Skogestad, Simple analytic rules for model reduction and PID controller tuning, JPC 13:291, 2003"
_ISIMC = "C. Grimholt, S. Skogestad, Optimal PI and PID control of first-order plus delay processes, JPC 70:36, 2018"
_AMIGO = "K. J. Astrom, T. Hagglund, Revisiting the Ziegler-Nichols step response method, JPC 14:635, 2004"
_LAMBDA = "E. B. Dahlin, Designing and tuning digital controllers, Instruments & Control Systems 41, 1968"

RULES: tuple[Rule, ...] = (
    Rule("SIMC PI", "K = T/(Kp(tc + L)), Ti = min(T, 4(tc + L)), tc = L", _SIMC, simc_pi),
    Rule("SIMC PID", "series: K = T1/(Kp(tc + L)), Ti = min(T1, 4(tc + L)), Td = T2, tc = L", _SIMC, simc_pid),
    Rule("iSIMC PI", "K = (T + L/3)/(Kp(tc + L)), Ti = min(T + L/3, 4(tc + L)), tc = L", _ISIMC, isimc_pi),
    Rule("iSIMC PID", "series: K = T/(Kp(tc + L)), Ti = min(T, 4(tc + L)), Td = L/3, tc = L/2", _ISIMC, isimc_pid),
    Rule(
        "AMIGO PI",
        "K = 0.15/Kp + (0.35 - LT/(L+T)^2) T/(Kp L), Ti = 0.35 L + 13 L T^2/(T^2 + 12 L T + 7 L^2)",
        _AMIGO,
        amigo_pi,
    ),
    Rule(
        "AMIGO PID",
        "K = (0.2 + 0.45 T/L)/Kp, Ti = L (0.4 L + 0.8 T)/(L + 0.1 T), Td = 0.5 L T/(0.3 L + T)",
        _AMIGO,
        amigo_pid,
    ),
    Rule("lambda PI", "K = T/(Kp(lambda + L)), Ti = T, lambda = max(T, L)", _LAMBDA, lambda_pi),
)
