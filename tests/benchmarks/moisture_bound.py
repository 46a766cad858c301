"""What a clairvoyant could do: LQG on the true dryer, linearised, with the true models of loads and meters.

The noise-free plant is stepped in each input; a balanced state-space model of all its pulse responses, delays and all,
comes from the Hankel matrix (S. Kung, 12th Asilomar Conf. Circuits, Systems and Computers, 1978). It is joined to the
true disturbance models; Kalman filter on moisture meter and feed sensors, LQR with a tiny weight on moves, the same
limits of the actuator as everybody. Nonlinearity and clipping are all that keeps it from being the true optimum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from moisture_rig import Load, Reading, Rig
from numpy.typing import NDArray
from scipy.linalg import block_diag, solve_discrete_are

Matrix = NDArray[np.float64]
HORIZON_S, SLOWEST_S = 2400.0, 4.0
MOVE_WEIGHTS = (1e-3, 1e-2, 0.1, 1.0)  # of a kelvin in one period, over the square of what it does when settled
MOST_STATES = 70
DRIFT_SD_PCT, DRIFT_S = 0.3, 36_000.0  # so that nothing stays off for what the linear model does not know


def pulse_responses(rig: Rig, loads: Sequence[Load], every: int) -> Matrix:
    """(steps, inputs) change of the true moisture by a pulse of one unit in one period; inlet set point first."""
    steps = int(HORIZON_S / (every * rig.sample_s))

    def run(push: dict[str, float], heat_k: float) -> Matrix:
        plant = rig.quiet()
        found = [plant.advance(rig.inlet_c + heat_k, push).true_pct for _ in range(steps * every)]
        return np.array(found[every - 1 :: every])

    rest = run({}, 0.0)
    columns = [(run({}, 1.0) - run({}, -1.0)) / 2.0]
    columns += [(run({load.name: load.small}, 0.0) - rest) / load.small for load in loads]
    rises = np.column_stack(columns)
    return np.diff(rises, axis=0, prepend=np.zeros((1, rises.shape[1])))


def balanced(pulses: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """A, B, C with C A^k B = pulses[k]. Its slowest modes are held inside the unit circle."""
    steps, inputs = pulses.shape
    rows = steps // 2
    hankel = np.vstack([pulses[k : k + rows].reshape(1, rows * inputs) for k in range(rows)])
    later = np.vstack([pulses[k + 1 : k + 1 + rows].reshape(1, rows * inputs) for k in range(rows)])
    u, s, vt = np.linalg.svd(hankel, full_matrices=False)
    n = min(int(np.sum(s > 2e-4 * s[0])), MOST_STATES)
    root = np.sqrt(s[:n])
    a = (u[:, :n] / root).T @ later @ (vt[:n].T / root)
    b, c = root[:, None] * vt[:n, :inputs], u[:1, :n] * root
    values, vectors = np.linalg.eig(a)
    size = np.abs(values)
    if np.any(size > 0.9999):
        values = np.where(size > 0.9999, values / size * 0.9999, values)
        a = np.real(vectors @ np.diag(values) @ np.linalg.inv(vectors))
    return a, b, c


class Bound:
    """The clairvoyant controller of one rig."""

    def __init__(self, rig: Rig) -> None:
        self.every = max(1, round(SLOWEST_S / rig.sample_s)) if rig.sample_s < SLOWEST_S else 1
        self.period_s = self.every * rig.sample_s
        loads = rig.loads
        pulses = pulse_responses(rig, loads, self.every)
        a, b, c = balanced(pulses)
        self.misfit = _misfit(pulses, a, b, c)
        self._build(rig, loads, a, b, c, float(np.sum(pulses[:, 0])))
        self.rig = rig
        self.start()

    def start(self) -> None:
        """Forget what was seen."""
        self._x = np.zeros(len(self._a))
        self._asked = self.rig.inlet_c
        self._held: list[list[float]] = []

    def _build(self, rig: Rig, loads: Sequence[Load], a: Matrix, b: Matrix, c: Matrix, gain: float) -> None:
        t = self.period_s
        n = len(a)
        blocks, drives, outs, metered = [], [], [], []
        for load in loads:
            block, drive, out = _load_model(load, t)
            blocks.append(block)
            drives.append(drive)
            outs.append(out)
            if load.meter is not None:
                metered.append(load)
        names = [load.name for load in loads]
        wander = block_diag(*blocks)
        w = len(wander)
        at = np.cumsum([0, *(len(o) for o in outs)])
        pick = np.zeros((len(loads), w))
        for k, out in enumerate(outs):
            pick[k, at[k] : at[k + 1]] = out
        # order: dryer, loads, drift, lags of the meters (moisture first), inlet set point
        lags = [rig.nir_meter.lag_s, *(load.meter.lag_s for load in metered if load.meter)]
        size = n + w + 1 + len(lags) + 1
        big, drive = np.zeros((size, size)), np.zeros((size, size))
        big[:n, :n], big[:n, n : n + w], big[:n, -1] = a, b[:, 1:] @ pick, b[:, 0]
        big[n : n + w, n : n + w] = wander
        drive[n : n + w, n : n + w] = block_diag(*drives)
        keep = math.exp(-t / DRIFT_S)
        big[n + w, n + w], drive[n + w, n + w] = keep, DRIFT_SD_PCT**2 * (1.0 - keep * keep)
        true_row = np.zeros(size)
        true_row[:n], true_row[n + w] = c[0], 1.0
        seen = np.zeros((len(lags), size))
        for k, lag_s in enumerate(lags):
            row = true_row.copy()
            if k > 0:
                row = np.zeros(size)
                row[n : n + w] = pick[names.index(metered[k - 1].name)]
            stay = math.exp(-t / lag_s) if lag_s > 0.0 else 0.0
            place = n + w + 1 + k
            big[place], big[place, place] = (1.0 - stay) * (row @ big), stay
            seen[k, place] = 1.0
        # what drives the loads reaches their meters' lags in the same period
        mix = np.eye(size)
        mix[n + w + 1 : -1] = seen @ big_inputs(size, n, w, lags, t, true_row, pick, names, [x.name for x in metered])
        drive = mix @ drive @ mix.T
        big[-1, -1] = 1.0
        b_u = np.zeros((size, 1))
        b_u[:n, 0], b_u[-1, 0] = b[:, 0], 1.0
        noise = [rig.nir_meter.sd**2, *(load.meter.sd**2 for load in metered if load.meter)]
        r = np.diag(noise) / self.every
        p = solve_discrete_are(big[:-1, :-1].T, seen[:, :-1].T, drive[:-1, :-1] + 1e-12 * np.eye(size - 1), r)
        s = seen[:, :-1] @ p @ seen[:, :-1].T + r
        self._gain = np.vstack([p @ seen[:, :-1].T @ np.linalg.inv(s), np.zeros((1, len(lags)))])
        self._q, self._gain_pct_k = np.outer(true_row, true_row) + 1e-10 * np.eye(size), gain
        self._a, self._b, self._seen = big, b_u[:, 0], seen
        self._mean_pct = rig.set_point
        self._metered = [load.name for load in metered]
        self.take(MOVE_WEIGHTS[1])

    def take(self, move_weight: float) -> None:
        """Another weight on moves."""
        weight = np.array([[move_weight * self._gain_pct_k**2]])
        a, b = self._a, self._b[:, None]
        m = solve_discrete_are(a, b, self._q, weight)
        self._law = np.linalg.solve(weight + b.T @ m @ b, b.T @ m @ a)

    def choose(self, rigs: Callable[[], Rig], hours: float = 2.0) -> float:
        """Take the weight that does best on the plant as it is, limits and all; returns it."""
        worths = {}
        for weight in MOVE_WEIGHTS:
            self.take(weight)
            self.start()
            rig = rigs()
            asked, errors = rig.inlet_c, []
            for _ in range(int(hours * 3600.0 / rig.sample_s)):
                reading = rig.advance(asked)
                asked = self.act(reading, reading.sample.moisture_pct_wb)
                errors.append(reading.true_pct - rig.set_point)
            worths[weight] = float(np.mean(np.square(errors[len(errors) // 6 :])))
        best = min(worths, key=lambda weight: worths[weight])
        self.take(best)
        self.start()
        return best

    def act(self, reading: Reading, shown_pct: float) -> float:
        """Inlet set point after this sample [°C]. ``shown_pct``: what the moisture meter shows."""
        loads = self.rig.load_readings(reading.sample)
        self._held.append([shown_pct - self._mean_pct, *(loads[name] for name in self._metered)])
        if len(self._held) < self.every:
            return self._asked
        seen: Any = np.mean(self._held, axis=0)
        self._held = []
        self._x += self._gain @ (seen - self._seen @ self._x)
        move = -float(self._law[0] @ self._x)
        wanted = self._asked + min(max(move, -self.period_s), self.period_s)
        wanted = min(max(wanted, self.rig.low_c), self.rig.high_c)
        self._x = self._a @ self._x + self._b * (wanted - self._asked)
        self._asked = wanted
        return wanted


def big_inputs(
    size: int,
    n: int,
    w: int,
    lags: Sequence[float],
    t: float,
    true_row: Matrix,
    pick: Matrix,
    names: Sequence[str],
    metered: Sequence[str],
) -> Matrix:
    """Rows that carry this period's drive of the loads into the lags of their meters."""
    rows = np.eye(size)
    for k, lag_s in enumerate(lags):
        row = true_row.copy()
        if k > 0:
            row = np.zeros(size)
            row[n : n + w] = pick[names.index(metered[k - 1])]
        stay = math.exp(-t / lag_s) if lag_s > 0.0 else 0.0
        rows[n + w + 1 + k] = (1.0 - stay) * row
    return rows


