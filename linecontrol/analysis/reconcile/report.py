"""The whole answer to one flowsheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from linecontrol.analysis.reconcile.expression import Expression
from linecontrol.analysis.reconcile.flowsheet import Flowsheet
from linecontrol.analysis.reconcile.gross_errors import ALPHA, GrossErrors, gross_errors
from linecontrol.analysis.reconcile.quantity import Quantity
from linecontrol.analysis.reconcile.solve import CannotReconcile, Solution, solve

MOST_SUSPECTS = 12  # for which the quantity wanted is computed without them


@dataclass(frozen=True)
class Reconciled:
    """Measured and reconciled, side by side.

    Attributes:
        raw: quantities wanted from measured values alone; None where something in them is not measured.
        wanted: the same from reconciled values.
        if_wrong: for each suspect by name, the quantities wanted when its measurement is left out.
    """

    flowsheet: Flowsheet
    solution: Solution
    errors: GrossErrors
    raw: dict[str, Quantity | None]
    wanted: dict[str, Quantity]
    if_wrong: dict[str, dict[str, Quantity]]

    def statement(self) -> str:
        """What can be said of the measurements, in one or two sentences."""
        e = self.errors
        if e.dof == 0:
            return "No test was possible: there is no redundancy, every balance is used up by what is not measured."
        of = f"chi-square {e.chi2:.2f} of {e.dof} independent balance{'s' if e.dof > 1 else ''}"
        of += f", p = {e.p:.4f}" if e.p >= 1e-4 else ", p < 0.0001"
        if not e.is_alarm:
            return f"No gross error is seen ({of})."
        words = []
        for suspect in e.found:
            if not suspect.names:
                words.append("the balances themselves, for no measurement explains it")
            elif len(suspect.names) == 1:
                words.append(f"{suspect.names[0]}, off by {suspect.error:+.4g} ± {suspect.u:.2g}")
            else:
                words.append(f"one of {', '.join(suspect.names)}, which cannot be told apart by these balances")
        return f"Something is wrong beyond its declared uncertainty ({of}): {'; and '.join(words)}."

    @property
    def below_nothing(self) -> tuple[str, ...]:
        """What comes out negative, though it was not measured so: no stream and no share of one can be."""
        return tuple(
            v.name
            for v in self.flowsheet.variables
            if self.solution.of(v.name).value < 0.0
            and not math.isnan(self.solution.of(v.name).u)
            and not (v.value is not None and v.value < 0.0)
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is not known is None."""
        return {
            "name": self.flowsheet.name,
            "streams": {v.name: self._stream(v.name) for v in self.flowsheet.variables},
            "balances": {b.name: self._balance(b.expression) for b in self.flowsheet.balances},
            "global_test": {
                "chi2": _plain(self.errors.chi2),
                "dof": self.errors.dof,
                "p": _plain(self.errors.p_global),
            },
            "gross_error": {
                "found": self.errors.is_alarm,
                "p": _plain(self.errors.p),
                "alpha": ALPHA,
                "z_limit": _plain(self.errors.z_limit),
                "suspects": [
                    {"names": list(s.names), "error": _plain(s.error), "u": _plain(s.u)} for s in self.errors.found
                ],
                "cannot_be_told_apart": [list(group) for group in self.errors.alike],
                "statement": self.statement(),
            },
            "below_nothing": list(self.below_nothing),
            "wanted": {name: self._wanted(name) for name in self.flowsheet.wanted},
        }

    def _stream(self, name: str) -> dict[str, Any]:
        variable = next(v for v in self.flowsheet.variables if v.name == name)
        found, z = self.solution.of(name), self.errors.z.get(name, math.nan)
        return {
            "unit": variable.unit,
            "measured": variable.value,
            "u": variable.u,
            "reconciled": _plain(found.value) if not math.isnan(found.u) else None,
            "u_reconciled": _plain(found.u),
            "adjustment": None if variable.value is None else _plain(found.value - variable.value),
            "z": _plain(z),
            "tested": not math.isnan(z),
            "determined": not math.isnan(found.u),
        }

    def _balance(self, expression: Expression) -> dict[str, Any]:
        """How far the measured values miss it; None when something in it is not measured."""
        raw = _of_measured(self.flowsheet, expression)
        miss = None if raw is None else _plain(raw.value)
        return {"equation": expression.text, "miss": miss, "u": None if raw is None else _plain(raw.u)}

    def _wanted(self, name: str) -> dict[str, Any]:
        raw, found = self.raw[name], self.wanted[name]
        low, high = found.interval
        return {
            "raw": None if raw is None else _plain(raw.value),
            "raw_u": None if raw is None else _plain(raw.u),
            "reconciled": _plain(found.value) if not math.isnan(found.u) else None,
            "u": _plain(found.u),
            "low_95": _plain(low),
            "high_95": _plain(high),
            "if_wrong": {
                stream: {"value": _plain(rows[name].value), "u": _plain(rows[name].u)}
                for stream, rows in self.if_wrong.items()
            },
        }


def reconcile(flowsheet: Flowsheet) -> Reconciled:
    """Reconcile a flowsheet and test its measurements.

    Raises:
        CannotReconcile: no values near the measured ones satisfy the balances.
    """
    solution = solve(flowsheet)
    n = len(flowsheet.measured)
    u = np.sqrt(np.diag(flowsheet.covariance()))
    errors = gross_errors(flowsheet.measured, solution.columns[:, :n], solution.residual, u)
    wanted = {name: solution.quantity(expression) for name, expression in flowsheet.wanted.items()}
    raw = {name: _of_measured(flowsheet, expression) for name, expression in flowsheet.wanted.items()}
    suspects = [name for suspect in errors.found for name in suspect.names][:MOST_SUSPECTS] if errors.is_alarm else []
    return Reconciled(flowsheet, solution, errors, raw, wanted, _without_each(flowsheet, suspects))


def _without_each(flowsheet: Flowsheet, suspects: Sequence[str]) -> dict[str, dict[str, Quantity]]:
    found = {}
    for name in dict.fromkeys(suspects):
        try:
            rest = solve(flowsheet.without([name]))
            found[name] = {key: rest.quantity(expression) for key, expression in flowsheet.wanted.items()}
        except CannotReconcile:
            found[name] = {key: Quantity(math.nan, math.nan) for key in flowsheet.wanted}
    return found


def _of_measured(flowsheet: Flowsheet, expression: Expression) -> Quantity | None:
    """A function of measured values alone, first order (GUM, JCGM 100:2008, 5.1); None when it needs another."""
    if not set(expression.names) <= set(flowsheet.measured):
        return None
    values = {v.name: v.value for v in flowsheet.variables if v.value is not None}
    try:
        value, slopes = expression.at({k: complex(x) for k, x in values.items()}).real, expression.gradient(values)
    except ZeroDivisionError:
        return None
    g = np.array([slopes.get(name, 0.0) for name in flowsheet.measured])
    return Quantity(value, math.sqrt(max(float(g @ flowsheet.covariance() @ g), 0.0)))


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
