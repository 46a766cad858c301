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
MOST_CORRECTIONS = 20  # until a point beside the solution satisfies the balances too
CLOSED = 1e-10  # of the size of a balance's terms
ROUNDING = 1e-12  # smaller than this beside the whole is what is left of a difference that is nothing
RANK = 1e-9  # smaller than this beside the largest counts as nothing
LOOSE = 1e-7  # a slope along what is loose, beside the slope by one of its quantities alone, that counts as one
EXACT = 1e-10  # an uncertainty this small beside what it is the difference of is rounding
SEED = 20_240_229  # of the directions of ``ELSEWHERE``: any will do, and the same file gives the same answer
ELSEWHERE = (0.17, -0.11)  # of a stream's usual size: how far from the solution it is looked again at what is loose


class CannotReconcile(ValueError):
    """The balances have no solution near the measured values, or say nothing."""


@dataclass(frozen=True)
class Solution:
    """Where the search ended.

    Attributes:
        names: measured quantities, then the others. values: reconciled, in that order. scale: their usual size.
        loose: directions in which what cannot be determined may move without touching a balance, one column each.
        elsewhere: other values that satisfy the balances as well, reached by moving along ``loose``, and what is loose
            there. Empty where nothing is.
        columns: what is left of the balances once the others are projected out, by measured quantity, whitened: their
            residual ``columns @ (m - x)`` has unit covariance. Rows = independent balances that can be tested.
        residual: of these, from the measured values.
        gain: how the values move with each measured one. Of what is loose, only functions that do not move along
            ``loose`` have one.
        spread: a root of the values' covariance, ``spread @ spread.T``; the same holds.
    """

    names: tuple[str, ...]
    values: FloatArray
    scale: FloatArray
    loose: FloatArray
    elsewhere: tuple[tuple[FloatArray, FloatArray], ...]
    columns: FloatArray
    residual: FloatArray
    gain: FloatArray
    spread: FloatArray

    def at(self) -> dict[str, float]:
        return dict(zip(self.names, self.values.tolist(), strict=True))

    def of(self, name: str) -> Quantity:
        k = self.names.index(name)
        moves = any(np.any(self._moves(loose)[k]) for _, loose in self._places())
        alone = np.zeros(len(self.names))
        alone[k] = 1.0
        return Quantity(float(self.values[k]), math.nan if moves else self._sd(alone))

    def slopes(self, wanted: Expression) -> FloatArray:
        """How a function of the reconciled values moves with each measured value, in the order of ``names``; NaN where
        it cannot be determined. Raises CannotReconcile where it divides by 0."""
        if not self._determines(wanted):
            return np.full(self.gain.shape[1], np.nan)
        return np.asarray(self._linear(wanted, self.values)[1] @ self.gain)

    def quantity(self, wanted: Expression) -> Quantity:
        """A function of the reconciled values with its uncertainty. Raises CannotReconcile where it divides by 0."""
        value, gradient = self._linear(wanted, self.values)
        return Quantity(value, self._sd(gradient) if self._determines(wanted) else math.nan)

    def _places(self) -> tuple[tuple[FloatArray, FloatArray], ...]:
        return ((self.values, self.loose), *self.elsewhere)

    def _determines(self, wanted: Expression) -> bool:
        """It does not move along what is loose, here and elsewhere: a product of two loose streams for which the search
        began at the same guess stands still to first order, but only here."""
        for values, loose in self._places() if self.loose.size else ():
            try:
                _, gradient = self._linear(wanted, values)
            except CannotReconcile:
                if values is self.values:
                    raise
                continue
            moves = self._moves(loose)
            alone = float(np.max(np.abs(gradient) * self.scale * np.any(moves, axis=1), initial=0.0))
            if np.any(np.abs(gradient @ np.where(moves, loose, 0.0)) > LOOSE * alone):
                return False
        return True

    def _moves(self, loose: FloatArray) -> npt.NDArray[np.bool_]:
        """Where a direction moves a quantity by more than rounding."""
        return np.asarray(np.abs(loose) > LOOSE * self.scale[:, None])

    def _linear(self, wanted: Expression, values: FloatArray) -> tuple[float, FloatArray]:
        """Value and gradient by all of ``names``. Raises CannotReconcile where it divides by 0."""
        at = dict(zip(self.names, values.tolist(), strict=True))
        try:
            value, slopes = wanted.at({name: complex(at[name]) for name in wanted.names}).real, wanted.gradient(at)
        except ZeroDivisionError:
            raise CannotReconcile(f"{wanted.text}: divides by 0 at the reconciled values") from None
        except OverflowError as error:
            raise CannotReconcile(str(error)) from None
        return value, np.array([slopes.get(name, 0.0) for name in self.names])

    def _sd(self, gradient: FloatArray) -> float:
        """Standard uncertainty of a function with this gradient (GUM, JCGM 100:2008, equation 13)."""
        u = float(np.linalg.norm(gradient @ self.spread))
        parts = np.abs(gradient) @ np.linalg.norm(self.spread, axis=1)
        return u if u > EXACT * float(parts) else 0.0


def solve(flowsheet: Flowsheet) -> Solution:
    """Raises CannotReconcile when there is no solution near the measured values."""
    try:
        return _search(_System(flowsheet))
    except ZeroDivisionError:
        raise CannotReconcile("a balance divides by 0: what is not measured may need a guess") from None
    except OverflowError:
        raise CannotReconcile("a balance comes to more than a computer can hold at the measured values") from None


