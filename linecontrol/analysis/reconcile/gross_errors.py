"""Is one of the measurements wrong, beyond its declared uncertainty, and which? And can that be told at all?

* Global test: the weighted sum of squared adjustments is chi-square distributed with as many degrees of freedom as
  there are independent balances left once what is not measured is taken out (Ripps 1965; Reilly & Carpani 1963).
* Test of each measurement, of maximum power: Mah & Tamhane (1982), AIChE J. 28:828; limits after Sidak (1967).
* Decision: the smaller of the two p-values, against its own distribution when nothing is wrong. That distribution is
  drawn (the two tests depend on each other), so that false alarms have the rate that was asked for. With one balance
  left the two are one test, and its p-value needs no drawing.
* Measurements whose tests are the same up to sign cannot be told apart by any test; they are named together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

ALPHA = 0.05
DRAWS = 20_000
SEED = 20_240_229  # of the drawn distribution: the same file gives the same answer
SAME = 1.0 - 1e-6  # correlation beyond which two tests are one
NEAR = 3.84  # chi-square: an explanation this much worse than the best is not yet refuted (likelihood ratio 1 : 6.8)
_POWER_Z = 0.8416  # a standard normal value stays below it four times in five
UNTESTED = 1e-9  # whitened length below which a balance hardly sees a measurement


@dataclass(frozen=True, slots=True)
class Suspect:
    """One gross error found.

    Attributes:
        names: the measurement; several when they cannot be told apart, exactly or by these data, the likeliest first.
        error: measured minus true of the first one, by the balances, and u: its standard uncertainty.
    """

    names: tuple[str, ...]
    error: float
    u: float


@dataclass(frozen=True)
class GrossErrors:
    """What the tests say.

    Attributes:
        dof: independent balances that test measurements; 0 = no test was possible.
        chi2, p_global: of the global test. p: of the decision; NaN without redundancy.
        z: of each measurement; NaN where no balance tests it. z_limit: of the largest |z|, at 5 % in all.
        seen_from: the error of each measurement, alone, that its test finds four times in five, in its unit; infinite
            where no balance tests it.
        found: in the order of their weight. alike: measurements that no test can tell apart.
    """

    dof: int
    chi2: float
    p_global: float
    p: float
    z: dict[str, float]
    z_limit: float
    seen_from: dict[str, float]
    found: tuple[Suspect, ...]
    alike: tuple[tuple[str, ...], ...]

    @property
    def is_alarm(self) -> bool:
        return self.p <= ALPHA


def gross_errors(names: Sequence[str], columns: FloatArray, residual: FloatArray, u: FloatArray) -> GrossErrors:
    """Test measurements by the balances that are left.

    Args:
        names: measured quantities. columns, residual: of ``solve.Solution``, whitened.
        u: standard uncertainty of each measurement, which says what counts as small.
    """
    from scipy.special import chdtrc  # slow to import, and a balance comes when a run has ended

    chi2, dof = float(residual @ residual), len(residual)
    z = _tests(names, columns, residual, u)
    alike = _alike(names, columns, u)
    limit = _sidak_limit(len(_distinct(columns, u)))
    seen_from = _seen_from(names, columns, u, limit)
    p_global = float(chdtrc(dof, chi2)) if dof else math.nan
    p = decision(columns, residual, u)
    found: list[Suspect] = []
    rest, seen = residual, columns
    while decision(seen, rest, u) <= ALPHA:
        suspect, direction = _likeliest(names, seen, rest, u)
        found.append(suspect)
        rest, seen = _take_out(rest, seen, direction)
    return GrossErrors(dof, chi2, p_global, p, z, limit, seen_from, tuple(found), alike)


def decision(columns: FloatArray, residual: FloatArray, u: FloatArray, draws: int = DRAWS) -> float:
    """p-value of "no measurement is wrong"; NaN when no balance can test anything, 1 when none can be at fault."""
    from scipy.special import chdtrc

    dof = len(residual)
    if dof == 0:
        return math.nan
    if dof == 1:
        return float(chdtrc(1, float(residual @ residual)))
    directions = _distinct(columns, u)
    drawn = np.random.default_rng(SEED).standard_normal((draws, dof))
    here = float(_smaller_p(residual[None, :], directions)[0])
    return (1.0 + float(np.sum(_smaller_p(drawn, directions) <= here))) / (1.0 + draws)


def _smaller_p(residuals: FloatArray, directions: FloatArray) -> FloatArray:
    from scipy.special import chdtrc, ndtr

    p_global = chdtrc(residuals.shape[1], np.sum(residuals**2, axis=1))
    if not len(directions):
        return np.asarray(p_global)
    largest = np.max(np.abs(residuals @ directions.T), axis=1)
    p_largest = -np.expm1(len(directions) * np.log1p(-np.minimum(2.0 * ndtr(-largest), 1.0 - 1e-16)))
    return np.asarray(np.minimum(p_global, p_largest))


def _lengths(columns: FloatArray, u: FloatArray) -> FloatArray:
    """How much of each measurement's own uncertainty the balances see, 0..1."""
    return np.asarray(np.linalg.norm(columns, axis=0) * u)


