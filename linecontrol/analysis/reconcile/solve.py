"""Weighted least squares under balances that hold exactly, linear or not.

    minimise (m - x)' V^-1 (m - x)   so that   c(x, z) = 0

x: measured quantities, m: their measured values, V: their covariance, z: what is not measured. The balances are made
linear about the present point (Gauss-Newton); z is projected out with the orthogonal complement of its columns (Crowe,
Garcia Campos & Hrymak 1983, AIChE J. 29:881), which also tells what can be determined and which balances are left to
test measurements with. See Narasimhan & Jordache, Data Reconciliation and Gross Error Detection (2000), ch. 3-7.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linecontrol.analysis.reconcile.expression import Expression
from linecontrol.analysis.reconcile.flowsheet import Flowsheet
from linecontrol.analysis.reconcile.quantity import Quantity

FloatArray = npt.NDArray[np.float64]

MOST_STEPS = 200
CLOSED = 1e-10  # of the size of a balance's terms
RANK = 1e-9  # smaller than this beside the largest counts as nothing


class CannotReconcile(ValueError):
    """The balances have no solution near the measured values, or say nothing."""


@dataclass(frozen=True)
class Solution:
    """Where the search ended.

    Attributes:
        names: measured quantities, then the others. values: reconciled, in that order.
        covariance: of them; rows of what cannot be determined are NaN. loose: directions in which those may move
            without touching a balance, one column each.
        columns: what is left of the balances once the others are projected out, by measured quantity, whitened: their
            residual ``columns @ (m - x)`` has unit covariance. Rows = independent balances that can be tested.
        residual: of these, from the measured values.
        gain: how the values move with each measured one; ``covariance`` is that of the measurements seen through it.
    """

    names: tuple[str, ...]
    values: FloatArray
    covariance: FloatArray
    loose: FloatArray
    columns: FloatArray
    residual: FloatArray
    gain: FloatArray

    def at(self) -> dict[str, float]:
        return dict(zip(self.names, self.values.tolist(), strict=True))

    def of(self, name: str) -> Quantity:
        k = self.names.index(name)
        return Quantity(float(self.values[k]), _sd(self.covariance[k, k]))

    def slopes(self, wanted: Expression) -> FloatArray:
        """How a function of the reconciled values moves with each measured value, in the order of ``names``; NaN where
        it cannot be determined. Raises CannotReconcile where it divides by 0."""
        if math.isnan(self.quantity(wanted).u):
            return np.full(self.gain.shape[1], np.nan)
        slopes = wanted.gradient(self.at())
        used = [self.names.index(name) for name in wanted.names]
        return np.asarray(np.array([slopes[name] for name in wanted.names]) @ self.gain[used])

    def quantity(self, wanted: Expression) -> Quantity:
        """A function of the reconciled values with its uncertainty. Raises CannotReconcile where it divides by 0."""
        values = self.at()
        try:
            value, slopes = wanted.at({k: complex(v) for k, v in values.items()}).real, wanted.gradient(values)
        except ZeroDivisionError:
            raise CannotReconcile(f"{wanted.text}: divides by 0 at the reconciled values") from None
        used = [self.names.index(name) for name in wanted.names]
        g = np.array([slopes[name] for name in wanted.names])
        if self.loose.size:
            drift = np.abs(g @ self.loose[used])
            if np.any(drift > 1e-7 * (float(np.abs(g).max(initial=0.0)) or 1.0)):
                return Quantity(value, math.nan)
        return Quantity(value, _sd(g @ np.nan_to_num(self.covariance)[np.ix_(used, used)] @ g))


def solve(flowsheet: Flowsheet) -> Solution:
    """Raises CannotReconcile when there is no solution near the measured values."""
    system = _System(flowsheet)
    x, z = system.m.copy(), system.first_guess()
    size = math.inf
    for _ in range(MOST_STEPS):
        step = _Step(system, x, z)
        dx, dz = step.x - x, step.dz
        share = 1.0
        while share > 1e-4:
            new_x, new_z = x + share * dx, z + share * dz
            try:
                size_there = system.imbalance(new_x, new_z)
            except ZeroDivisionError:
                size_there = math.inf
            if size_there <= max(1.05 * size, CLOSED) or size is math.inf:
                break
            share *= 0.5
        moved = float(
            np.max(np.abs(np.concatenate([share * dx / system.scale_x, share * dz / system.scale_z])), initial=0.0)
        )
        x, z, size = new_x, new_z, size_there
        if (
            size <= CLOSED and moved <= 1e-9
        ):  # what is nothing but for the last bits is nothing: to divide by it is refused
            x = np.where(np.abs(x) <= CLOSED * system.scale_x, 0.0, x)
            z = np.where(np.abs(z) <= CLOSED * system.scale_z, 0.0, z)
            return _Step(system, x, z).solution(x, z)
    raise CannotReconcile(
        f"no values near the measured ones satisfy all balances: the worst still misses by {size:.1e} of its terms."
        " Balances may contradict each other, or what is not measured needs a guess"
    )


class _System:
    """The flowsheet as arrays."""

    def __init__(self, flowsheet: Flowsheet) -> None:
        if not flowsheet.balances:
            raise CannotReconcile("there is no balance")
        self.flowsheet = flowsheet
        self.measured, self.unmeasured = flowsheet.measured, flowsheet.unmeasured
        self.names = (*self.measured, *self.unmeasured)
        by_name = {variable.name: variable for variable in flowsheet.variables}
        self.m = np.array([by_name[name].value for name in self.measured], float)
        self.guesses = [by_name[name].guess for name in self.unmeasured]
        self.v = flowsheet.covariance()
        typical = float(np.median(np.abs(self.m[self.m != 0.0]))) if np.any(self.m) else 1.0
        self.scale_x = np.where(self.m == 0.0, typical, np.abs(self.m))
        self.scale_z = np.array([_typical(self, name, typical) for name in self.unmeasured], float)

    def first_guess(self) -> FloatArray:
        return np.array([self.scale_z[k] if g is None else g for k, g in enumerate(self.guesses)], float)

    def values(self, x: FloatArray, z: FloatArray) -> dict[str, float]:
        return dict(zip(self.names, [*x.tolist(), *z.tolist()], strict=True))

    def linear(self, x: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Balances and their derivatives, each over the size of its terms."""
        values = self.values(x, z)
        place = {name: k for k, name in enumerate(self.names)}
        c, jacobian = np.zeros(len(self.flowsheet.balances)), np.zeros((len(self.flowsheet.balances), len(self.names)))
        for row, balance in enumerate(self.flowsheet.balances):
            c[row] = balance.expression.at({k: complex(v) for k, v in values.items()}).real
            for name, slope in balance.expression.gradient(values).items():
                jacobian[row, place[name]] = slope
        sizes = np.abs(jacobian) @ np.concatenate([self.scale_x, self.scale_z])
        sizes[sizes == 0.0] = 1.0
        return c / sizes, jacobian / sizes[:, None]

    def imbalance(self, x: FloatArray, z: FloatArray) -> float:
        return float(np.max(np.abs(self.linear(x, z)[0])))


