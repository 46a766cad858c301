"""Fits one output of the dryer on a record: delays and lags by search, coefficients by least squares. Pure.

Prediction errors are whitened by an ARMA(1,1) that is fitted in turn, so that a wandering disturbance neither biases
the dynamics nor makes the intervals too narrow (L. Ljung, System Identification, 2nd ed., ch. 10: separable least
squares within a prediction-error method).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from linecontrol.control.moisture.dynamics import Path, along, lagged
from linecontrol.control.moisture.model import OutputModel, Term
from linecontrol.control.moisture.noise import fit_arma, level_noise, whitened
from linecontrol.control.moisture.record import FloatArray

LONGEST_DELAY_S, LAGS_S, OUT_LAGS_S = 400.0, (2.0, 900.0), (2.0, 300.0)
SETTLE_S = 900.0  # before the record began, nobody knows what acted
WALL_S, WALL_SHARE = 900.0, 0.25  # walls of a duct warm up in a quarter of an hour; their share of heat's gain (prior)
FREE_SHARE, ALIKE_SHARE = 1.0, 0.5  # prior where the record tells it well; how unlike two outputs' shares may be, of it
LEAST_SHARE_U = 0.05  # two outputs' shares are not known to be closer to each other than this
UNLIKE_WALL = 0.5  # of what walls add: they may be slower or quicker than ``WALL_S``
SUREST_HEATER = 0.1  # standard deviation of the inlet's gain on its set point: beyond it, it may as well not follow
_UNIT_S = 60.0  # delays are searched in minutes, so that steps of delays and of log lags are alike
_STARTS = ((20.0, 20.0), (60.0, 40.0), (120.0, 30.0))  # delay, lag [s]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fit: the model, the share of the output's variance that it explains (0..1), what the walls add to heat's
    gain as a share of it, with its standard uncertainty, and what the inputs do not tell, over the whole record."""

    model: OutputModel
    explained: float
    wall_share: tuple[float, float]
    rest: FloatArray

    @property
    def wall_of_others(self) -> tuple[float, float]:
        """What this fit tells of that share in another output of the same dryer."""
        share, u = self.wall_share
        return share, math.hypot(u, max(ALIKE_SHARE * abs(share), LEAST_SHARE_U))


