"""Simulated PI loops of known trouble: too quick, disturbed from outside, with a sticking valve, and well."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from linecontrol.control.tuning import IsaGains, Process, margins
from linecontrol.control.tuning.models import FloatArray

CLASSES = ("none", "aggressive tuning", "external", "stiction")


@dataclass(frozen=True)
class Loop:
    """What a history holds of a loop; ``delay_s`` of its process [s]."""

    t_s: FloatArray
    pv: FloatArray
    sp: FloatArray
    op: FloatArray
    delay_s: float


class Valve:
    """A sticking valve after Kano, Maruta, Kugemoto & Shimizu (2004): sticks within ``s``, jumps by ``j`` of it."""

    def __init__(self, s: float, j: float) -> None:
        self.s, self.j = s, j
        self.at = self.held = self.before = 0.0
        self.way, self.moves, self.turns = 1.0, False, 0

    def __call__(self, u: float) -> float:
        if self.s <= 0.0:
            self.at = u
            return u
        turned = (u - self.before) * self.way <= 0.0 and self.moves
        if turned:
            self.moves, self.held = False, self.before
        if not self.moves:
            away = u - self.held
            if away * self.way < 0.0 and abs(away) > self.s:
                self.way = -self.way
                self.moves, self.turns = True, self.turns + 1
            elif away * self.way >= 0.0 and abs(away) > self.j:
                self.moves = True
        if self.moves:
            self.at = u - 0.5 * self.way * (self.s - self.j)
        self.before = u
        return self.at


def _pi(process: Process, slowness: float) -> tuple[float, float]:
    """SIMC PI with a closed-loop time constant of so many delays."""
    aim = slowness * process.delay_s
    return process.t1_s / (process.gain * (aim + process.delay_s)), min(process.t1_s, 4.0 * (aim + process.delay_s))


def _near_the_edge(process: Process, k: float, ti_s: float, part: float) -> float:
    """The gain at this part of the way to instability."""
    return k * part * margins(process, IsaGains(k, ti_s)).gain_margin


def simulate(kind: str, seed: int, samples: int = 2500) -> Loop:
    """One loop of this class, everything else drawn by lot. Period 1 s; output 0 to 100 %.

    A sticking valve that happens to stay where it is does no harm; such lots are drawn again.
    """
    rng = np.random.default_rng([CLASSES.index(kind), seed, 17])
    while True:
        loop, turns = _drawn(kind, rng, samples)
        if kind != "stiction" or turns >= 20:
            return loop


WAVES = ("sine at the input", "sine at the output", "triangle at the input")


def outside(wave: str, seed: int, samples: int = 4000) -> Loop:
    """A linear loop with usual gains (0.28 of the ultimate one) in a wave from outside, 1.2 to 4 of its own periods."""
    rng = np.random.default_rng([WAVES.index(wave), seed, 19])
    lag = float(rng.uniform(20.0, 80.0))
    delay = float(round(lag * rng.uniform(0.15, 0.8)))
    gain = float(rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 3.0))
    w = np.linspace(1e-3, math.pi / delay, 20_000)
    own = float(w[int(np.argmax(np.arctan(w * lag) + w * delay > math.pi))])
    k = 0.28 * math.hypot(1.0, own * lag) / gain
    t = np.arange(float(samples))
    turns = t * own / (2.0 * math.pi * float(rng.uniform(1.2, 4.0)))
    sine, triangle = np.sin(2.0 * math.pi * turns), 2.0 * np.abs(2.0 * (turns % 1.0) - 1.0) - 1.0
    at_input = {"sine at the input": 4.5 * sine, "triangle at the input": 5.0 * triangle}.get(wave, 0.0 * t)
    seen = 2.0 * sine if wave == "sine at the output" else 0.0 * t
    drive = 0.5 * math.sqrt(1.0 - 0.97**2) * rng.normal(size=samples)
    process = Process(gain, lag, delay)
    return _run(
        t,
        process,
        k,
        0.8 * 2.0 * math.pi / own,
        Valve(0.0, 0.0),
        at_input,
        drive,
        0.97,
        seen + 0.05 * rng.normal(size=samples),
    )


def _drawn(kind: str, rng: np.random.Generator, samples: int) -> tuple[Loop, int]:
    lag, delay = float(rng.uniform(4.0, 25.0)), float(rng.integers(1, 12))
    gain = float(rng.uniform(0.5, 2.5) * rng.choice([1.0, -1.0]))
    process = Process(gain, lag, delay)
    k, ti = _pi(process.delayed(0.5), float(rng.uniform(1.0, 2.5)))
    if kind == "aggressive tuning":
        ti *= float(rng.uniform(0.5, 1.0))
        k = _near_the_edge(process.delayed(0.5), k, ti, float(rng.uniform(0.8, 0.96)))
    valve = Valve(0.0, 0.0)
    if kind == "stiction":
        s = float(rng.uniform(2.0, 8.0))
        valve = Valve(s, s * float(rng.uniform(0.4, 1.0)))
    shape, wave = float(rng.uniform(0.85, 0.98)), np.zeros(samples)
    t = np.arange(float(samples))
    if kind == "external":
        period = float(rng.uniform(3.0, 12.0)) * (lag + delay)
        wave = float(rng.uniform(2.0, 8.0)) * np.sin(2.0 * math.pi * t / period + float(rng.uniform(0.0, 6.0)))
    noise = float(rng.uniform(0.02, 0.1)) * abs(gain)
    drive = float(rng.uniform(0.1, 0.5)) * rng.normal(size=samples) * math.sqrt(1.0 - shape**2)
    return _run(t, process, k, ti, valve, wave, drive, shape, noise * rng.normal(size=samples)), valve.turns


def _run(
    t: FloatArray,
    process: Process,
    k: float,
    ti: float,
    valve: Valve,
    wave: FloatArray,
    drive: FloatArray,
    shape: float,
    noise: FloatArray,
) -> Loop:
    keep, load, x, integral = math.exp(-1.0 / process.t1_s), 0.0, 0.0, 0.0
    pipe = [0.0] * round(process.delay_s)
    pv, op = np.zeros(len(t)), np.zeros(len(t))
    valve(0.0)
    for n in range(len(t)):
        pv[n] = 60.0 + x + noise[n]
        error = 60.0 - pv[n]
        integral = min(max(integral + k * error / ti, -50.0), 50.0)
        u = min(max(k * error + integral, -50.0), 50.0)
        op[n] = 50.0 + u
        load = shape * load + drive[n]
        pipe.append(valve(u))
        x = keep * x + (1.0 - keep) * process.gain * (pipe.pop(0) + load + wave[n])
    return Loop(t[500:], pv[500:], np.full(len(t) - 500, 60.0), op[500:], process.delay_s)
