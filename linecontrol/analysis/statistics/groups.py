"""Groups of runs compared: how far apart their means are, how sure that is, and whether it could be chance. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Method = Literal["t", "bootstrap"]
Adjust = Literal["holm", "bh", "none"]
LEAST = 2  # runs of a group
LEAST_BOOTSTRAP = 5  # below it the resampled means are too few to say anything
RESAMPLES = 9999


@dataclass(frozen=True, slots=True)
class Group:
    """One group of runs. ``sd``: of single runs (n - 1); NaN for fewer than two."""

    name: str
    n: int
    mean: float
    sd: float


@dataclass(frozen=True, slots=True)
class Difference:
    """Group ``b`` less group ``a``, in the unit of the metric.

    Attributes:
        low, high: interval of the difference at ``confidence``, of this comparison alone.
        effect, effect_low, effect_high: Hedges' g, the difference in standard deviations of a run; NaN by lots.
        p: of a difference this large by chance alone. p_adjusted: the same with the other comparisons in view.
        method: "t" (Welch), "bootstrap" or "lots".
        df: degrees of freedom that the interval stands on; infinite for the bootstrap.
    """

    a: str
    b: str
    difference: float
    low: float
    high: float
    p: float
    method: str
    df: float
    confidence: float = 0.95
    effect: float = math.nan
    effect_low: float = math.nan
    effect_high: float = math.nan
    p_adjusted: float = math.nan
    mean_a: float = math.nan

    @property
    def is_found(self) -> bool:
        """Whether the difference is told from none, other comparisons in view."""
        return self.p_adjusted < 1.0 - self.confidence

    @property
    def relative(self) -> float:
        """The difference as part of the mean of ``a``."""
        return self.difference / self.mean_a if self.mean_a else math.nan

    def seen_with(self, power: float = 0.8) -> float:
        """The true difference that these runs would have shown with this chance; what "not found" leaves open."""
        from scipy.stats import norm
        from scipy.stats import t as student

        law = student(self.df) if math.isfinite(self.df) else norm()
        reach = float(law.ppf(0.5 + self.confidence / 2))
        return (self.high - self.low) / 2.0 / reach * (reach + float(law.ppf(power)))

    def to_dict(self) -> dict[str, Any]:
        names = (
            "a", "b", "difference", "low", "high", "relative", "effect", "effect_low", "effect_high", "p", "p_adjusted",
            "is_found", "method", "df", "confidence",
        )  # fmt: skip
        return {name: plain(getattr(self, name)) for name in names} | {"seen_with_80_pct": plain(self.seen_with())}


def plain(value: Any) -> Any:
    """JSON has no NaN and no infinity."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def group_of(name: str, values: Sequence[float]) -> Group:
    """Number, mean and spread of a group; values that are NaN do not count."""
    found = _known(values)
    n = len(found)
    return Group(name, n, float(found.mean()) if n else math.nan, float(found.std(ddof=1)) if n > 1 else math.nan)


def compare_groups(
    groups: Mapping[str, Sequence[float]],
    *,
    method: Method = "t",
    adjust: Adjust = "holm",
    confidence: float = 0.95,
    seed: int = 1,
) -> list[Difference]:
    """Every pair of groups, later less earlier, in the order in which the groups come.

    ``t``: Welch's, which does not take spreads for equal. ``bootstrap``: the interval from resampled runs (BCa), for
    figures that are far from normal. Raises ValueError when fewer than two groups have runs enough.
    """
    known = {name: _known(values) for name, values in groups.items()}
    least = LEAST_BOOTSTRAP if method == "bootstrap" else LEAST
    usable = {name: values for name, values in known.items() if len(values) >= least}
    if len(usable) < 2:
        counts = ", ".join(f"{name}: {len(values)}" for name, values in known.items()) or "none"
        raise ValueError(f"needs two groups of at least {least} runs that have the figure (found {counts})")
    pairs = itertools.combinations(usable, 2)
    found = [_difference(a, b, usable[a], usable[b], method, confidence, seed) for a, b in pairs]
    return adjusted(found, adjust)


def adjusted(found: Sequence[Difference], how: Adjust = "holm") -> list[Difference]:
    """The same differences with their p-values adjusted for each other.

    ``holm`` keeps the chance of even one false finding among them below 1 - confidence; ``bh`` (Benjamini-Hochberg) the
    expected share of false ones among those found.
    """
    p = np.array([row.p for row in found])
    return [replace(row, p_adjusted=float(q)) for row, q in zip(found, adjust_p(p, how), strict=True)]


