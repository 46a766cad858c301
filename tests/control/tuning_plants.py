"""Process types of the tuning literature as transfer functions, and their step tests with noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from scipy import signal

from linecontrol.control.tuning.models import ComplexArray, FloatArray, Process, first_order_of, response
from linecontrol.control.tuning.relay import Phase, RelaySettings, start, step

START = datetime(2026, 5, 4, 23, 57, 30, tzinfo=UTC)


class Timestamp(datetime):
    """As pandas' own is: a datetime of another name."""


def dates(t_s: FloatArray) -> list[Any]:
    """These times [s] in every kind of date that a record may have."""
    elapsed = (1e9 * t_s).astype("timedelta64[ns]")
    return [
        np.datetime64("2026-05-04T23:57:30", "ns") + elapsed,
        (np.datetime64("2026-05-04T23:57:30", "ns") + elapsed).astype("datetime64[ms]"),
        elapsed.astype("timedelta64[us]"),
        [START + timedelta(seconds=float(s)) for s in t_s],
        np.array([Timestamp(2026, 5, 4) + timedelta(seconds=float(s)) for s in t_s], dtype=object),
    ]


@dataclass(frozen=True)
class Rational:
    """gain * product(1 + z s) e^(-L s) / (s^i product(1 + T s) (1 + 2 zeta w s + w^2 s^2)); lags and pair in s."""

    name: str
    lags: tuple[float, ...] = ()
    delay_s: float = 0.0
    zeros: tuple[float, ...] = ()
    gain: float = 1.0
    integrating: bool = False
    pair: tuple[float, float] | None = None  # (time, damping)

    @property
    def scale_s(self) -> float:
        paired = 2.0 * self.pair[0] * self.pair[1] if self.pair else 0.0
        return sum(self.lags) + self.delay_s + sum(map(abs, self.zeros)) + paired

    def polynomials(self) -> tuple[FloatArray, FloatArray]:
        top, below = np.array([self.gain]), np.array([1.0])
        for zero in self.zeros:
            top = np.polymul(top, [zero, 1.0])
        for lag in self.lags:
            below = np.polymul(below, [lag, 1.0])
        if self.pair:
            below = np.polymul(below, [self.pair[0] ** 2, 2.0 * self.pair[0] * self.pair[1], 1.0])
        return top, np.polymul(below, [1.0, 0.0]) if self.integrating else below

    def transfer(self, s: ComplexArray) -> ComplexArray:
        top, below = self.polynomials()
        return np.asarray(np.polyval(top, s) * np.exp(-self.delay_s * s) / np.polyval(below, s))

    def step_response(self, t_s: FloatArray) -> FloatArray:
        """At any times; 0 before the delay has passed."""
        top, below = self.polynomials()
        after = np.maximum(t_s - self.delay_s, 0.0)
        if len(below) == 1:
            return np.where(t_s >= self.delay_s, self.gain, 0.0)
        grid = np.linspace(0.0, max(float(after.max()), 1e-9), 6000)
        _, y = signal.step((top, below), T=grid)
        return np.interp(after, grid, y)

    def relative_delay(self) -> float:
        """L/(L + T) of its step response; 1 for an integrating one (delay dominates nothing there)."""
        if self.integrating:
            return 1.0
        t = np.linspace(0.0, 15.0 * self.scale_s, 6000)
        small = first_order_of(t, self.step_response(t))
        return small.delay_s / (small.delay_s + small.t1_s)


