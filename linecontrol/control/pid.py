"""The PID algorithm: ISA form, two degrees of freedom, pure. No clock, no I/O, no modes (those are in ``loop``).

    u = K [ (b r - y) + 1/Ti ∫(r - y) dt + Td s/(1 + s Tf) (c r - y) ] + FF,   Tf = Td/N

``K`` is positive for reverse action (output falls when the PV rises: heating) and negated for direct action.

Discretisation. Set point and PV are taken as straight lines between samples. The integral is then the trapezoid,
the filtered derivative its ramp-invariant equivalent; both are *exact* for such inputs at any spacing of samples.
The derivative's pole is exp(-dt/Tf) > 0, so it never rings, and for Tf -> 0 it becomes the backward difference.

Bumpless by construction: P and D of the previous sample are worked out again with today's settings, and the
difference goes into the integral. Any change of K, Ti, Td, N, b, c, deadband or limits between two calls therefore
leaves the output where it was. Anti-windup sees the output after absolute *and* rate limits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from math import exp, isfinite
from typing import Any, NamedTuple

from linecontrol.control.pid_settings import INF, Action, AntiWindup, PidSettings

__all__ = ["GAP_PERIODS", "Action", "AntiWindup", "Pid", "PidSettings", "PidState", "Terms", "step"]

GAP_PERIODS = 5.0  # a pause longer than this many usual sample times is not integrated
_new = tuple.__new__  # builds a record in half the time; every loop makes some in every cycle


class PidState(NamedTuple):
    """What the algorithm remembers from one sample to the next.

    Attributes:
        out: the output as it left [output unit].
        i, i_low: integral contribution (bias included) as a compensated sum [output unit].
        p, d: contributions of the last good sample [output unit].
        slope: filtered slope of c r - y [PV unit/s].
        ff: feed-forward of the last sample [output unit]; None = off.
        sp, pv: the last good sample; NaN before the first.
        bad_s: time since the last good sample [s].
        usual_s: learned sample time [s]; 0 before the first sample.
        limits: (low, high, rate up, rate down) of the last sample, so that a change is noticed.
    """

    out: float = 0.0
    i: float = 0.0
    i_low: float = 0.0
    p: float = 0.0
    d: float = 0.0
    slope: float = 0.0
    ff: float | None = None
    sp: float = math.nan
    pv: float = math.nan
    bad_s: float = 0.0
    usual_s: float = 0.0
    limits: tuple[float, float, float, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for strict JSON (NaN and infinite limits become None)."""
        plain: dict[str, Any] = {k: (v if v is None or v == v else None) for k, v in self._asdict().items()}
        if self.limits is not None:
            plain["limits"] = [x if isfinite(x) else None for x in self.limits]
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> PidState:
        """The state that ``to_dict`` gave, bit for bit. Raises ValueError when a value is missing or not a number."""
        try:
            numbers = {k: float(plain[k]) for k in ("out", "i", "i_low", "p", "d", "slope", "bad_s", "usual_s")}
            pair = {k: math.nan if plain[k] is None else float(plain[k]) for k in ("sp", "pv")}
            ff = None if plain["ff"] is None else float(plain["ff"])
            limits = plain["limits"]
            if limits is not None:
                low, high, up, down = (INF if x is None else float(x) for x in limits)
                limits = (low, high, up, down)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a saved PID state: {error!r}") from error
        if not all(isfinite(x) for x in numbers.values()) or not (ff is None or isfinite(ff)):
            raise ValueError("not a saved PID state: a value is not finite")
        return cls(**numbers, **pair, ff=ff, limits=limits)


class Terms(NamedTuple):
    """What the output is made of: p + i + d + ff + tracking = output (to rounding).

    ``tracking`` is what limits take away (or a hold keeps), after the integral was corrected.

    Attributes:
        high, low: the absolute limit holds the output; rate: the rate limit does.
        held: an input was not finite, or absurd; output and integral are frozen.
        restarted: continued from the held output without integrating (first sample, or after a long pause).
    """

    p: float
    i: float
    d: float
    ff: float
    tracking: float
    high: bool = False
    low: bool = False
    rate: bool = False
    held: bool = False
    restarted: bool = False


def _proportional(s: PidSettings, sp: float, pv: float) -> float:
    if s.deadband == 0.0:
        return s.gain * (s.b * sp - pv)
    return s.gain * ((s.b - 1.0) * sp + _outside(sp - pv, s.deadband))


def _outside(error: float, deadband: float) -> float:
    """The part of the error beyond the deadband; continuous, so that the band's edge makes no jump."""
    if error > deadband:
        return error - deadband
    return error + deadband if error < -deadband else 0.0


