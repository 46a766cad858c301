"""Groups compared with their lots accounted for: a mixed model, the lot as random effect. Pure.

    value = mean of the group + effect of the lot + rest

What differs from lot to lot (variety, age, soil, and the errors that instruments have for a season) is then not taken
for a difference of recipes, and where one lot was run by several recipes each lot is its own comparison. Estimated by
restricted maximum likelihood (statsmodels); intervals are t-based with containment degrees of freedom, because the
normal ones that statsmodels gives are too narrow for the two dozen lots of a season.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from linecontrol.analysis.needs import needed
from linecontrol.analysis.statistics.groups import Adjust, Difference, adjusted, plain

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
    spread = float(y.std())
    if spread == 0.0:
        raise ValueError("every run has the same value: there is nothing to model")
    design = np.array([[float(g == name) for name in names] for _, g, _ in rows])
    shift = float(y.mean())
    fit = _fitted((y - shift) / spread, design, [lot for _, _, lot in rows])
    beta, cov = np.asarray(fit.fe_params), np.asarray(fit.cov_params())[: len(names), : len(names)]
    several = sum(len(found) > 1 for found in by_lot.values())
    is_within = 2 * several > len(by_lot)
    df = len(rows) - len(by_lot) - (len(names) - 1) if is_within else len(by_lot) - len(names)
    found = _differences(names, beta * spread + shift, cov * spread**2, max(1, df), confidence)
    return LotModel(
        tuple(adjusted(found, adjust)),
        {name: float(b) * spread + shift for name, b in zip(names, beta, strict=True)},
        math.sqrt(max(0.0, float(np.asarray(fit.cov_re).ravel()[0]))) * spread,
        math.sqrt(float(fit.scale)) * spread,
        len(by_lot),
        len(rows),
        is_within,
    )


def _fitted(y: Any, design: Any, lots: Sequence[str]) -> Any:
    """The fit. A variance of lots that is nil lies at its bound, of which statsmodels warns; it is an answer."""
    models = needed("statsmodels.regression.mixed_linear_model", "a model of lots")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = models.MixedLM(y, design, groups=np.asarray(lots))
            fit = model.fit(reml=True, method=["lbfgs", "powell"])
            if not np.all(np.isfinite(np.asarray(fit.bse_fe))):
                fit = model.fit(reml=True, method="powell")
        except np.linalg.LinAlgError:
            raise ValueError("the model of lots has no solution for these runs") from None
    if not np.all(np.isfinite(np.asarray(fit.bse_fe))):
        raise ValueError("the model of lots has no solution for these runs")
    return fit


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
