"""Least squares of  y = y0 + slope t + x0 e^(-t/T1) + K g(t; T1, T2, z, L) + AR(1) noise  on a whole record.

y0, slope, x0 and K enter linearly and are solved for exactly at each trial of the rest (variable projection: Golub &
Pereyra, SIAM J. Numer. Anal. 10:413, 1973). The noise's correlation follows from restricted likelihood, which unlike
plain likelihood is not pulled to small values by the fitted terms (Harville, JASA 72:320, 1977). Residuals are whitened
with it, at any spacing of samples. Numpy, and scipy imported when first used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from linecontrol.control.tuning.models import FloatArray, Process, answer
from linecontrol.control.tuning.record import Record

HIGHEST_PHI = 0.995
_ROUNDS = 5
_TRIED_PHIS = 24
_FLOOR = 1e-7  # of the PV's range: residuals below it are rounding


@dataclass(frozen=True, slots=True)
class Shape:
    """A class of models: names of its free shape parameters, and how they make a process of unit gain.

    Attributes:
        kind: of the process it makes. names: "t1_s", "t2_s", "zero_s", "delay_s". integrating: one pole at 0.
        equal: both lags are t1_s.
    """

    kind: str
    names: tuple[str, ...]
    integrating: bool = False
    equal: bool = False

    def process(self, x: FloatArray, gain: float = 1.0) -> Process:
        """Lags are given by their logarithm, zero and delay as they are [s]."""
        v = {name: math.exp(a) if name in ("t1_s", "t2_s") else float(a) for name, a in zip(self.names, x, strict=True)}
        if self.equal:
            v["t2_s"] = v["t1_s"]
        v["delay_s"] = max(v["delay_s"], 0.0)
        return Process(gain, integrating=self.integrating, **v)

    def bounds(self, record: Record) -> tuple[FloatArray, FloatArray]:
        """Where its parameters may lie for this record."""
        span, dt = record.after_s, record.period_s
        lags = (math.log(0.05 * dt), math.log(10.0 * span))
        each = {"t1_s": lags, "t2_s": lags, "zero_s": (-span, 0.0), "delay_s": (0.0, 0.8 * span)}
        pairs = np.array([each[name] for name in self.names])
        return pairs[:, 0], pairs[:, 1]


SHAPES = (
    Shape("fopdt", ("t1_s", "delay_s")),
    Shape("equal-lags", ("t1_s", "delay_s"), equal=True),
    Shape("sopdt", ("t1_s", "t2_s", "delay_s")),
    Shape("inverse", ("t1_s", "zero_s", "delay_s"), equal=True),
    Shape("integrating", ("delay_s",), integrating=True),
    Shape("integrating-lag", ("t1_s", "delay_s"), integrating=True),
)


@dataclass(frozen=True, slots=True)
class Fit:
    """One class fitted to one record.

    Attributes:
        x: shape parameters as ``Shape.process`` takes them. linear: y0, [slope per span], [x0], K.
        phi: noise correlation from one sample to the next, 0 to 1. noise_sd: its standard deviation [PV unit].
        covariance: of (x, linear). dof: samples, counted as independent ones, less parameters.
        aicc: corrected Akaike criterion. whitened_rss: for profiles.
    """

    shape: Shape
    x: FloatArray
    linear: FloatArray
    phi: float
    noise_sd: float
    covariance: FloatArray
    dof: float
    aicc: float
    whitened_rss: float

    @property
    def gain(self) -> float:
        """K [PV unit / output unit (/ s)]."""
        return float(self.linear[-1])

    def process(self) -> Process:
        """With its gain."""
        return self.shape.process(self.x, self.gain)


class Regression:
    """A record, and which of the linear terms a fit on it has. ``drift``: slope; ``settling``: x0 e^(-t/T1)."""

    def __init__(self, record: Record, *, drift: bool = True, settling: bool = False) -> None:
        self.record, self.drift, self.settling = record, drift, settling
        self.steps = np.diff(record.t_s) / record.period_s
        self.size = float(np.ptp(record.y))
        self.floor = _FLOOR * self.size

    def columns(self, shape: Shape, x: FloatArray, every: int = 1) -> FloatArray:
        """The linear terms' regressors, K's last."""
        t = self.record.t_s[::every]
        process = shape.process(x)
        rows = [np.ones_like(t)]
        if self.drift:
            rows.append(t / self.record.span_s - 0.5)
        if self.settling and process.t1_s > 0.0:
            rows.append(np.exp(-(t - t[0]) / process.t1_s))
        rows.append(answer(process, self.record.moves, t))
        return np.column_stack(rows)

    def rough(self, shape: Shape, x: FloatArray, every: int) -> float:
        """Residual sum of squares of plain least squares on every n-th sample: for a first search."""
        a, y = self.columns(shape, x, every), self.record.y[::every]
        return float(np.sum((y - a @ np.linalg.lstsq(a, y, rcond=None)[0]) ** 2))

    def whiten(self, values: FloatArray, phi: float) -> FloatArray:
        """Columns as they would be with independent noise of the same standard deviation."""
        if phi <= 0.0:
            return values
        rho = phi**self.steps
        keep = 1.0 / np.sqrt(1.0 - rho * rho)
        if values.ndim == 2:
            rho, keep = rho[:, None], keep[:, None]
        return np.concatenate((values[:1], (values[1:] - rho * values[:-1]) * keep))

    def _log_noise(self, phi: float) -> float:
        return float(np.sum(np.log1p(-(phi ** (2.0 * self.steps))))) if phi > 0.0 else 0.0

    def solve(self, shape: Shape, x: FloatArray, phi: float) -> tuple[FloatArray, FloatArray]:
        """Linear terms and whitened residuals."""
        a, y = self.whiten(self.columns(shape, x), phi), self.whiten(self.record.y, phi)
        linear: FloatArray = np.asarray(np.linalg.lstsq(a, y, rcond=None)[0], dtype=np.float64)
        return linear, y - a @ linear

    def jacobian(self, shape: Shape, x: FloatArray, linear: FloatArray) -> FloatArray:
        """Of the model in (x, linear), not whitened."""
        low, high = shape.bounds(self.record)
        parts = []
        for n, name in enumerate(shape.names):
            h = 1e-4 if name in ("t1_s", "t2_s") else max(1e-3 * abs(float(x[n])), 0.02 * self.record.period_s)
            up, down = x.copy(), x.copy()
            up[n], down[n] = min(x[n] + h, high[n]), max(x[n] - h, low[n])
            slope = (self.columns(shape, up) - self.columns(shape, down)) @ linear
            parts.append(slope / (up[n] - down[n]))
        return np.column_stack((*parts, self.columns(shape, x)))

    def correlation(self, jacobian: FloatArray, residual: FloatArray) -> float:
        """Noise correlation by restricted likelihood, the model linearised."""
        from scipy.optimize import minimize_scalar

        def loss(phi: float) -> float:
            return self._restricted(jacobian, residual, phi)[0]

        found = minimize_scalar(loss, bounds=(0.0, HIGHEST_PHI), method="bounded", options={"xatol": 1e-3})
        return float(found.x) if loss(float(found.x)) < loss(0.0) else 0.0

    def _restricted(
        self, jacobian: FloatArray, residual: FloatArray, phi: float
    ) -> tuple[float, FloatArray, FloatArray]:
        """-2 log restricted likelihood at ``phi``, and there: where the parameters would move, their covariance."""
        n, p = jacobian.shape
        a, r = self.whiten(jacobian, phi), self.whiten(residual, phi)
        q, upper = np.linalg.qr(a)
        along = q.T @ r
        rest = r - q @ along
        rss = max(float(rest @ rest), n * self.floor**2)
        spread = float(np.sum(np.log(np.abs(np.diag(upper)) + 1e-300)))
        loss = (n - p) * math.log(rss) + self._log_noise(phi) + 2.0 * spread
        back = np.linalg.pinv(upper)
        move: FloatArray = np.asarray(back @ along, dtype=np.float64)
        return float(loss), move, np.asarray(rss / (n - p) * (back @ back.T), dtype=np.float64)

    def _covariance(self, jacobian: FloatArray, residual: FloatArray) -> FloatArray:
        """Of all parameters, the correlation of the noise not taken as known: the mean over its likelihood.

        With correlated noise the correlation itself is poorly known from a short record; intervals at its best value
        would be too narrow.
        """
        size = np.linalg.norm(jacobian, axis=0) + 1e-300
        tried = np.tanh(np.linspace(0.0, math.atanh(HIGHEST_PHI), _TRIED_PHIS))
        rows = [self._restricted(jacobian / size, residual, float(phi)) for phi in tried]
        losses = np.array([row[0] for row in rows])
        weights = np.exp(-0.5 * (losses - losses.min()))
        weights = weights / weights.sum()
        centre = sum(w * row[1] for w, row in zip(weights, rows, strict=True))
        total = np.zeros((len(size), len(size)))
        for w, (_, move, within) in zip(weights, rows, strict=True):
            total += w * (within + np.outer(move - centre, move - centre))
        return np.asarray(total / np.outer(size, size), dtype=np.float64)

    def fit(self, shape: Shape, start: FloatArray) -> Fit:
        """From a start near the answer."""
        x, phi = start, 0.0
        for _ in range(_ROUNDS):
            x = self.refine(shape, x, phi)
            linear, _ = self.solve(shape, x, phi)
            jacobian = self.jacobian(shape, x, linear)
            before, phi = phi, self.correlation(jacobian, self.record.y - self.columns(shape, x) @ linear)
            if abs(phi - before) < 2e-3:
                break
        return self._finished(shape, x, phi)

    def refine(self, shape: Shape, x: FloatArray, phi: float, held: int | None = None) -> FloatArray:
        """Shape parameters of least whitened residuals from ``x`` on; ``held``: the index of one kept as it is."""
        from scipy.optimize import least_squares

        low, high = shape.bounds(self.record)
        free = [n for n in range(len(x)) if n != held]
        x = np.clip(x, low, high)
        if not free:
            return x
        unit = np.array([1.0 if name in ("t1_s", "t2_s") else 0.1 * self.record.after_s for name in shape.names])

        def whole(part: FloatArray) -> FloatArray:
            full = x.copy()
            full[free] = part * unit[free]
            return full

        def residual(part: FloatArray) -> FloatArray:
            return self.solve(shape, whole(part), phi)[1] / self.size  # the solver's tolerances are absolute

        lo, hi = low[free] / unit[free], high[free] / unit[free]
        inner = np.clip(x[free] / unit[free], lo + 1e-6, hi - 1e-6)
        found = least_squares(
            residual,
            inner,
            bounds=(lo, hi),
            diff_step=np.full(len(free), 1e-4),
            xtol=1e-6,
            ftol=1e-9,
            gtol=1e-12,
            max_nfev=40,
        )
        return whole(found.x)

    def _finished(self, shape: Shape, x: FloatArray, phi: float) -> Fit:
        linear, rest = self.solve(shape, x, phi)
        jacobian = self.jacobian(shape, x, linear)
        n, p = jacobian.shape
        rss = max(float(rest @ rest), n * self.floor**2)
        variance = rss / (n - p)
        covariance = self._covariance(jacobian, self.record.y - self.columns(shape, x) @ linear)
        alike = (1.0 - phi) / (1.0 + phi)
        aicc = self._aicc(rss, p, phi)
        dof = max(n * alike - p, 3.0)
        return Fit(shape, x, linear, phi, math.sqrt(variance), covariance, dof, aicc, rss)

    def _aicc(self, rss: float, parameters: int, phi: float) -> float:
        n, k = len(self.record.t_s), parameters + 2
        return n * math.log(rss / n) + self._log_noise(phi) + 2.0 * k * n / max(n - k - 1, 1)

    def aicc(self, columns: FloatArray, phi: float) -> float:
        """The corrected Akaike criterion of any linear terms with noise of this correlation; as ``Fit.aicc``."""
        a, y = self.whiten(columns, phi), self.whiten(self.record.y, phi)
        rest = y - a @ np.linalg.lstsq(a, y, rcond=None)[0]
        rss = max(float(rest @ rest), len(y) * self.floor**2)
        return self._aicc(rss, columns.shape[1], phi)