def _load_model(load: Load, t: float) -> tuple[Matrix, Matrix, Matrix]:
    blocks, drives, out = [], [], []
    for sd, tau_s in load.wanders:
        keep = math.exp(-t / tau_s)
        blocks.append(np.array([[keep]]))
        drives.append(np.array([[sd * sd * (1.0 - keep * keep)]]))
        out.append(1.0)
    if load.saw is not None:
        rms, period_s = load.saw
        for order, share in ((1, 0.78), (2, 0.39)):  # of a sawtooth's rms
            turn, keep = 2.0 * math.pi * order * t / period_s, math.exp(-t / (4.0 * period_s / order))
            spin = keep * np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
            blocks.append(spin)
            drives.append((rms * share) ** 2 * (1.0 - keep * keep) * np.eye(2))
            out += [1.0, 0.0]
    return block_diag(*blocks), block_diag(*drives), np.array(out)


def _misfit(pulses: Matrix, a: Matrix, b: Matrix, c: Matrix) -> float:
    """Largest error of the model's step responses over the largest rise."""
    found, x = [], b.copy()
    for _ in range(len(pulses)):
        found.append((c @ x)[0])
        x = a @ x
    rises, model = np.cumsum(pulses, axis=0), np.cumsum(np.array(found), axis=0)
    return float(np.max(np.abs(model - rises) / np.max(np.abs(rises), axis=0)))
