"""Processes as a tuner knows them: one gain, up to two lags, a zero, a delay, with or without an integrator. Pure.

    G(s) = K (1 + z s) e^(-L s) / (s^i (T1 s + 1) (T2 s + 1)),   i = 0 or 1

z < 0 is an inverse response, z > 0 an overshooting one. K is [PV unit / output unit], for an integrating process
[PV unit / output unit / s]. The step response is exact, so L is continuous: it need not be a multiple of a sample.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Kind = Literal["fopdt", "equal-lags", "sopdt", "inverse", "integrating", "integrating-lag"]

_APART = 1e-5  # lags closer than this (relative) are moved apart, symmetrically; the response changes by its square


class Plant(Protocol):
    """Anything linear whose answer to e^(st) is known: what robustness and responses are worked out for."""

    @property
    def scale_s(self) -> float:
        """A time that is typical of it [s], > 0: lags plus delay."""

    @property
    def gain(self) -> float:
        """Static gain [PV unit / output unit], or that of its slope [1/s of it] when integrating; not 0."""

    @property
    def integrating(self) -> bool:
        """It has one pole at 0."""

    def transfer(self, s: ComplexArray) -> ComplexArray:
        """G(s) at these complex frequencies [rad/s]."""


@dataclass(frozen=True, slots=True)
class Process:
    """The process above. Raises ValueError when a value is not accepted.

    Attributes:
        gain: K, finite, not 0. t1_s, t2_s: lags [s], >= 0. zero_s: z [s], finite. delay_s: L [s], >= 0.
    """

    gain: float
    t1_s: float = 0.0
    delay_s: float = 0.0
    t2_s: float = 0.0
    zero_s: float = 0.0
    integrating: bool = False

    def __post_init__(self) -> None:
        if not isfinite(self.gain) or self.gain == 0.0:
            raise ValueError(f"gain {self.gain!r} is not accepted (accepted: finite, not 0)")
        for name in ("t1_s", "t2_s", "delay_s"):
            value = getattr(self, name)
            if not 0.0 <= value < math.inf:
                raise ValueError(f"{name} {value!r} is not accepted (accepted: 0 s or more, finite)")
        if not isfinite(self.zero_s):
            raise ValueError(f"zero_s {self.zero_s!r} is not accepted (accepted: finite)")

    @property
    def scale_s(self) -> float:
        """Lags plus delay plus the size of the zero [s]; 1 for a pure gain or pure integrator."""
        return (self.t1_s + self.t2_s + self.delay_s + abs(self.zero_s)) or 1.0

    @property
    def kind(self) -> Kind:
        """Its class by structure."""
        if self.integrating:
            return "integrating-lag" if self.t1_s + self.t2_s > 0.0 or self.zero_s != 0.0 else "integrating"
        if self.zero_s != 0.0:
            return "inverse"
        if min(self.t1_s, self.t2_s) == 0.0:
            return "fopdt"
        return "equal-lags" if self.t1_s == self.t2_s else "sopdt"

    @property
    def relative_delay(self) -> float:
        """L/(L + T) of the half-rule reduction, 0 (lag) to 1 (delay); 0 for an integrating process without lag."""
        small = half_rule(self)
        return 0.0 if small.integrating else small.delay_s / (small.delay_s + small.t1_s or 1.0)

    def delayed(self, seconds: float) -> Process:
        """The same with this much more delay [s] (half a sample of a hold, say)."""
        return replace(self, delay_s=self.delay_s + seconds)

    def transfer(self, s: ComplexArray) -> ComplexArray:
        """G(s) at complex frequencies [rad/s]."""
        below = (self.t1_s * s + 1.0) * (self.t2_s * s + 1.0)
        if self.integrating:
            below = below * s
        top = self.gain * (1.0 + self.zero_s * s)
        return np.asarray(top * np.exp(-self.delay_s * s) / below, dtype=np.complex128)


def _apart(t1_s: float, t2_s: float) -> tuple[float, float]:
    high, low = max(t1_s, t2_s), min(t1_s, t2_s)
    if high > 0.0 and high - low < 2.0 * _APART * high:
        middle = 0.5 * (high + low)
        return middle * (1.0 + _APART), middle * (1.0 - _APART)
    return high, low


def _trail(times: FloatArray, moves: FloatArray, at: FloatArray, behind: NDArray[np.intp], lag_s: float) -> FloatArray:
    """Sum over past moves of move * exp(-(t - its time)/lag): what is left of them at times ``at``."""
    if lag_s <= 0.0:
        return np.zeros_like(at)
    held = np.empty(len(moves) + 1)
    held[0] = 0.0
    level = 0.0
    fade = np.exp(-np.diff(times) / lag_s, dtype=np.float64)
    for n, move in enumerate(moves.tolist()):
        level = (level * float(fade[n - 1]) if n else 0.0) + move
        held[n + 1] = level
    since = np.where(behind > 0, at - times[np.maximum(behind - 1, 0)], 0.0)
    return np.asarray(held[behind] * np.exp(-since / lag_s), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Moves:
    """When the output moved, and by how much: a held signal. ``times_s`` rise; ``sizes`` [output unit]."""

    times_s: FloatArray
    sizes: FloatArray

    @classmethod
    def of(cls, t_s: FloatArray, u: FloatArray) -> Moves:
        """Of an output that was ``u[k]`` from ``t_s[k]`` on, and ``u[0]`` ever before."""
        changed = np.flatnonzero(np.diff(u)) + 1
        return cls(t_s[changed], np.diff(u)[changed - 1])


def answer(process: Process, moves: Moves, at_s: FloatArray) -> FloatArray:
    """The PV's deviation at times ``at_s`` [s], in any order, after these moves. Exact at any spacing."""
    if len(moves.sizes) == 0:
        return np.zeros_like(at_s)
    times, sizes = moves.times_s + process.delay_s, moves.sizes
    behind = np.searchsorted(times, at_s, side="right")
    total = np.concatenate(([0.0], np.cumsum(sizes)))[behind]
    t1, t2 = _apart(process.t1_s, process.t2_s)
    z = process.zero_s
    a1, a2 = ((t1 - z) / (t1 - t2), (t2 - z) / (t1 - t2)) if t1 > 0.0 else (0.0, 0.0)
    one, two = _trail(times, sizes, at_s, behind, t1), _trail(times, sizes, at_s, behind, t2)
    if not process.integrating:
        y = total - a1 * one + a2 * two
    else:
        y = at_s * total - np.concatenate(([0.0], np.cumsum(sizes * times)))[behind]
        y = y - a1 * t1 * (total - one) + a2 * t2 * (total - two) if t1 > 0.0 else y + z * total
    return np.asarray(process.gain * y, dtype=np.float64)