_Flags = tuple[bool, bool, bool]  # the output is held by the high limit, the low limit, the rate limit
_FREE, _HIGH, _LOW, _RATE = (False, False, False), (True, False, False), (False, True, False), (False, False, True)


def _limited(s: PidSettings, wanted: float, out: float, dt_s: float) -> tuple[float, _Flags]:
    """Absolute limits, then rate limits from ``out``."""
    u, flags = wanted, _FREE
    if u > s.op_high:
        u, flags = s.op_high, _HIGH
    elif u < s.op_low:
        u, flags = s.op_low, _LOW
    if s.rated:
        top, bottom = out + s.op_rate_up_per_s * dt_s, out - s.op_rate_down_per_s * dt_s
        if u > top:
            return top, _RATE
        if u < bottom:
            return bottom, _RATE
    return u, flags


def _led(s: PidSettings, out: float, track: float | None, dt_s: float) -> tuple[float, float, _Flags]:
    """Output, the value the sum is to stand at, and flags when the output is led: tracking, or staying where it is.

    Staying, only moved limits can move it.
    """
    if track is not None and isfinite(track):
        aim = min(max(track, s.op_low), s.op_high)
        return aim, aim, _FREE
    aim = min(max(out, s.op_low), s.op_high)
    u, flags = _limited(s, aim, out, dt_s)
    return u, aim, flags


def _hold(s: PidSettings, x: PidState, dt_s: float, track: float | None) -> tuple[float, PidState, Terms]:
    """Output and integral frozen. When the output is led meanwhile, the sum is made to stand where it was led to."""
    u, aim, flags = _led(s, x.out, track, dt_s)
    ff = x.ff or 0.0
    i, i_low = x.i, x.i_low
    if track is not None or u != x.out:
        i, i_low = aim - (x.p + x.d + ff), 0.0
    state = x._replace(out=u, i=i, i_low=i_low, bad_s=x.bad_s + dt_s, limits=s.limits)
    return u, state, Terms(x.p, i, x.d, ff, u - (x.p + i + x.d + ff), *flags, held=True)


def _slope(s: PidSettings, x: PidState, sp: float, pv: float, elapsed_s: float) -> float:
    """Filtered slope of c r - y [PV unit/s], ramp-invariant."""
    keep = exp(-elapsed_s / s.filter_s) if s.filter_s > 0.0 else 0.0
    return keep * x.slope + (1.0 - keep) * (s.c * (sp - x.sp) - (pv - x.pv)) / elapsed_s


def _rebase(s: PidSettings, x: PidState, ff_off: bool, ff: float) -> float:
    """What must go into the integral so that changed settings leave the last sample's sum where it was.

    Exactly 0 when nothing was changed.
    """
    change = (x.p - _proportional(s, x.sp, x.pv)) + (x.d - s.kd * x.slope)
    if ff_off is not (x.ff is None):
        change += (x.ff or 0.0) if ff_off else -ff
    if s.limits != x.limits:  # then the sum is to stand at the last output, or at the nearest new limit
        change += min(max(x.out, s.op_low), s.op_high) - (x.p + x.i + x.d + (x.ff or 0.0))
    return change


def _integral_step(
    s: PidSettings, sp: float, pv: float, x: PidState, dt_s: float, block_up: bool, block_down: bool
) -> float:
    """Trapezoid of the error over ``dt_s`` [output unit], unless what lies downstream blocks that direction."""
    if s.deadband == 0.0:
        di = s.ki * dt_s * 0.5 * ((sp - pv) + (x.sp - x.pv))
    else:
        di = s.ki * dt_s * 0.5 * (_outside(sp - pv, s.deadband) + _outside(x.sp - x.pv, s.deadband))
    return 0.0 if (block_up and di > 0.0) or (block_down and di < 0.0) else di


def _integrate(
    s: PidSettings, x: PidState, base: float, rest: float, di: float, away: float, dt_s: float
) -> tuple[float, float, _Flags]:
    """Add the integral step, limit, and keep the integral from winding up.

    Args:
        base: P + D + FF of this sample; rest: corrections to the integral so far; di: its step [output unit].
        away: what was really applied minus our output, last sample (external reset; 0 when not in use).

    Returns:
        output, all that the integral is to change by, limit flags (high, low, rate).
    """
    wanted = base + (x.i + (rest + di))
    u, flags = _limited(s, wanted, x.out, dt_s)
    excess = u - wanted
    if excess != 0.0 or away != 0.0:
        if s.anti_windup == "back-calculation":
            if s.tracking_s < INF:
                span = s.op_high - s.op_low
                pull = excess + away
                if abs(pull) > span and pull * di < 0.0:  # far outside: this step would only push it further
                    di = 0.0
                    wanted = base + (x.i + rest)
                    u, flags = _limited(s, wanted, x.out, dt_s)
                    pull = (u - wanted) + away
                # One wild sample must not empty the integral, so its pull is at most one span.
                pull = min(max(pull, -span), span)
                rest += pull * (1.0 - exp(-dt_s / s.tracking_s) if s.tracking_s > 0.0 else 1.0)
        elif away * di < 0.0:  # a selector has passed less than we asked for: do not ask for more
            di = 0.0
            u, flags = _limited(s, base + (x.i + rest), x.out, dt_s)
        elif excess * di < 0.0:  # only as far as the limit; the output is the limit all the same
            di = max(di + excess, 0.0) if di > 0.0 else min(di + excess, 0.0)
    return u, rest + di, flags