def _units(columns: FloatArray, u: FloatArray) -> tuple[FloatArray, list[int]]:
    """Unit vectors of the tested measurements as rows, and which those are."""
    tested = np.flatnonzero(_lengths(columns, u) > UNTESTED).tolist()
    found = columns[:, tested].T
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True)), tested


def _distinct(columns: FloatArray, u: FloatArray) -> FloatArray:
    """The directions that are tested, each once."""
    units, _ = _units(columns, u)
    kept: list[FloatArray] = []
    for unit in units:
        if all(abs(float(unit @ other)) < SAME for other in kept):
            kept.append(unit)
    return np.array(kept).reshape(len(kept), columns.shape[0])


def _sidak_limit(tests: int) -> float:
    from scipy.special import ndtri

    return float(-ndtri(0.5 * (1.0 - (1.0 - ALPHA) ** (1.0 / tests)))) if tests else math.nan


def _tests(names: Sequence[str], columns: FloatArray, residual: FloatArray, u: FloatArray) -> dict[str, float]:
    units, tested = _units(columns, u)
    found = dict.fromkeys(names, math.nan)
    for unit, k in zip(units, tested, strict=True):
        found[names[k]] = float(unit @ residual)
    return found


def _seen_from(names: Sequence[str], columns: FloatArray, u: FloatArray, limit: float) -> dict[str, float]:
    """An error shifts the test of its measurement by its length; it is found where that lifts |z| over the limit."""
    lengths = np.linalg.norm(columns, axis=0)
    seen = _lengths(columns, u) > UNTESTED
    return {name: (limit + _POWER_Z) / float(lengths[k]) if seen[k] else math.inf for k, name in enumerate(names)}


def _alike(names: Sequence[str], columns: FloatArray, u: FloatArray) -> tuple[tuple[str, ...], ...]:
    units, tested = _units(columns, u)
    groups: list[list[int]] = []
    for k in range(len(tested)):
        home = next((group for group in groups if abs(float(units[k] @ units[group[0]])) >= SAME), None)
        if home is None:
            groups.append([k])
        else:
            home.append(k)
    return tuple(tuple(names[tested[k]] for k in group) for group in groups if len(group) > 1)


def _likeliest(
    names: Sequence[str], columns: FloatArray, residual: FloatArray, u: FloatArray
) -> tuple[Suspect, FloatArray]:
    """The measurement whose error explains most, with those that explain nearly as much."""
    units, tested = _units(columns, u)
    if not len(units):  # only balances of exact values are left: no measurement can be at fault
        return Suspect((), math.nan, math.nan), residual / np.linalg.norm(residual)
    weights = (units @ residual) ** 2
    order = np.argsort(-weights, kind="stable")
    best = int(order[0])
    near = [names[tested[k]] for k in order if weights[k] >= weights[best] - NEAR]
    length = float(np.linalg.norm(columns[:, tested[best]]))
    return Suspect(tuple(near), float(units[best] @ residual) / length, 1.0 / length), units[best]


def _take_out(residual: FloatArray, columns: FloatArray, direction: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What the balances still say once the measurement along ``direction`` is not believed: one fewer."""
    basis = np.linalg.svd(direction[None, :])[2][1:]
    return basis @ residual, basis @ columns
