"""Groups compared with their lots accounted for: a mixed model, the lot as random effect. Pure.

    value = mean of the group + effect of the lot + rest

What differs from lot to lot (variety, age, soil, and the errors that instruments have for a season) is then not taken
for a difference of recipes, and where one lot was run by several recipes each lot is its own comparison. Estimated by
restricted maximum likelihood; intervals are t-based with containment degrees of freedom, because normal ones are too
narrow for the two dozen lots of a season.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from linecontrol.analysis.statistics.groups import Adjust, Difference, adjusted, plain

Floats = NDArray[np.float64]
LEAST_LOTS = 3


@dataclass(frozen=True, slots=True)
class LotModel:
    """What the mixed model says.

    Attributes:
        sd_lot, sd_rest: standard deviations between lots and of runs within a lot.
        lots, runs: counted. is_within: the groups were compared within lots (most lots had runs of several groups).
    """

    differences: tuple[Difference, ...]
    means: dict[str, float]
    sd_lot: float
    sd_rest: float
    lots: int
    runs: int
    is_within: bool

    @property
    def share_of_lots(self) -> float:
        """Part of the variance of single runs that is their lots' (intra-class correlation)."""
        whole = self.sd_lot**2 + self.sd_rest**2
        return self.sd_lot**2 / whole if whole > 0.0 else math.nan

    def to_dict(self) -> dict[str, Any]:
        return {
            "differences": [row.to_dict() for row in self.differences],
            "means": {name: plain(value) for name, value in self.means.items()},
            "sd_lot": plain(self.sd_lot),
            "sd_rest": plain(self.sd_rest),
            "share_of_lots": plain(self.share_of_lots),
            "lots": self.lots,
            "runs": self.runs,
            "is_within": self.is_within,
        }


def compare_with_lots(
    values: Sequence[float],
    groups: Sequence[str],
    lots: Sequence[str],
    *,
    adjust: Adjust = "holm",
    confidence: float = 0.95,
) -> LotModel:
    """Every pair of groups, later less earlier in order of appearance, lots accounted for.

    Args:
        values, groups, lots: of each run, of one length. NaN values and empty lots do not count.
    Raises ValueError when there are too few lots, groups or runs for a lot to be told from a run.
    """
    rows = [
        (float(v), g, lot) for v, g, lot in zip(values, groups, lots, strict=True) if math.isfinite(v) and lot and g
    ]
    names = list(dict.fromkeys(g for _, g, _ in rows))
    by_lot: dict[str, set[str]] = defaultdict(set)
    for _, g, lot in rows:
        by_lot[lot].add(g)
    if len(names) < 2 or len(by_lot) < LEAST_LOTS or len(rows) <= len(by_lot) or len(rows) <= len(names) + 1:
        raise ValueError(
            f"a model of lots needs two groups, {LEAST_LOTS} lots, and lots with more than one run (found {len(names)} "
            f"groups, {len(by_lot)} lots, {len(rows)} runs with lot and figure)"
        )
    y = np.array([v for v, _, _ in rows])
    spread, shift = float(y.std()), float(y.mean())
    if spread == 0.0:
        raise ValueError("every run has the same value: there is nothing to model")
    design = np.array([[float(g == name) for name in names] for _, g, _ in rows])
    fit = _reml((y - shift) / spread, design, [lot for _, _, lot in rows])
    several = sum(len(found) > 1 for found in by_lot.values())
    is_within = 2 * several > len(by_lot)
    df = len(rows) - len(by_lot) - (len(names) - 1) if is_within else len(by_lot) - len(names)
    found = _differences(names, fit.beta * spread + shift, fit.cov * spread**2, max(1, df), confidence)
    return LotModel(
        tuple(adjusted(found, adjust)),
        {name: float(b) * spread + shift for name, b in zip(names, fit.beta, strict=True)},
        math.sqrt(fit.ratio * fit.variance) * spread,
        math.sqrt(fit.variance) * spread,
        len(by_lot),
        len(rows),
        is_within,
    )


class _Fit(NamedTuple):
    """Attributes: ratio: variance of lots over that of runs within them; variance: the latter."""

    beta: Floats
    cov: Floats
    variance: float
    ratio: float
    criterion: float


def _reml(y: Floats, design: Floats, lots: Sequence[str]) -> _Fit:
    """The fit with the largest restricted likelihood. With one variance ratio that is a search along a line, and a
    ratio of 0 (lots that do not differ) is as good an answer as any other."""
    from scipy.optimize import minimize_scalar

    member = np.array([[float(lot == name) for name in dict.fromkeys(lots)] for lot in lots])
    sums, sizes = member.T @ design, member.sum(axis=0)
    totals = member.T @ y

    def at(share: float) -> _Fit:
        """``share``: of the variance that is the lots', 0 <= share < 1."""
        ratio = share / (1.0 - share)
        weight = ratio / (1.0 + sizes * ratio)  # Sherman-Morrison: V^-1 = I - weight 1 1' in each lot
        information = design.T @ design - (sums * weight[:, np.newaxis]).T @ sums
        cov = np.linalg.inv(information)
        beta = cov @ (design.T @ y - sums.T @ (weight * totals))
        rest = y - design @ beta
        square = float(rest @ rest - (weight * (member.T @ rest) ** 2).sum())
        free = len(y) - design.shape[1]
        variance = max(square, 1e-300) / free
        log_size = float(np.linalg.slogdet(information)[1]) + float(np.log1p(sizes * ratio).sum())
        return _Fit(beta, cov * variance, variance, ratio, free * math.log(variance) + log_size)

    shares = np.concatenate((np.linspace(0.0, 0.95, 20), [0.99, 0.999, 0.9999, 0.999999]))
    try:
        found = [at(float(share)) for share in shares]
        best = min(range(len(found)), key=lambda k: found[k].criterion)
        low, high = float(shares[max(0, best - 1)]), float(shares[min(len(shares) - 1, best + 1)])
        line = minimize_scalar(lambda x: at(float(x)).criterion, bounds=(low, high), method="bounded",
                               options={"xatol": 1e-10})  # fmt: skip
        return min((found[best], at(float(line.x))), key=lambda fit: fit.criterion)
    except np.linalg.LinAlgError:
        raise ValueError("the model of lots has no solution for these runs") from None


def _differences(names: Sequence[str], beta: Any, cov: Any, df: int, confidence: float) -> list[Difference]:
    from scipy.stats import t as student

    reach = float(student.ppf(0.5 + confidence / 2, df))
    found = []
    for i, j in itertools.combinations(range(len(names)), 2):
        difference = float(beta[j] - beta[i])
        se = math.sqrt(max(0.0, float(cov[i, i] + cov[j, j] - 2.0 * cov[i, j])))
        p = float(2.0 * student.sf(abs(difference) / se, df)) if se > 0.0 else float(difference == 0.0)
        found.append(
            Difference(
                names[i],
                names[j],
                difference,
                difference - reach * se,
                difference + reach * se,
                p,
                "lots",
                float(df),
                confidence,
                mean_a=float(beta[i]),
            )
        )
    return found