def step(
    settings: PidSettings,
    state: PidState,
    sp: float,
    pv: float,
    dt_s: float,
    *,
    feedforward: float | None = None,
    track: float | None = None,
    applied: float | None = None,
    block_up: bool = False,
    block_down: bool = False,
) -> tuple[float, PidState, Terms]:
    """One sample of the controller.

    Args:
        sp, pv: set point and measurement [PV unit]; anything not finite, or so large that the terms come to a million
            output spans, holds the output and freezes the integral.
        dt_s: time since the last call [s], > 0.
        feedforward: added before the limits and never part of the integral [output unit]. None = switched off;
            None <-> number is bumpless, number -> number acts at once; NaN or an absurd number keeps the last.
        track: the output follows this value within the absolute limits (manual, initialisation); the integral is
            set so that leaving it makes no bump. NaN = stay.
        applied: what the actuator or selector really took last sample [output unit] (external reset).
        block_up, block_down: downstream is saturated: do not integrate further up or down.

    Returns:
        output, new state, terms. The output is always finite, and within the limits unless the rate limit has still
        to bring it there.

    Raises:
        ValueError: dt_s is 0, negative or not finite.
    """
    if not 0.0 < dt_s < INF:
        raise ValueError(f"dt_s {dt_s} is not accepted (accepted: above 0 s, finite)")
    if not (isfinite(pv) and isfinite(sp)):
        return _hold(settings, state, dt_s, track)
    s, x = settings, state
    p = _proportional(s, sp, pv)
    elapsed = x.bad_s + dt_s
    fresh = x.pv == x.pv and elapsed <= (GAP_PERIODS * x.usual_s if s.gap_s is None else s.gap_s)
    slope = _slope(s, x, sp, pv, elapsed) if fresh and s.kd != 0.0 else 0.0
    d = s.kd * slope
    ff = 0.0 if feedforward is None else feedforward if abs(feedforward) <= s.absurd else (x.ff or 0.0)
    base = p + d + ff
    if fresh and track is None:
        rest = x.i_low + _rebase(s, x, feedforward is None, ff)
        di = _integral_step(s, sp, pv, x, dt_s, block_up, block_down)
        away = applied - x.out if applied is not None and isfinite(applied) else 0.0
        u, rest, flags = _integrate(s, x, base, rest, di, away, dt_s)
        i = x.i + rest
        i_low = rest - (i - x.i)
    else:
        u, aim, flags = _led(s, x.out, track, dt_s)
        i, i_low = aim - base, 0.0
    if not (abs(i) <= s.absurd and abs(base) <= s.absurd):  # NaN fails too
        return _hold(s, x, dt_s, track)
    kept_ff = None if feedforward is None else ff
    after = (u, i, i_low, p, d, slope, kept_ff, sp, pv, 0.0, _learned(x.usual_s, dt_s), s.limits)
    return u, _new(PidState, after), _new(Terms, (p, i, d, ff, u - (base + i), *flags, False, not fresh))


def _learned(usual_s: float, dt_s: float) -> float:
    """Usual sample time: a slow average that a single long pause can at most double."""
    if usual_s == 0.0:
        return dt_s
    return usual_s + 0.25 * (dt_s - usual_s) if dt_s <= GAP_PERIODS * usual_s else 2.0 * usual_s


class Pid:
    """Settings and state held together: the same steps for those who want an object. Not thread-safe."""

    __slots__ = ("settings", "state")

    def __init__(self, settings: PidSettings, state: PidState | None = None) -> None:
        self.settings = settings
        self.state = PidState() if state is None else state

    def step(
        self,
        sp: float,
        pv: float,
        dt_s: float,
        *,
        feedforward: float | None = None,
        track: float | None = None,
        applied: float | None = None,
        block_up: bool = False,
        block_down: bool = False,
    ) -> tuple[float, Terms]:
        """As the function ``step``; keeps the new state. Returns output and terms."""
        out, self.state, terms = step(
            self.settings,
            self.state,
            sp,
            pv,
            dt_s,
            feedforward=feedforward,
            track=track,
            applied=applied,
            block_up=block_up,
            block_down=block_down,
        )
        return out, terms