class OutputFit:
    """One output on one record.

    Args:
        y: output; inputs: scaled inputs; weight: 0 where a sample must not count.
        known_lags: inputs whose lags are known from elsewhere. quiet: inputs on a fixed path of their own (slow ones).
        longest_delay_s: where the search for delays ends [s].
        tied: paths known but for one delay that they have in common (the way to the meter); nothing else is searched.
        wall: what walls may add to heat's gain, as a share of it, with standard uncertainty: known beforehand.
    """

    def __init__(
        self,
        y: FloatArray,
        inputs: Mapping[str, FloatArray],
        weight: FloatArray,
        period_s: float,
        *,
        known_lags: Mapping[str, tuple[float, float]] | None = None,
        quiet: Mapping[str, Path] | None = None,
        longest_delay_s: float = LONGEST_DELAY_S,
        tied: Mapping[str, Path] | None = None,
        wall: tuple[float, float] = (0.0, WALL_SHARE),
    ) -> None:
        self.wall = wall
        self.y, self.inputs, self.period_s = y, dict(inputs), period_s
        self.mean = float(np.mean(y[weight > 0.0]))
        self.known, self.quiet = dict(known_lags or {}), dict(quiet or {})
        self.loads = [name for name in inputs if name not in self.quiet]
        self.tied = None if tied is None else {name: tied[name] for name in self.loads}
        self.searched = self.loads if tied is None else []
        self.weight = weight.copy()
        self.weight[: int(SETTLE_S / period_s)] = 0.0
        self.longest_delay_s = longest_delay_s
        self.arma = (0.99, 0.9)

    # -- parameters: delay [min] and log lag of each searched input (or the delay in common), then the log of the lag
    def _bounds(self) -> tuple[FloatArray, FloatArray]:
        low, high = [], []
        for _ in self.searched:
            low += [0.0, math.log(LAGS_S[0])]
            high += [self.longest_delay_s / _UNIT_S, math.log(LAGS_S[1])]
        if self.tied is not None:
            low, high = [0.0], [self.longest_delay_s / _UNIT_S]
        return np.array([*low, math.log(OUT_LAGS_S[0])]), np.array([*high, math.log(OUT_LAGS_S[1])])

    def paths(self, x: FloatArray) -> dict[str, Path]:
        """Paths of all inputs for these parameters."""
        if self.tied is not None:
            way_s = float(x[0]) * _UNIT_S
            return {n: Path(p.delay_s + way_s, p.lag1_s, p.lag2_s) for n, p in self.tied.items()} | self.quiet
        found = {}
        for n, name in enumerate(self.searched):
            lags = self.known.get(name, (math.exp(float(x[2 * n + 1])), 0.0))
            found[name] = Path(float(x[2 * n]) * _UNIT_S, *lags)
        return found | self.quiet

    def acting(self, x: FloatArray) -> dict[str, FloatArray]:
        """All inputs as they act, before the common lag."""
        return {name: along(path, self.inputs[name], self.period_s) for name, path in self.paths(x).items()}

    def _columns(self, x: FloatArray, terms: Sequence[Term]) -> FloatArray:
        acting, out_s = self.acting(x), math.exp(float(x[-1]))
        columns = [np.ones_like(self.y)]
        for term in terms:
            product = np.prod([acting[name] for name in term], axis=0)
            columns.append(lagged(product, out_s, self.period_s))
        return np.column_stack(columns)

    def solve(self, x: FloatArray, terms: Sequence[Term]) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Coefficients (constant first), whitened residuals, whitened columns."""
        used = self.weight > 0.0
        columns = whitened(self._columns(x, terms), *self.arma)[used]
        y = whitened(self.y - self.mean, *self.arma)[used]
        coefficients = _least_squares(columns, y)
        return coefficients, y - columns @ coefficients, columns

    def _search(self, start: FloatArray, terms: Sequence[Term], calls: int) -> tuple[FloatArray, float]:
        from scipy.optimize import least_squares

        low, high = self._bounds()

        def errors(x: FloatArray) -> FloatArray:
            return self.solve(x, terms)[1]

        found = least_squares(
            errors,
            np.clip(start, low + 1e-6, high - 1e-6),
            bounds=(low, high),
            x_scale=0.3,
            max_nfev=calls,
        )
        return np.asarray(found.x, dtype=np.float64), float(found.cost)

    def residual(self, x: FloatArray, terms: Sequence[Term], coefficients: FloatArray) -> FloatArray:
        """What the inputs do not tell, not whitened [output unit]."""
        return self.y - self.mean - self._columns(x, terms) @ coefficients

    def _noise(self, x: FloatArray, terms: Sequence[Term]) -> tuple[float, float, float]:
        coefficients, _, _ = self.solve(x, terms)
        return fit_arma(self.residual(x, terms, coefficients), self.weight)

    def run(self, *, curved: bool = True) -> Fitted:
        """Search, whiten, add the products that pay for themselves (BIC), search again."""
        terms: list[Term] = [(name,) for name in self.inputs]
        trials = []
        for delay_s, lag_s in _STARTS:
            own = (
                [delay_s / _UNIT_S] if self.tied is not None else [delay_s / _UNIT_S, math.log(lag_s)] * len(self.loads)
            )
            start = [*own, math.log(25.0)]
            trials.append(self._search(np.array(start), terms, 8))
        x, _ = self._search(min(trials, key=lambda trial: trial[1])[0], terms, 25)
        for _ in range(2):
            self.arma = self._noise(x, terms)[:2]
            x, _ = self._search(x, terms, 15)
        if curved and self._bend(x, terms):
            x, _ = self._search(x, terms, 15)
        return self._result(x, terms)

    def _bend(self, x: FloatArray, terms: list[Term]) -> bool:
        """Add products of two inputs as long as one is worth more than it costs. Returns whether any was."""
        names = self.loads
        # One step shows two levels of heat: its square is then a straight line of it, and only ill conditions the fit.
        candidates = [(a, b) for n, a in enumerate(names) for b in names[n:] if (a, b) != ("heat", "heat")]
        added = False
        while candidates:
            before = self._cost(x, terms)
            costs = {term: self._cost(x, [*terms, term]) for term in candidates}
            best = min(costs, key=lambda term: costs[term])
            if costs[best] >= before:
                break
            terms.append(best)
            candidates.remove(best)
            added = True
        return added

    def _cost(self, x: FloatArray, terms: Sequence[Term]) -> float:
        _, e, _ = self.solve(x, terms)
        return len(e) * math.log(float(np.mean(e * e)) + 1e-30) + len(terms) * math.log(len(e))

    def _result(self, x: FloatArray, terms: Sequence[Term]) -> Fitted:
        phi, theta, sd = self._noise(x, terms)
        coefficients, e, columns = self.solve(x, terms)
        covariance = np.linalg.pinv(columns.T @ columns) * float(np.mean(e * e))
        sds = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        slow, slow_u, wall_share = self._slow(x, terms, coefficients, columns, e)
        rest = self.residual(x, terms, coefficients)
        used = rest[self.weight > 0.0]
        model = OutputModel(
            self.mean + float(coefficients[0]),
            self.paths(x),
            tuple(terms),
            tuple(map(float, coefficients[1:])),
            tuple(map(float, sds[1:])),
            math.exp(float(x[-1])),
            level_noise(phi, theta, sd, self.period_s),
            sd,
            slow_u,
            slow,
        )
        total = float(np.var(self.y[self.weight > 0.0]))
        return Fitted(model, 1.0 - float(np.var(used)) / total if total > 0.0 else 0.0, wall_share, rest)

    def _slow(
        self, x: FloatArray, terms: Sequence[Term], coefficients: FloatArray, columns: FloatArray, e: FloatArray
    ) -> tuple[float, float, tuple[float, float]]:
        """How far heat's settled gain is from the fitted one because walls take and give heat slowly: expected, and its
        standard uncertainty beyond that of the fit; and the slow share of the gain with its own.

        The fit whitens, so it sees what heat does within minutes. A slow share of the gain is therefore estimated
        beside it, with a prior that the record sharpens as far as it can.
        """
        heat = 1 + terms.index(("heat",))
        gain, var = float(coefficients[heat]), float(np.mean(e * e))
        if gain == 0.0 or var == 0.0:
            return 0.0, 0.0, (0.0, WALL_SHARE)
        acting = lagged(lagged(self.acting(x)["heat"], WALL_S, self.period_s), math.exp(float(x[-1])), self.period_s)
        slow = whitened(acting, *self.arma)[self.weight > 0.0]
        both = np.column_stack([columns, slow])
        precision, told = both.T @ both / var, both.T @ e / var
        mean, u = self.wall[0] * gain, self.wall[1] * abs(gain)
        precision[-1, -1] += 1.0 / u**2
        told[-1] += mean / u**2
        pick = np.zeros(len(precision))
        pick[heat] = pick[-1] = 1.0
        # Of what the fit has left, as of the whole output: both have the same coefficients but for the fitted ones.
        found, covariance = np.linalg.solve(precision, told), np.linalg.inv(precision)
        shift, spread = float(pick @ found), float(pick @ covariance @ pick)
        fitted = float(np.linalg.inv(precision[:-1, :-1])[heat, heat])
        slow_u = math.hypot(math.sqrt(max(spread - fitted, 0.0)), UNLIKE_WALL * shift)
        alone = precision[-1, -1] - 1.0 / u**2 + 1.0 / (FREE_SHARE * gain) ** 2
        precision[-1, -1], told[-1] = alone, told[-1] - mean / u**2
        free, free_u = np.linalg.solve(precision, told)[-1], math.sqrt(float(np.linalg.inv(precision)[-1, -1]))
        return shift, slow_u, (float(free) / gain, free_u / abs(gain))


def _least_squares(columns: FloatArray, y: FloatArray) -> FloatArray:
    """By the normal equations: columns are few and of like size, and this is asked for thousands of times."""
    square = columns.T @ columns
    square[np.diag_indices_from(square)] *= 1.0 + 1e-10
    return np.asarray(np.linalg.solve(square, columns.T @ y), dtype=np.float64)


def fit_heater(inlet_sp_c: FloatArray, inlet_c: FloatArray, weight: FloatArray, period_s: float) -> Path | None:
    """Delay and lags from inlet set point to inlet temperature; None when they do not follow each other."""
    from scipy.optimize import least_squares

    used = weight > 0.0
    moved = inlet_sp_c - inlet_sp_c[0]

    def solve(x: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        """Whitened residuals, coefficients, standard deviation of the gain."""
        path = Path(float(x[0]) * _UNIT_S, math.exp(float(x[1])), math.exp(float(x[2])))
        columns = np.column_stack([np.ones_like(moved), along(path, moved, period_s)])
        columns, y = whitened(columns, 0.95, 0.0)[used], whitened(inlet_c, 0.95, 0.0)[used]
        coefficients = _least_squares(columns, y)
        rest = y - columns @ coefficients
        spread = float(np.var(rest)) * np.linalg.pinv(columns.T @ columns)
        return rest, coefficients, math.sqrt(max(float(spread[1, 1]), 0.0))

    low = [0.0, math.log(1.0), math.log(0.5)]
    high = [3.0, math.log(900.0), math.log(300.0)]
    starts = (
        [0.1, math.log(30.0), math.log(5.0)],
        [0.2, math.log(100.0), math.log(10.0)],
        [0.5, math.log(60.0), math.log(5.0)],
    )

    def errors(x: FloatArray) -> FloatArray:
        return solve(x)[0]

    found = [least_squares(errors, start, bounds=(low, high), x_scale=0.3, max_nfev=40) for start in starts]
    x = min(found, key=lambda r: float(r.cost)).x
    _, coefficients, sd = solve(x)
    # In hours with one step most of the variance is noise, however well it follows: the gain tells, not the rest.
    if not 0.5 < float(coefficients[1]) < 1.5 or sd > SUREST_HEATER:
        return None
    return Path(float(x[0]) * _UNIT_S, math.exp(float(x[1])), math.exp(float(x[2])))