def _search(system: _System) -> Solution:
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
            except ArithmeticError:
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
            return _Step(system, x, z).solution()
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
        self.root_v = _root(self.v)
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
        if not np.all(np.isfinite(sizes)):
            raise OverflowError
        sizes[sizes == 0.0] = 1.0
        return c / sizes, jacobian / sizes[:, None]

    def imbalance(self, x: FloatArray, z: FloatArray) -> float:
        return float(np.max(np.abs(self.linear(x, z)[0])))


class _Step:
    """The linear problem about one point."""

    def __init__(self, system: _System, x: FloatArray, z: FloatArray) -> None:
        self.system, self.at_x, self.at_z = system, x, z
        n = len(system.measured)
        c, jacobian = system.linear(x, z)
        self.missed = c
        of_x, of_z = jacobian[:, :n], jacobian[:, n:] * system.scale_z
        u, s, vt = np.linalg.svd(of_z) if of_z.size else (np.eye(len(c)), np.zeros(0), np.zeros((0, 0)))
        rank = int(np.sum(s > RANK * max(float(s.max(initial=0.0)), 1e-300)))
        left = u[:, rank:].T  # balances in which nothing unmeasured is left
        self.inverse_z = system.scale_z[:, None] * (vt[:rank].T / s[:rank]) @ u[:, :rank].T
        self.loose_z = system.scale_z[:, None] * vt[rank:].T
        self.of_x = of_x
        a = left @ of_x
        # The covariance of what the balances miss is w w'. Its root is looked at, each row over its own length, so that
        # a balance known to 1e-5 is not taken for nothing beside one that is known to a half.
        w = a @ system.root_v
        lengths = np.linalg.norm(w, axis=1)
        whole = float(np.linalg.norm(of_x @ system.root_v, axis=1).max(initial=0.0))
        nothing = lengths <= ROUNDING * whole  # of exact values only, or what is left of a balance written twice
        w[nothing], lengths[nothing] = 0.0, 1.0
        vectors, size, basis = (
            np.linalg.svd(w / lengths[:, None]) if w.size else (np.eye(len(w)), np.zeros(0), np.eye(n))
        )
        size = np.concatenate([size, np.zeros(len(w) - len(size))])
        keep = size > RANK
        self.spread_x = system.root_v @ basis[int(np.sum(keep)) :].T
        combined = vectors.T / lengths
        missed = left @ (c + of_x @ (system.m - x))
        # combinations of exact values only, and of balances that repeat each other: they hold, or nothing can make them
        rest = combined[~keep]
        self.contradiction = float(np.max(np.abs(rest @ missed) / np.linalg.norm(rest, axis=1), initial=0.0))
        self.columns = combined[keep] / size[keep, None] @ a
        self.x = system.m - system.v @ self.columns.T @ (combined[keep] / size[keep, None] @ missed)
        self.dz = -self.inverse_z @ (c + of_x @ (self.x - x))

    def solution(self) -> Solution:
        system, n = self.system, len(self.system.measured)
        if self.contradiction > 1e-6:
            raise CannotReconcile("balances of values that are known exactly do not hold, or contradict each other")
        maps = np.vstack([np.eye(n), -self.inverse_z @ self.of_x])
        gain = maps @ (np.eye(n) - system.v @ self.columns.T @ self.columns)
        values, scale = np.concatenate([self.at_x, self.at_z]), np.concatenate([system.scale_x, system.scale_z])
        residual = self.columns @ (system.m - self.at_x)
        return Solution(
            system.names,
            values,
            scale,
            self.loose,
            self._elsewhere(),
            self.columns,
            residual,
            gain,
            maps @ self.spread_x,
        )

    @property
    def loose(self) -> FloatArray:
        """Directions of all quantities along which no balance moves, one column each."""
        return np.vstack([np.zeros((len(self.system.measured), self.loose_z.shape[1])), self.loose_z])

    def _elsewhere(self) -> tuple[tuple[FloatArray, FloatArray], ...]:
        """Points that satisfy the balances too, and what is loose there; those that are not found are left out."""
        if not self.loose_z.size:
            return ()
        found = []
        directions = np.random.default_rng(SEED).uniform(0.5, 1.5, (len(ELSEWHERE), self.loose_z.shape[1]))
        for share, direction in zip(ELSEWHERE, directions, strict=True):
            try:
                step = _Step(self.system, self.at_x, self.at_z + share * self.loose_z @ direction)
                for _ in range(MOST_CORRECTIONS):
                    if self.system.imbalance(self.at_x, step.at_z) <= CLOSED:
                        found.append((np.concatenate([self.at_x, step.at_z]), step.loose))
                        break
                    step = _Step(self.system, self.at_x, step.at_z - step.inverse_z @ step.missed)
            except ArithmeticError:
                continue
        return tuple(found)


def _root(v: FloatArray) -> FloatArray:
    """A root ``r`` of a covariance, ``r r' = v``, in which perfect correlations are perfect."""
    sds = np.sqrt(np.diag(v))
    safe = np.where(sds == 0.0, 1.0, sds)
    size, vectors = np.linalg.eigh(v / safe[:, None] / safe[None, :]) if v.size else (np.zeros(0), v)
    size = np.where(size > 1e-12, size, 0.0)
    return np.asarray(sds[:, None] * vectors * np.sqrt(size))


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