def response(process: Process, t_s: FloatArray, u: FloatArray) -> FloatArray:
    """The PV's deviation at times ``t_s`` [s] (rising) when the output was ``u[k]`` from ``t_s[k]`` on, and ``u[0]``
    ever before [output unit]."""
    return answer(process, Moves.of(t_s, u), t_s)


def step_response(process: Process, t_s: FloatArray, size: float = 1.0) -> FloatArray:
    """The PV's deviation after the output moved by ``size`` [output unit] at t = 0; exact."""
    return answer(process, Moves(np.array([0.0]), np.array([size])), t_s)


def half_rule(process: Process, lags: int = 1) -> Process:
    """Reduced to ``lags`` lags (1 or 2) by Skogestad's half rule (J. Process Control 13:291, 2003).

    Half of the first neglected lag goes to the last kept one, the other half to the delay; the size of a negative
    zero goes to the delay. A positive zero shortens the delay, at most to 0, and then the lag (an approximation).
    For an integrating process the integrator counts as the first lag: one lag kept means none beside it.
    """
    t1, t2 = max(process.t1_s, process.t2_s), min(process.t1_s, process.t2_s)
    delay = process.delay_s - process.zero_s
    if process.integrating:
        if lags == 2:
            t1, t2, delay = t1 + 0.5 * t2, 0.0, delay + 0.5 * t2
        else:
            t1, t2, delay = 0.0, 0.0, delay + t1 + t2
    elif lags == 1:
        t1, t2, delay = t1 + 0.5 * t2, 0.0, delay + 0.5 * t2
    if delay < 0.0:
        t1, delay = max(t1 + delay, 0.1 * t1), 0.0
    return Process(process.gain, t1, delay, t2, 0.0, process.integrating)


def first_order_of(t_s: Sequence[float] | FloatArray, y: Sequence[float] | FloatArray) -> Process:
    """K, L, T of a clean unit-step response that has settled: L where the steepest tangent meets the start, T = the
    time of 63.2 % less L (Astrom & Hagglund, Advanced PID Control, 2006, the values AMIGO is stated for)."""
    t, v = np.asarray(t_s, dtype=np.float64), np.asarray(y, dtype=np.float64)
    gain = float(v[-1] - v[0])
    if gain == 0.0 or not isfinite(gain):
        raise ValueError("the response does not move, so that it has no gain")
    part = (v - v[0]) / gain
    slope = np.gradient(part, t)
    steep = int(np.argmax(slope))
    delay = max(float(t[steep] - part[steep] / slope[steep] - t[0]), 0.0)
    reached = int(np.argmax(part >= 1.0 - math.exp(-1.0)))
    return Process(gain, max(float(t[reached] - t[0]) - delay, 0.0), delay)