def literature() -> list[Rational]:
    """The batch of Astrom & Hagglund (2004, 2006), thinned, and of Skogestad (2003)."""
    found = [Rational(f"e^-s/({lag:g}s+1)", (lag,), 1.0) for lag in (0.2, 0.5, 1.0, 2.0, 4.0)]
    found += [Rational(f"e^-s/({lag:g}s+1)^2", (lag, lag), 1.0) for lag in (0.2, 0.5, 1.0, 2.0, 4.0)]
    found += [Rational(f"1/(s+1)^{n}", (1.0,) * n) for n in (4, 5, 6, 8)]
    found += [Rational(f"4 lags, ratio {a:g}", (1.0, a, a * a, a**3)) for a in (0.5, 0.7, 0.9)]
    found += [Rational(f"(1-{a:g}s)/(s+1)^3", (1.0,) * 3, 0.0, (-a,)) for a in (0.3, 0.7, 1.1)]
    found += [Rational(f"e^-s/((s+1)({a:g}s+1))", (1.0, a), 1.0) for a in (0.2, 3.0)]
    found += [Rational(f"pair {w:g}, zeta 0.7", (1.0,), 0.2, (), 1.0, False, (w, 0.7)) for w in (0.5, 1.0)]
    found += [Rational("e^-s/s", (), 1.0, (), 1.0, True), Rational("e^-s/(s(2s+1))", (2.0,), 1.0, (), 1.0, True)]
    return [plant for plant in found if plant.relative_delay() >= 0.2]


def coloured(rng: np.random.Generator, n: int, phi: float, sd: float) -> FloatArray:
    """AR(1) noise of this standard deviation, at rest from the first sample on."""
    e = rng.normal(size=n) * sd * math.sqrt(1.0 - phi * phi)
    e[0] = rng.normal() * sd
    return np.asarray(signal.lfilter([1.0], [1.0, -phi], e))


def step_test(
    plant: Rational, rng: np.random.Generator, *, noise: float, phi: float = 0.0, samples: int = 300
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(t, u, y): a unit step after a fifth of the record; ``noise`` in shares of the answer."""
    span = (8.0 if not plant.integrating else 10.0) * max(plant.scale_s, 1e-9)
    t = np.arange(samples) * (1.25 * span / samples)  # the step falls on a sample
    begin = samples // 5
    y = plant.step_response(t - t[begin])
    sd = noise * (1.0 if not plant.integrating else 2.0 * plant.scale_s)
    return t, np.where(t >= t[begin], 1.0, 0.0), y + coloured(rng, samples, phi, sd)


def relay_test(
    lag_s: float, delay_s: float, *, gain: float = 1.0, load: float = 0.0, noise: float = 0.0, seed: int = 0
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """A relay test +2/-1 on gain e^(-delay s)/(lag s + 1) under a constant load at its input, at rest before it."""
    rng = np.random.default_rng(seed)
    dt = min(lag_s, delay_s) / 15.0
    settings = RelaySettings(
        centre=0.0,
        up=2.0,
        down=1.0,
        op_low=-5.0,
        op_high=5.0,
        pv_centre=0.0,
        hysteresis=max(0.05, 3.0 * noise),
        pv_low=-9.0,
        pv_high=9.0,
        action="reverse" if gain > 0.0 else "direct",
        longest_s=1e4,
    )
    state, x, keep = start(settings), gain * load, math.exp(-dt / lag_s)
    pipe, rows = [0.0] * round(delay_s / dt), []
    while state.phase is Phase.RUNNING:
        pv = x + noise * rng.normal()
        op, state = step(settings, state, pv, len(rows) * dt)
        rows.append((len(rows) * dt, op, pv))
        pipe.append(op)
        x = keep * x + (1.0 - keep) * gain * (pipe.pop(0) + load)
    t, u, y = np.array(rows).T
    return t, u, y


def relay_on(
    process: Process, *, load: float = 0.0, noise: float = 0.0, seed: int = 0, samples: int = 600
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The same on any self-regulating process, a sixtieth of its scale between samples; at rest before it."""
    rng = np.random.default_rng(seed)
    t = np.arange(float(samples)) * process.scale_s / 60.0
    u, y = np.zeros(samples), np.zeros(samples)
    band, high = max(0.05, 3.5 * noise), True
    for n in range(samples):
        # The load acts from long before: at its end value; the answer to the moves so far is exact
        level = float(response(process, t[: n + 1], np.concatenate(([0.0], u[:n])))[-1])
        y[n] = level + process.gain * load + noise * rng.normal()
        off = y[n] * math.copysign(1.0, process.gain)
        high = off < band if high else off < -band
        u[n] = 2.0 if high else -1.0
    return t, u, y