class _Step:
    """The linear problem about one point."""

    def __init__(self, system: _System, x: FloatArray, z: FloatArray) -> None:
        from scipy.linalg import eigh  # slow to import, and a balance comes when a run has ended

        self.system = system
        n = len(system.measured)
        c, jacobian = system.linear(x, z)
        of_x, of_z = jacobian[:, :n], jacobian[:, n:] * system.scale_z
        u, s, vt = np.linalg.svd(of_z) if of_z.size else (np.eye(len(c)), np.zeros(0), np.zeros((0, 0)))
        rank = int(np.sum(s > RANK * max(float(s.max(initial=0.0)), 1e-300)))
        left = u[:, rank:].T  # balances in which nothing unmeasured is left
        self.inverse_z = system.scale_z[:, None] * (vt[:rank].T / s[:rank]) @ u[:, :rank].T
        self.loose_z = system.scale_z[:, None] * vt[rank:].T
        self.of_x = of_x
        a = left @ of_x
        h = a @ system.v @ a.T
        size, vectors = eigh(h) if h.size else (np.zeros(0), np.zeros((0, 0)))
        floor = RANK * max(float(size.max(initial=0.0)), 1e-300)
        keep = size > floor
        if np.any(~keep):  # balances of exact values only: they hold, or nothing can make them
            rest = vectors[:, ~keep].T @ (left @ (c + of_x @ (system.m - x)))
            self.contradiction = float(np.max(np.abs(rest), initial=0.0))
        else:
            self.contradiction = 0.0
        self.columns = (vectors[:, keep] / np.sqrt(size[keep])).T @ a
        white = (vectors[:, keep] / np.sqrt(size[keep])).T @ (left @ (c + of_x @ (system.m - x)))
        self.x = system.m - system.v @ self.columns.T @ white
        self.dz = -self.inverse_z @ (c + of_x @ (self.x - x))

    def solution(self, x: FloatArray, z: FloatArray) -> Solution:
        system, n = self.system, len(self.system.measured)
        if self.contradiction > 1e-6:
            raise CannotReconcile("balances of values that are known exactly do not hold, or contradict each other")
        v_x = system.v - system.v @ self.columns.T @ self.columns @ system.v
        maps = np.vstack([np.eye(n), -self.inverse_z @ self.of_x])
        covariance = maps @ v_x @ maps.T
        gain = maps @ (np.eye(n) - system.v @ self.columns.T @ self.columns)
        loose = np.vstack([np.zeros((n, self.loose_z.shape[1])), self.loose_z])
        free = np.any(np.abs(loose) > 1e-7 * np.concatenate([system.scale_x, system.scale_z])[:, None], axis=1)
        covariance[free] = covariance[:, free] = np.nan
        residual = self.columns @ (system.m - x)
        return Solution(system.names, np.concatenate([x, z]), covariance, loose, self.columns, residual, gain)


def _typical(system: _System, name: str, flow: float) -> float:
    """Where the search for an unmeasured quantity begins: an even share for a fraction, else as large as others."""
    variable = next(v for v in system.flowsheet.variables if v.name == name)
    if variable.guess:
        return abs(variable.guess)
    if "." not in name:
        flows = [abs(v.value) for v in system.flowsheet.variables if v.value and "." not in v.name]
        return float(np.median(flows)) if flows else flow
    part = name.partition(".")[2]
    alike = [abs(v.value) for v in system.flowsheet.variables if v.value and v.name.endswith(f".{part}")]
    return float(np.median(alike)) if alike else 0.5


def _sd(variance: float) -> float:
    return math.sqrt(max(float(variance), 0.0)) if not math.isnan(variance) else math.nan
