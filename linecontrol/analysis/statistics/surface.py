"""A designed experiment as a response surface: what each setting does, how sure that is, and what to try next. Pure.

    response = b0 + sum b_i x_i + sum b_ij x_i x_j + sum b_ii x_i^2  (+ one constant for each lot)

with every factor coded to -1..+1 over the range that was tried. Ordinary least squares. What is recommended is a
proposal for the next experiment, inside the range that was tried, with its expected gain and an interval; nothing here
changes anything.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from linecontrol.analysis.statistics.groups import plain

Floats = NDArray[np.float64]
Goal = Literal["max", "min"]
MOST_FACTORS = 8
LEAST_DF = 3  # runs beyond the coefficients, or nothing can be said of how sure they are
_STARTS = 64
_LEVELS = {"linear": 0, "interactions": 1, "quadratic": 2}


@dataclass(frozen=True, slots=True)
class Term:
    """One coefficient in coded units: what moving from the middle to the end of the range does. ``p``: by chance."""

    name: str
    value: float
    u: float
    p: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """A setting to try next.

    Attributes:
        at: value of each factor. expected: response there, with its interval. gain: against ``instead_of``.
        gain_low, gain_high: simultaneous interval (Scheffé): it holds although the setting was picked for its gain.
        is_better: the interval of the gain lies above nothing.
        on_border: factors whose best value is the end of the range tried; a better one may lie outside.
    """

    at: dict[str, float]
    instead_of: dict[str, float]
    expected: float
    expected_low: float
    expected_high: float
    gain: float
    gain_low: float
    gain_high: float
    is_better: bool
    on_border: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {name: plain(getattr(self, name)) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Surface:
    """A fitted response surface.

    Attributes:
        ranges: lowest and highest value tried of each factor. model: linear, interactions or quadratic.
        sd: of single runs about the surface, ``df`` degrees of freedom. r2_adjusted: part of the spread explained.
        lack_p: of the surface's misfit by chance, from repeated settings; NaN without repeats.
        lots: how many were given a constant of their own; 0 = none.
    """

    ranges: dict[str, tuple[float, float]]
    model: str
    terms: tuple[Term, ...]
    sd: float
    df: int
    r2_adjusted: float
    lack_p: float
    lots: int
    runs: int
    beta: Floats
    cov: Floats

    def predict(self, settings: Mapping[str, float], confidence: float = 0.95) -> tuple[float, float, float]:
        """Mean response at a setting, and its interval. Raises ValueError outside the range tried."""
        from scipy.stats import t as student

        row = self._row(self._coded(settings))
        value, se = float(row @ self.beta), math.sqrt(max(0.0, float(row @ self.cov @ row)))
        half = float(student.ppf(0.5 + confidence / 2, self.df)) * se
        return value, value - half, value + half

    def grid(self, across: str, up: str, at: Mapping[str, float], count: int = 25) -> tuple[Floats, Floats, Floats]:
        """Values of two factors, (count,) each, and the response (count, count), the others held ``at``."""
        xs, ys = (np.linspace(*self.ranges[name], count) for name in (across, up))
        z = np.empty((count, count))
        for i, y in enumerate(ys):
            for k, x in enumerate(xs):
                z[i, k] = self._row(self._coded({**at, across: float(x), up: float(y)})) @ self.beta
        return xs, ys, z

    def propose(self, instead_of: Mapping[str, float] | None = None, goal: Goal = "max") -> Proposal:
        """The best setting inside the range tried. ``instead_of``: what it is compared with; default: the middle."""
        from scipy.optimize import minimize
        from scipy.stats import f as fisher
        from scipy.stats import t as student

        here = dict(instead_of) if instead_of is not None else {n: (a + b) / 2 for n, (a, b) in self.ranges.items()}
        base = self._row(self._coded(here))
        sign = 1.0 if goal == "max" else -1.0
        d = len(self.ranges)

        def cost(x: Floats) -> float:
            return -sign * float(self._row(x) @ self.beta)

        corners = [np.array(corner) for corner in itertools.islice(itertools.product((-1.0, 1.0), repeat=d), _STARTS)]
        tried = [minimize(cost, x, bounds=[(-1.0, 1.0)] * d, method="L-BFGS-B") for x in (np.zeros(d), *corners)]
        best = np.clip(min(tried, key=lambda one: float(one.fun)).x, -1.0, 1.0)
        row = self._row(best)
        value, se = float(row @ self.beta), math.sqrt(max(0.0, float(row @ self.cov @ row)))
        half = float(student.ppf(0.975, self.df)) * se
        step = row - base
        gain, gain_se = float(step @ self.beta), math.sqrt(max(0.0, float(step @ self.cov @ step)))
        free = len(self.beta) - 1  # a difference of two settings does not see the constant
        reach = math.sqrt(free * float(fisher.ppf(0.95, free, self.df))) * gain_se
        low, high = gain - reach, gain + reach
        names = list(self.ranges)
        return Proposal(
            {name: self._plain(name, float(x)) for name, x in zip(names, best, strict=True)},
            here, value, value - half, value + half, gain, low, high,
            is_better=(low if goal == "max" else -high) > 0.0,
            on_border=tuple(name for name, x in zip(names, best, strict=True) if abs(x) > 1.0 - 1e-6),
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "factors": {name: {"low": low, "high": high} for name, (low, high) in self.ranges.items()},
            "terms": [{"name": t.name, "value": plain(t.value), "u": plain(t.u), "p": plain(t.p)} for t in self.terms],
            "sd": plain(self.sd),
            "df": self.df,
            "r2_adjusted": plain(self.r2_adjusted),
            "lack_p": plain(self.lack_p),
            "lots": self.lots,
            "runs": self.runs,
        }

    def _plain(self, name: str, coded: float) -> float:
        low, high = self.ranges[name]
        return (low + high) / 2.0 + coded * (high - low) / 2.0

    def _coded(self, settings: Mapping[str, float]) -> Floats:
        found = []
        for name, (low, high) in self.ranges.items():
            if name not in settings:
                raise ValueError(f"the setting says nothing of {name} (factors: {', '.join(self.ranges)})")
            x = (2.0 * settings[name] - low - high) / (high - low)
            if abs(x) > 1.0 + 1e-9:
                raise ValueError(f"{name} = {settings[name]:g} was not tried (accepted: {low:g} to {high:g})")
            found.append(x)
        return np.array(found)

    def _row(self, coded: Floats) -> Floats:
        found, _ = _columns(coded[np.newaxis, :], list(self.ranges), _LEVELS[self.model])
        return np.asarray(found[0], dtype=np.float64)


def fit_surface(
    response: Sequence[float],
    factors: Mapping[str, Sequence[float]],
    lots: Sequence[str] | None = None,
    *,
    model: str = "auto",
) -> Surface:
    """Fit the surface.

    Args:
        response: of each run; NaN does not count. factors: value of each factor in each run.
        lots: of each run; a lot with runs at several settings gets a constant of its own.
        model: linear, interactions, quadratic, or auto: the fullest that the runs can bear.
    Raises ValueError when nothing was varied, too much was, or the runs cannot bear the model.
    """
    y = np.asarray(response, dtype=np.float64)
    x = {name: np.asarray(values, dtype=np.float64) for name, values in factors.items()}
    ok = np.isfinite(y) & np.all([np.isfinite(v) for v in x.values()] or [np.zeros(len(y), bool)], axis=0)
    y, x = y[ok], {name: values[ok] for name, values in x.items() if len(values[ok]) and np.ptp(values[ok]) > 0.0}
    if not x:
        raise ValueError("nothing was varied: every run with the figure has the same settings")
    if len(x) > MOST_FACTORS:
        raise ValueError(f"{len(x)} factors were varied (accepted: up to {MOST_FACTORS}; name those you mean)")
    if model not in ("auto", *_LEVELS):
        raise ValueError(f"there is no model {model!r} (accepted: auto, {', '.join(_LEVELS)})")
    ranges = {name: (float(v.min()), float(v.max())) for name, v in x.items()}
    coded = np.column_stack([(2.0 * v - v.min() - v.max()) / np.ptp(v) for v in x.values()])
    blocks = _blocks(coded, [lot for lot, is_in in zip(lots, ok, strict=True) if is_in] if lots is not None else [])
    for name in [model] if model != "auto" else ["quadratic", "interactions", "linear"]:
        columns, terms = _columns(coded, list(x), _LEVELS[name])
        whole = np.column_stack([columns, blocks])
        df = len(y) - whole.shape[1]
        if df >= LEAST_DF and np.linalg.matrix_rank(whole) == whole.shape[1]:
            return _fitted(y, whole, terms, ranges, name, df, coded, blocks.shape[1])
    raise ValueError(
        f"{len(y)} runs cannot bear a {'linear' if model == 'auto' else model} model of {len(x)} factors; it takes "
        "more runs, at more different settings (three of each factor for a quadratic one)"
    )


def _columns(coded: Floats, names: Sequence[str], level: int) -> tuple[Floats, list[str]]:
    d = coded.shape[1]
    columns, terms = [np.ones(len(coded)), *coded.T], ["1", *names]
    if level >= 1:
        for i, j in itertools.combinations(range(d), 2):
            columns.append(coded[:, i] * coded[:, j])
            terms.append(f"{names[i]}*{names[j]}")
    if level >= 2:
        columns += [coded[:, i] ** 2 for i in range(d)]
        terms += [f"{name}^2" for name in names]
    return np.column_stack(columns), terms


def _blocks(coded: Floats, lots: Sequence[str]) -> Floats:
    """Columns that sum to zero over the lots, so that the constant stays the mean over them."""
    names = sorted(set(lots) - {""})
    settings = {name: {tuple(row) for row, lot in zip(coded, lots, strict=True) if lot == name} for name in names}
    if len(names) < 2 or "" in lots or sum(len(found) > 1 for found in settings.values()) < len(names):
        return np.empty((len(coded), 0))
    member = np.array([[float(lot == name) for name in names] for lot in lots])
    return np.asarray(member[:, 1:] - member[:, :1], dtype=np.float64)


def _fitted(
    y: Floats,
    whole: Floats,
    terms: Sequence[str],
    ranges: dict[str, tuple[float, float]],
    model: str,
    df: int,
    coded: Floats,
    block_columns: int,
) -> Surface:
    from scipy.stats import t as student

    inverse = np.linalg.inv(whole.T @ whole)
    beta = inverse @ whole.T @ y
    rest = y - whole @ beta
    variance = float(rest @ rest) / df
    cov = inverse * variance
    k = len(terms)
    u = np.sqrt(np.diag(cov)[:k])
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.where(u > 0.0, 2.0 * student.sf(np.abs(beta[:k]) / u, df), np.where(beta[:k] == 0.0, 1.0, 0.0))
    total = float(((y - y.mean()) ** 2).sum()) / (len(y) - 1)
    return Surface(
        ranges,
        model,
        tuple(Term(n, float(b), float(s), float(q)) for n, b, s, q in zip(terms, beta, u, p, strict=False)),
        math.sqrt(variance),
        df,
        1.0 - variance / total if total > 0.0 else math.nan,
        math.nan if block_columns else _lack_of_fit(y, rest, coded, df),
        block_columns + 1 if block_columns else 0,
        len(y),
        beta[:k],
        np.asarray(cov[:k, :k], dtype=np.float64),
    )


def _lack_of_fit(y: Floats, rest: Floats, coded: Floats, df: int) -> float:
    """p of the misfit between the surface and the means of repeated settings (F test); NaN without repeats."""
    from scipy.stats import f as fisher

    groups: dict[tuple[float, ...], list[float]] = {}
    for row, value in zip(coded, y, strict=True):
        groups.setdefault(tuple(np.round(row, 9)), []).append(float(value))
    pure = sum(float(((np.array(v) - np.mean(v)) ** 2).sum()) for v in groups.values())
    pure_df = len(y) - len(groups)
    lack_df = df - pure_df
    if pure_df < 1 or lack_df < 1 or pure <= 0.0:
        return math.nan
    lack = max(0.0, float(rest @ rest) - pure)
    return float(fisher.sf(lack / lack_df / (pure / pure_df), lack_df, pure_df))