def adjust_p(p: Floats, how: Adjust) -> Floats:
    """p-values with each other in view. Shape (n,)."""
    if how == "none" or len(p) < 2:
        return p
    if how == "bh":
        from scipy.stats import false_discovery_control

        return np.asarray(false_discovery_control(p, method="bh"), dtype=np.float64)
    order = np.argsort(p)
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))  # Holm 1979
    found = np.empty_like(p)
    found[order] = np.minimum(steps, 1.0)
    return found


def welch(a: Floats, b: Floats, confidence: float = 0.95) -> tuple[Floats, Floats, Floats, Floats]:
    """Difference of means b - a, its half interval, p and degrees of freedom, along the last axis.

    Many experiments at once: a (..., n_a), b (..., n_b). Two groups without any spread differ for certain, or not.
    """
    from scipy.stats import t as student

    n_a, n_b = a.shape[-1], b.shape[-1]
    va, vb = a.var(axis=-1, ddof=1) / n_a, b.var(axis=-1, ddof=1) / n_b
    difference, se = b.mean(axis=-1) - a.mean(axis=-1), np.sqrt(va + vb)
    with np.errstate(divide="ignore", invalid="ignore"):
        df = (va + vb) ** 2 / (va**2 / (n_a - 1) + vb**2 / (n_b - 1))
        df = np.where(np.isfinite(df), df, n_a + n_b - 2)
        t = np.where(se > 0.0, difference / se, np.where(difference == 0.0, 0.0, np.inf))
    return difference, student.ppf(0.5 + confidence / 2, df) * se, 2.0 * student.sf(np.abs(t), df), df


def _difference(a: str, b: str, x: Floats, y: Floats, method: Method, confidence: float, seed: int) -> Difference:
    difference, half, p, df = (float(value) for value in welch(x, y, confidence))
    g, g_half = hedges_g(x, y, confidence)
    found = Difference(
        a, b, difference, difference - half, difference + half, p, "t", df, confidence, g, g - g_half, g + g_half,
        mean_a=float(x.mean()),
    )  # fmt: skip
    if method == "t" or x.std() + y.std() == 0.0:
        return found
    from scipy.stats import bootstrap

    def apart(one: Floats, other: Floats, axis: int = -1) -> Floats:
        return np.asarray(other.mean(axis=axis) - one.mean(axis=axis), dtype=np.float64)

    drawn = bootstrap(
        (x, y), apart, n_resamples=RESAMPLES, confidence_level=confidence, method="BCa", rng=np.random.default_rng(seed)
    )
    low, high = (float(value) for value in drawn.confidence_interval)
    return replace(found, low=low, high=high, method="bootstrap", df=math.inf, p=_permutation_p(x, y, seed))


def _permutation_p(x: Floats, y: Floats, seed: int) -> float:
    """Share of random divisions into two such groups that lie as far apart, studentised (two-sided)."""
    from scipy.stats import permutation_test

    def studentised(one: Floats, other: Floats, axis: int = -1) -> Floats:
        se = np.sqrt(one.var(axis=axis, ddof=1) / one.shape[axis] + other.var(axis=axis, ddof=1) / other.shape[axis])
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.nan_to_num((other.mean(axis=axis) - one.mean(axis=axis)) / se), dtype=np.float64)

    found = permutation_test(
        (x, y), studentised, permutation_type="independent", n_resamples=RESAMPLES, rng=np.random.default_rng(seed)
    )
    return float(found.pvalue)


def hedges_g(x: Floats, y: Floats, confidence: float = 0.95) -> tuple[float, float]:
    """Standardised difference (y - x) without small-sample bias, and its half interval.

    Source: Hedges & Olkin 1985, Statistical Methods for Meta-Analysis, ch. 5; large-sample variance.
    """
    from scipy.special import ndtri

    n_x, n_y = len(x), len(y)
    df = n_x + n_y - 2
    pooled = math.sqrt(((n_x - 1) * float(x.var(ddof=1)) + (n_y - 1) * float(y.var(ddof=1))) / df)
    if pooled == 0.0:
        return math.nan, math.nan
    g = float(y.mean() - x.mean()) / pooled * (1.0 - 3.0 / (4.0 * df - 1.0))
    variance = (n_x + n_y) / (n_x * n_y) + g * g / (2.0 * (n_x + n_y))
    return g, float(ndtri(0.5 + confidence / 2)) * math.sqrt(variance)


def _known(values: Sequence[float]) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    return found[np.isfinite(found)]
